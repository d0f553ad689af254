"""The solution's side of a code item: loads it and does what the tests request.

Standard library only, loaded by `program_runner.py` inside the sandbox. Nothing here
decides anything: a solution may take this file apart and answer whatever it likes,
and has then only given another value.
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
    # Annotations stay text: a missing import of `List` does not fail a function.
    flags = annotations.compiler_flag
    return compile(text, name, "exec", flags, dont_inherit=True)


def _run(coroutine: Any) -> Any:
    import asyncio

    return asyncio.run(coroutine)


# What a test may do with an object that stays in this process.
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
    **{"enter": lambda context: type(context).__enter__(context)},
    **{"exit": lambda context: type(context).__exit__(context, None, None, None)},
}


class LoadedSolution:
    """A loaded solution, and the requests to it.

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
        # Some of the library looks up a class's module by its name.
        module = types.ModuleType("solution")
        sys.modules["solution"] = module
        self._namespace = module.__dict__
        self._exchange = Exchange(self._function, shared=self._class, host=True)

    def load(self, setup: list[str], code: str, names: list[str]) -> dict[str, Any]:
        """Run the solution's module; which of the names it defines."""
        for part in setup:
            try:
                exec(_compiled(part, "<setup>"), self._namespace)
            except Exception:  # it may need what only the solution defines
                continue
        try:
            exec(_compiled(code, "<solution>"), self._namespace)
            defined = [name for name in names if name in self._namespace]
            sent = self._exchange.pack(
                [self._namespace[name] for name in defined], keep_subclasses=True
            )
            return {"names": defined, **sent}
        except BaseException as error:
            return describe_error(error)

    def serve(self, *, until: Callable[[dict], bool] = lambda message: False) -> dict:
        """Answer the tests' requests; returns the message that `until` accepts."""
        while True:
            message = self._receive()
            if until(message):
                return message
            self._send(self._answer(message))

    def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer, with what was printed meanwhile if the tests look at that."""
        if not message.get("prints"):
            return self._perform(message)
        before, sys.stdout = sys.stdout, io.StringIO()
        try:
            answer = self._perform(message)
            return {**answer, "printed": sys.stdout.getvalue()}
        except BaseException as error:
            return describe_error(error)
        finally:
            sys.stdout = before

    def _perform(self, message: dict[str, Any]) -> dict[str, Any]:
        exchange = self._exchange
        try:
            do = message["do"]
            target, arguments, keywords = exchange.unpack(message)
            if do == "call":
                result = target(*arguments, **keywords)
            else:
                result = OPERATIONS[do](target, *arguments)
            sent = exchange.pack([result], keep_subclasses=message.get("make", False))
            if message.get("look"):
                sent["given"] = exchange.pack([arguments])
            return sent
        except BaseException as error:
            if message.get("do") == "next" and type(error) is StopIteration:
                return {"done": True}
            return self._describe(error)

    def _describe(self, error: BaseException) -> dict[str, Any]:
        message: dict[str, Any] = describe_error(error)
        try:
            kinds = [kind.__name__ for kind in type(error).__mro__]
            message["kinds"] = [name for name in kinds if hasattr(builtins, name)]
            message["args"] = self._exchange.pack(list(error.args))
        except BaseException:
            message.pop("args", None)
        return message

    def _class(self, name: str) -> type | None:
        """A class of the item's own; the solution may have written it again."""
        value = self._namespace.get(name) if name in self._shared else None
        return value if isinstance(value, type) else None

    def _function(self, number: int, kind: str, name: str) -> Callable[..., Any]:
        """A function of the tests', called back where it lives."""

        def stand_in(*arguments: Any, **keywords: Any) -> Any:
            exchange = self._exchange
            self._send({"back": number, **exchange.pack([list(arguments), keywords])})
            message = self.serve(until=lambda message: "do" not in message)
            if "error" in message:
                kind = getattr(builtins, message["error"], RuntimeError)
                raise kind(message.get("words", ""))
            return exchange.unpack(message)[0]

        stand_in.__name__ = stand_in.__qualname__ = name
        return stand_in


def run_side(
    job: dict[str, Any],
    send: Callable[[dict], None],
    readline: Callable[[], bytes],
    answer: Callable[..., None],
) -> None:
    """Load the solution when the tests are ready, then answer their requests.

    Args:
        job: the solution, and the names that the tests expect of it.
        send: writes one message to the tests.
        readline: their next line.
        answer: writes to the host; a solution never does.
    """
    loads, exit_now = json.loads, os._exit

    def receive() -> dict:
        line = readline()
        if not line:
            exit_now(0)
        return loads(line)

    solution = LoadedSolution(send, receive, job["shared"])
    receive()
    send(solution.load(job["setup"], job["code"], job["names"]))
    solution.serve()
