"""Asynchronous work for a caller that is not: a plain generator."""

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
    """What an asynchronous function hands over, as it hands it over.

    It runs in an event loop and a thread of its own: the caller may have a
    loop running already, as every notebook has. Closing the generator cancels
    the work and waits for it to end; Ctrl-C does the same.

    Args:
        work: takes a function to hand values over by.

    Raises:
        Exception: whatever the work raises, after all it had handed over.
    """
    handed: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work(lambda value: handed.put(("value", value))))

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            handed.put(("end", None))
        except BaseException as error:
            handed.put(("error", error))
        else:
            handed.put(("end", None))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=run, name="phi-kit requests", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = handed.get()
            if kind == "error":
                raise value from None
            if kind == "end":
                return
            yield value
    finally:
        with suppress(RuntimeError):  # it has ended and its loop is closed
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
