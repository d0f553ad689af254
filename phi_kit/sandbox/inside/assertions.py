"""Tests as they are run: each assertion reports, and plain data is compared by type."""

from __future__ import annotations

import ast

from .plain_values import same_value
from .remote_objects import RemoteObject

TYPE_CHECKING = False  # loading `typing` takes longer than a small solution
if TYPE_CHECKING:
    from typing import Any

# The name under which rewritten tests find the `TestReport`.
REPORT = "__report__"


class Rewriter(ast.NodeTransformer):
    """Tests that report every assertion, and compare plain data by type."""

    def __init__(self):
        self.places: list[int] = []

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        """An assertion that is counted; one that says nothing stays as it is."""
        if isinstance(node.test, ast.Constant) and node.test.value:
            return node
        number = len(self.places)
        self.places.append(node.lineno)
        test = self._conjunct(node.test, number)
        checked = _call("check", node.test, ast.Constant(number), test)
        message = node.msg and self.visit(node.msg)
        return ast.copy_location(ast.Assert(checked, message), node)

    def _conjunct(self, test: ast.expr, number: int) -> ast.expr:
        """A part that must hold for the assertion to hold."""
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            parts = [self._conjunct(value, number) for value in test.values]
            return ast.copy_location(ast.BoolOp(test.op, parts), test)
        if not isinstance(test, ast.Compare) or _word(test) != "eq":
            return self.visit(test)
        sides = [test.left, test.comparators[0]]
        # Told as "gave …, not …": what was called comes first.
        if _calls(sides[1]) and not _calls(sides[0]):
            sides.reverse()
        return _call("eq", test, *map(self.visit, sides), ast.Constant(number))

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Plain data is compared by type."""
        self.generic_visit(node)
        word = _word(node)
        if not word:
            return node
        return _call(word, node, node.left, node.comparators[0])

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`a.__eq__(b)` is `a == b`; else a value of any type could decline."""
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if len(node.args) != 1 or node.keywords:
            return node
        if name in ("__eq__", "__ne__"):
            return _call(name.strip("_"), node, node.func.value, *node.args)
        if name == "__contains__":
            return _call("has", node, *node.args, node.func.value)
        return node


def _word(node: ast.Compare) -> str:
    """Who decides a comparison instead of Python; empty for Python itself."""
    kind = type(node.ops[0])
    if len(node.ops) > 1:
        return ""
    if kind in (ast.Is, ast.IsNot):
        # `is 'a'` is meant as equality: no value arrives as the same object.
        sides = (node.left, node.comparators[0])
        plain = (str, bytes, int, float, complex)
        values = [side.value for side in sides if isinstance(side, ast.Constant)]
        if any(type(value) in plain for value in values):
            return "eq" if kind is ast.Is else "ne"
    words = {ast.Eq: "eq", ast.NotEq: "ne", ast.In: "has", ast.NotIn: "lacks"}
    return words.get(kind, "")


def _call(name: str, node: ast.AST, *arguments: ast.expr) -> ast.expr:
    function = ast.Attribute(ast.Name(REPORT, ast.Load()), name, ast.Load())
    call = ast.Call(function, list(arguments), [])
    return ast.fix_missing_locations(ast.copy_location(call, node))


def _calls(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))


class StopError(BaseException):
    """Ends the tests once the verdict is certain; no test may catch it."""


class TestReport:
    """The findings of the tests so far; their rewritten code reports here.

    Args:
        lines: the tests' text.
        places: the lines where their assertions stand.
        forgiving: whether the tests themselves expect assertions to fail.
    """

    def __init__(self, lines: list[str], places: list[int], *, forgiving: bool):
        self.evaluated, self.wrong, self.strictly, self.failed = 0, "", "", ""
        # Whether any value of the solution has come in.
        self.touched = False
        # Why the tests fail without it.
        self.hopeless = ""
        self.gone = False
        self._lines, self._places, self._forgiving = lines, places, forgiving
        self._pair: tuple[Any, Any] | None = None

    def fail(self, reason: str) -> None:
        """The solution is wrong, for this reason."""
        self.wrong = self.wrong or reason
        raise StopError

    def check(self, number: int, passed: Any) -> bool:
        """An assertion, evaluated."""
        passed = bool(passed)
        self.evaluated += 1
        if not passed:
            self.failed = self._where(number) + self._comparison()
            if not self.touched:
                self.hopeless = self.hopeless or self.failed
            elif not self._forgiving:
                self.wrong = self.wrong or self.failed
        self._pair = None
        return passed

    def eq(self, a: Any, b: Any, number: int = -1) -> Any:
        """`a == b`, by type; with a number loosely, if strictly it fails."""
        equal = same_value(a, b)
        if equal is True:
            return True
        self._pair = (a, b)
        if equal is not False:
            return equal
        if number >= 0 and same_value(a, b, loosely=True) is True:
            self.strictly = self.strictly or self._where(number) + self._comparison()
            return True
        return False

    def ne(self, a: Any, b: Any) -> Any:
        """`a != b`, by type."""
        equal = same_value(a, b)
        return not equal if isinstance(equal, bool) else a != b

    def has(self, item: Any, container: Any) -> Any:
        """`item in container`, by type."""
        if isinstance(container, list | tuple | set | frozenset | dict):
            return any(same_value(item, other) is True for other in container)
        return item in container

    def lacks(self, item: Any, container: Any) -> bool:
        """`item not in container`, by type."""
        return not self.has(item, container)

    def at(self, error: BaseException) -> str:
        """The line of the tests where an exception went up."""
        trace, line = error.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == "<tests>":
                line = trace.tb_lineno
            trace = trace.tb_next
        return self._line(line)

    def _where(self, number: int) -> str:
        line = self._line(self._places[number])
        return f"test {number + 1} of {len(self._places)}: {line}"

    def _line(self, number: int) -> str:
        text = self._lines[number - 1].strip() if number else ""
        return text if len(text) <= 80 else f"{text[:77]}..."

    def _comparison(self) -> str:
        if self._pair is None:
            return ""
        a, b = map(short_repr, self._pair)
        return f" gave {a}, not {b}"


def short_repr(value: Any) -> str:
    """A value in few letters; what the solution keeps is not asked."""
    if isinstance(value, RemoteObject):
        return f"an object of type {value._phi[1]}"
    try:
        text = repr(value)
    except Exception:  # Python writes out no integer of more than 4300 digits
        return "a huge number" if type(value) is int else "something"
    return text if len(text) <= 60 else f"{text[:57]}..."
