"""The solution's side of a code item: loads it and does what the tests ask.

Standard library only, loaded by `runner.py` inside the walls. Nothing
here decides anything: a solution may take this file apart and answer whatever
it likes, and has then only given another value.
"""

from __future__ import annotations

import builtins
import io
import json
import operator
import os
import sys
import types

from .plain_values import Exchange

TYPE_CHECKING = False  # loading `typing` takes longer than a small solution
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_WORDS = 2000


def describe_error(error: BaseException) -> dict[str, str]:
    """An exception in words that JSON can carry."""
    try:
        words = str(error)[:_WORDS]
    except BaseException:
        words = ""
    return {"error": type(error).__name__[:80], "words": words}


def _compiled(text: str, name: str) -> Any:
    # Annotations stay words: a missing import of `List` is no fault of a function.
    flags = annotations.compiler_flag
    return compile(text, name, "exec", flags, dont_inherit=True)


def _run(coroutine: Any) -> Any:
    import asyncio

    return asyncio.run(coroutine)


# What a test may do with an object that stayed here.
OPERATIONS: dict[str, Callable[..., Any]] = {
    **{"get": getattr, "set": setattr, "delete": delattr, "isinstance": isinstance},
    **{"item": operator.getitem, "setitem": operator.setitem},
    **{"delitem": operator.delitem, "len": len, "str": str, "repr": repr},
    **{"bool": bool, "iter": iter, "next": next, "contains": operator.contains},
    **{"neg": operator.neg, "abs": abs, "add": operator.add, "sub": operator.sub},
    **{"mul": operator.mul, "truediv": operator.truediv, "mod": operator.mod},
    **{"floordiv": operator.floordiv, "pow": operator.pow, "or": operator.or_},
    **{"and": operator.and_, "xor": operator.xor, "matmul": operator.matmul},
    **{"run": _run},
    **{"enter": lambda one: type(one).__enter__(one)},
    **{"exit": lambda one: type(one).__exit__(one, None, None, None)},
}


class LoadedSolution:
    """A loaded solution and the conversation about it.

    Args:
        send: writes one message.
        receive: reads the next one.
        shared: names of the item's own classes, which the tests have too.
    """

    def __init__(
        self,
        send: Callable[[dict], None],
        receive: Callable[[], dict],
        shared: list[str],
    ):
        self._send, self._receive, self._shared = send, receive, shared
        # Some of the library looks a class's module up by its name.
        module = types.ModuleType("solution")
        sys.modules["solution"] = module
        self._space = module.__dict__
        self._books = Exchange(self._function, shared=self._class, host=True)

    def load(self, setup: list[str], code: str, names: list[str]) -> dict[str, Any]:
        """Run the solution's module; which of the names it defines."""
        for part in setup:
            try:
                exec(_compiled(part, "<setup>"), self._space)
            except Exception:  # it may need what only the solution defines
                continue
        try:
            exec(_compiled(code, "<solution>"), self._space)
            found = [name for name in names if name in self._space]
            sent = self._books.pack([self._space[name] for name in found], whole=True)
            return {"names": found, **sent}
        except BaseException as error:
            return describe_error(error)

    def serve(self, *, until: Callable[[dict], bool] = lambda message: False) -> dict:
        """Answer the tests' requests; returns the message that `until` accepts."""
        while True:
            message = self._receive()
            if until(message):
                return message
            self._send(self._told(message))

    def _told(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer, with what was printed meanwhile if the tests look at that."""
        if not message.get("prints"):
            return self._done(message)
        before, sys.stdout = sys.stdout, io.StringIO()
        try:
            told = self._done(message)
            return {**told, "printed": sys.stdout.getvalue()}
        except BaseException as error:
            return describe_error(error)
        finally:
            sys.stdout = before

    def _done(self, message: dict[str, Any]) -> dict[str, Any]:
        books = self._books
        try:
            do = message["do"]
            target, given, named = books.unpack(message)
            if do == "call":
                found = target(*given, **named)
            else:
                found = OPERATIONS[do](target, *given)
            sent = books.pack([found], whole=message.get("make", False))
            if message.get("look"):
                sent["given"] = books.pack([given])
            return sent
        except BaseException as error:
            if message.get("do") == "next" and type(error) is StopIteration:
                return {"done": True}
            return self._fault(error)

    def _fault(self, error: BaseException) -> dict[str, Any]:
        told: dict[str, Any] = describe_error(error)
        try:
            kinds = [kind.__name__ for kind in type(error).__mro__]
            told["kinds"] = [name for name in kinds if hasattr(builtins, name)]
            told["args"] = self._books.pack(list(error.args))
        except BaseException:
            told.pop("args", None)
        return told

    def _class(self, name: str) -> type | None:
        """A class of the item's own; the solution may have written it again."""
        found = self._space.get(name) if name in self._shared else None
        return found if isinstance(found, type) else None

    def _function(self, place: int, kind: str, name: str) -> Callable[..., Any]:
        """A function of the tests', called back where it lives."""

        def stand_in(*given: Any, **named: Any) -> Any:
            books = self._books
            self._send({"back": place, **books.pack([list(given), named])})
            told = self.serve(until=lambda message: "do" not in message)
            if "error" in told:
                kind = getattr(builtins, told["error"], RuntimeError)
                raise kind(told.get("words", ""))
            return books.unpack(told)[0]

        stand_in.__name__ = stand_in.__qualname__ = name
        return stand_in


def run_side(
    job: dict[str, Any],
    send: Callable[[dict], None],
    readline: Callable[[], bytes],
    answer: Callable[..., None],
) -> None:
    """Load the solution when the tests are ready, then answer until nobody asks.

    Args:
        job: the solution, and what the tests have to know of it.
        send: writes one message to the tests.
        readline: their next line.
        answer: for the host, which hears nothing of a solution.
    """
    loads, leave = json.loads, os._exit

    def receive() -> dict:
        line = readline()
        if not line:
            leave(0)
        return loads(line)

    candidate = LoadedSolution(send, receive, job["shared"])
    receive()
    send(candidate.load(job["setup"], job["code"], job["names"]))
    candidate.serve()
