"""The tests' side of a code item: runs them and reports the verdict.

Standard library only, loaded by `program_runner.py` in a sandbox of its own. The
solution runs in another one; what the tests call are stand-ins
(`remote_objects.py`), and every value that comes back is plain data. So every
comparison is made where no solution can reach it, with the tests' own code.
"""

from __future__ import annotations

import ast
import builtins
import json
import math
import sys
import types
import warnings

from . import pytest_names
from .assertions import REPORT, Rewriter, StopError, TestReport
from .plain_values import Exchange, MalformedError, UnsendableError
from .remote_objects import (
    MissingName,
    RemoteObject,
    copy_changes,
    rebuild_exception,
    stand_in,
)

TYPE_CHECKING = False  # loading `typing` takes longer than a small solution
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


class SolutionProxy:
    """The solution, as the tests reach it.

    Args:
        report: where faults of the solution are noted.
        send: writes one message.
        readline: reads the answer, as it came.
        job: what the item says of its tests.
    """

    def __init__(
        self,
        report: TestReport,
        send: Callable[[dict], None],
        readline: Callable[[int], bytes],
        job: dict[str, Any],
    ):
        self._report = report
        self.raised: list[Exception] = []
        self.errors: dict[str, type] = {
            name: getattr(builtins, name, None) or type(name, (Exception,), {})
            for name in job["errors"]
        }
        self.fail = report.fail
        self._send, self._readline = send, readline
        self._left = {name: job[name] for name in ("value", "calls", "traffic")}
        self._allowed, self._look = frozenset(job["allowed"]), job["look"]
        self._prints, self._receiving = job["prints"], False
        self._namespace: dict[str, Any] = {}
        self._shared = frozenset(job["shared"])
        self._exchange = Exchange(
            lambda number, sort, name: stand_in(self, sort, name),
            shared=self._shared_class,
            host=False,
            number=self._number,
        )

    def _shared_class(self, name: str) -> Any:
        """A class of the item's own, which tests and solution both have."""
        return self._namespace.get(name) if name in self._shared else None

    def load(
        self, namespace: dict[str, Any], owed: list[str], makers: list[str]
    ) -> dict[str, Any]:
        """Have the solution loaded; return its names as the tests may use them."""
        self._namespace = namespace
        reply = self._request({"go": True})
        defined: dict[str, Any] = {}
        if "error" not in reply:
            names, values = reply.get("names"), self._unpack(reply)
            if type(names) is not list or len(names) != len(values):
                self._malformed()
            # It may define what it is asked for, and nothing else of the tests'.
            pairs = zip(names, values, strict=True)
            defined = {name: value for name, value in pairs if name in owed}
        # A plain value is used without being asked for.
        self._report.touched = any(
            not isinstance(x, RemoteObject) for x in defined.values()
        )
        for name in makers:
            maker = defined.get(name)
            if type(maker) is RemoteObject:
                object.__setattr__(maker, "_phi", (*maker._phi[:2], True, False))
        for name in owed:
            if name in self.errors:
                defined[name] = self.errors[name]
            elif name not in defined:
                # Only whoever uses it: the tests may be at fault before.
                why = f"defines no '{name}'"
                if "error" in reply:
                    why = f"does not load: {_describe_fault(reply)}"
                defined[name] = MissingName(self.fail, why)
        return defined

    def ask(self, do: str, target: Any, *arguments: Any, **more: Any) -> Any:
        """What comes of a deed of the tests' on the solution's side."""
        self._report.touched = True
        keywords = more.get("named", {})
        look = self._look and do == "call"
        packed = self._exchange.pack([target, list(arguments), keywords])
        make = bool(more.get("make"))
        reply = self._request(
            {"do": do, "look": look, "make": make, "prints": self._prints, **packed}
        )
        if self._prints and type(reply.get("printed")) is str:
            sys.stdout.write(reply["printed"])
        if "error" in reply:
            error = self._raised(reply)
            self.raised.append(error)
            raise error
        if reply.get("done") is True and do == "next":
            raise StopIteration
        values = self._unpack(reply)
        if len(values) != 1:
            self._malformed()
        if look:
            self._changed(arguments, reply.get("given"))
        return values[0]

    def _request(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send a message and read its answer; in between, functions are lent out."""
        while True:
            line = self._answer(message)
            try:
                reply = json.loads(line)
            except (ValueError, RecursionError, MemoryError):
                self._malformed()
            if type(reply) is not dict or type(reply.get("error", "")) is not str:
                self._malformed()
            if "back" not in reply:
                return reply
            message = self._call_back(reply)

    def _answer(self, message: dict[str, Any]) -> bytes:
        """The line that a message is answered with, within its bounds."""
        left = self._left
        left["calls"] -= 1
        if left["calls"] < 0:
            self.fail("was asked too often")
        line = b""
        try:
            self._send(message)
            line = self._readline(left["value"])
        except OSError:
            self._report.gone = True
        left["traffic"] -= len(line)
        if len(line) >= left["value"] or left["traffic"] < 0:
            self.fail("too much output")
        if not line.endswith(b"\n"):
            self._report.gone = True
            self.fail("ended before it answered")
        return line

    def _call_back(self, reply: dict[str, Any]) -> dict[str, Any]:
        """Call a function of the tests' for the solution."""
        self._receiving = True
        try:
            function = self._exchange.kept(reply["back"])
            arguments, keywords = self._exchange.unpack(reply)
            arguments, keywords = list(arguments), dict(keywords)
        except (MalformedError, ValueError, TypeError):
            self._malformed()
        finally:
            self._receiving = False
        try:
            return self._exchange.pack([function(*arguments, **keywords)])
        except Exception as error:
            return {"error": type(error).__name__, "words": str(error)[:200]}

    def _unpack(self, reply: dict[str, Any]) -> list[Any]:
        try:
            return self._exchange.unpack(reply)
        except MalformedError:
            return self._malformed()

    def _malformed(self) -> Any:
        return self.fail("answered what is no value")

    def _number(self, value: Any) -> Any:
        """Numbers that pass any tolerance come in only where tests speak of them."""
        if self._receiving or type(value) is int:
            return value
        if type(value) is complex:
            if "complex" not in self._allowed:
                self.fail("gave a complex number")
            parts = (value.real, value.imag)
        else:
            parts = (value,)
        for part in parts:
            if part != part and "nan" not in self._allowed:
                self.fail("gave nan")
            if part in (math.inf, -math.inf) and "inf" not in self._allowed:
                self.fail("gave inf")
        return value

    def _raised(self, reply: dict[str, Any]) -> Exception:
        self._receiving = True
        try:
            arguments = self._exchange.unpack(reply["args"])
        except (MalformedError, LookupError, TypeError):
            arguments = [str(reply.get("words", ""))]
        finally:
            self._receiving = False
        kinds = reply.get("kinds")
        if type(kinds) is not list or not all(type(name) is str for name in kinds):
            reply = {**reply, "kinds": []}
        own = {name: self._namespace.get(name) for name in self._shared}
        return rebuild_exception(reply, arguments, own | self.errors)

    def _changed(self, arguments: tuple, sent: Any) -> None:
        """Let the tests see what a call did to its arguments."""
        if type(sent) is not dict:
            self._malformed()
        values = self._unpack(sent)
        if len(values) != 1 or type(values[0]) is not list:
            self._malformed()
        try:
            for old, new in zip(arguments, values[0], strict=True):
                shared = type(old).__name__ in self._shared
                kinds = ("list", "dict", "set", "bytearray", "deque")
                if shared or type(old).__name__ in kinds:
                    copy_changes(old, new)
        except (TypeError, ValueError):
            self._malformed()


def _describe_fault(reply: dict[str, Any]) -> str:
    name, words = str(reply.get("error", "?")), str(reply.get("words", ""))
    note = ""
    if name in ("PermissionError", "BlockingIOError"):
        note = " (forbidden in the sandbox)"
    words = "out of memory" if name == "MemoryError" else words
    return f"{name}: {words}"[:120].rstrip(": ") + note


def unknown(why: str) -> dict[str, Any]:
    """The tests are at fault."""
    return {"value": "unknown", "reason": why}


def run_side(
    job: dict[str, Any],
    send: Callable[[dict], None],
    readline: Callable[[int], bytes],
    answer: Callable[..., None],
) -> None:
    """Run an item's tests against the solution on the other side, and tell the host.

    Args:
        job: the tests and what is known of them.
        send: writes one message to the solution.
        readline: its answer.
        answer: tells the host: `called` when the solution is loaded, then the
            `verdict`: `value` and `reason`; with `strictly`, the reason why it is
            right only loosely, with `gone`, that the solution's process is gone.
    """
    write = answer
    verdict = run_tests(job, send, readline, lambda: write(called=True))
    write(verdict=verdict)


def run_tests(
    job: dict[str, Any], send: Callable, readline: Callable, asking: Callable
) -> dict[str, Any]:
    """Run the tests and return their verdict."""
    # Otherwise a value that declines to be compared would count as equal.
    warnings.filterwarnings("error", "NotImplemented should not be used")
    rewriter = Rewriter()
    try:
        tree = ast.fix_missing_locations(rewriter.visit(ast.parse(job["tests"])))
        code = compile(tree, "<tests>", "exec", dont_inherit=True)
        setup = [
            compile(part, "<setup>", "exec", dont_inherit=True) for part in job["setup"]
        ]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return unknown(f"{type(error).__name__}: {error}"[:120])
    lines = job["tests"].split("\n")
    report = TestReport(lines, rewriter.places, forgiving=job["forgiving"])
    solution = SolutionProxy(report, send, readline, job)
    namespace = _module("__main__", {REPORT: report})
    try:
        asking()
        names = solution.load(namespace, job["names"], job["makers"])
        _module("solution", names)
        _tame(job)
        namespace |= names
        for part in setup:
            exec(part, namespace)
        namespace |= names
        exec(code, namespace)
        _remaining(namespace, job, report)
    except StopError:
        pass
    except BaseException as error:
        verdict = _verdict_after(error, report, solution)
        if verdict is not None:
            return verdict
    return _verdict(report, job)


def _module(name: str, namespace: dict[str, Any]) -> dict[str, Any]:
    """The names of a new module; some of the library looks modules up by name."""
    module = types.ModuleType(name)
    module.__dict__.update(namespace)
    sys.modules[name] = module
    return module.__dict__


def _tame(job: dict[str, Any]) -> None:
    """The same draw each time, and the few names tests expect of pytest."""
    sys.modules["pytest"] = pytest_names
    sys.path += job["packages"]
    if "random" in job["tests"] + "".join(job["setup"]):
        import random

        random.seed(0)
    if job["packages"]:
        try:
            import numpy

            numpy.random.seed(0)
        except ImportError:
            return


def _remaining(
    namespace: dict[str, Any], job: dict[str, Any], report: TestReport
) -> None:
    """Run what a test runner would run: `check`, `test_…`, test cases."""
    if job["entry"]:
        check = namespace["check"]
        check(eval(compile(job["entry"], "<tests>", "eval"), namespace))
    for name, value in list(namespace.items()):
        if name.startswith("test") and isinstance(value, types.FunctionType):
            if not value.__code__.co_argcount and not report.touched:
                value()
        elif isinstance(value, type) and "unittest" in sys.modules:
            for failed in _cases(value):
                raise AssertionError(failed)


def _cases(kind: type) -> Iterator[str]:
    import unittest

    if issubclass(kind, unittest.TestCase) and kind.__module__ == "__main__":
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(kind)
        result = unittest.TestResult()
        suite.run(result)
        for case, words in (*result.failures, *result.errors):
            yield f"{case}: {words.strip().splitlines()[-1]}"


def _verdict_after(
    error: BaseException, report: TestReport, solution: SolutionProxy
) -> dict[str, Any] | None:
    """What an exception in the tests says; `None` if it says nothing."""
    words, where = (
        f"{type(error).__name__}: {error}"[:160].rstrip(": "),
        report.at(error),
    )
    if report.wrong:
        return None
    if any(error is raised for raised in solution.raised):
        report.wrong = f"{where} raised {words}"
    elif isinstance(error, SystemExit) and not error.code:
        return None
    elif isinstance(error, UnsendableError):
        return unknown(f"they hand over {error}")
    elif isinstance(error, ImportError):
        return unknown(f"{words} (the sandbox has no such package)")
    elif report.touched:
        # What came back did not fit; before that, the tests alone are at fault.
        report.wrong = report.failed or f"{where}: {words}"
    else:
        return unknown(f"{where}: {words}")
    return None


def _verdict(report: TestReport, job: dict[str, Any]) -> dict[str, Any]:
    if report.hopeless:
        return unknown(report.hopeless)
    if report.wrong:
        return {"value": "wrong", "reason": report.wrong, "gone": report.gone}
    if not report.touched:
        return unknown("they ask nothing of the solution")
    if not report.evaluated and not job["otherwise"]:
        return {"value": "wrong", "reason": "no assertion was reached"}
    if report.strictly:
        return {"value": "right", "reason": report.strictly, "strictly": True}
    count = f"{report.evaluated} of {report.evaluated}" if report.evaluated else "its"
    return {"value": "right", "reason": f"passes {count} tests"}
