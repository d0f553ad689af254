"""Asynchronous work for synchronous callers, as a plain generator."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


def iterate_async(
    work: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]],
) -> Iterator[T]:
    """Yield the values that an asynchronous function hands over, as they come.

    The function runs in an event loop and a thread of its own: the caller may have a
    loop running already, as every notebook has. Closing the generator cancels
    the work and waits for it to end; Ctrl-C does the same.

    Args:
        work: the function; its argument is called with each value.

    Raises:
        Exception: any error of the work, after all values values over before it.
    """
    values: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work(lambda value: values.put(("value", value))))

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            values.put(("end", None))
        except BaseException as error:
            values.put(("error", error))
        else:
            values.put(("end", None))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=run, name="phi-kit requests", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = values.get()
            if kind == "error":
                raise value from None
            if kind == "end":
                return
            yield value
    finally:
        with suppress(RuntimeError):  # it has ended and its loop is closed
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
