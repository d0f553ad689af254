"""A code item's tests, taken apart: what runs inside, what is expected outside.

Tests are `assert` lines, as MBPP (arXiv 2108.07732) and HumanEval
(arXiv 2107.03374) write them. The left side is evaluated in the sandbox; the
right side never enters it, so a solution cannot read what it should return.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Our own choice: apart by rounding only, and apart by a printed precision.
CLOSE, LOOSELY_CLOSE = 1e-9, 1e-6


class UnreadableTestError(ValueError):
    """A test whose expected value cannot be kept outside the sandbox."""


@dataclass(frozen=True)
class Check:
    """One expression and what it must give.

    Args:
        call: the expression that is evaluated inside.
        expected: the plain value it must equal.
        truth: only its truth counts, as in `assert f(x)`.
        close: relative and absolute tolerance of `math.isclose`, if asked for.
    """

    call: str
    expected: Any
    truth: bool = False
    close: tuple[float, float] | None = None

    def passes(self, found: Any, *, loosely: bool = False) -> bool:
        """Whether a value that came out of the sandbox is the expected one."""
        if self.truth:
            return bool(found) is self.expected
        if self.close and type(found) in (int, float):
            relative, absolute = self.close
            return math.isclose(
                found, self.expected, rel_tol=relative, abs_tol=absolute
            )
        return same(self.expected, found, loosely=loosely)


def checks(tests: Sequence[str], entry: str = "") -> tuple[Check, ...]:
    """The checks of a list of `assert` lines, or of a HumanEval `check(candidate)`.

    Raises:
        UnreadableTestError: one is not an assertion about a plain value.
    """
    if not isinstance(tests, list | tuple) or not all(
        isinstance(text, str) for text in tests
    ):
        raise UnreadableTestError("the tests are no list of texts")
    found: list[Check] = []
    for text in tests:
        try:
            body = ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise UnreadableTestError(f"not Python: {text[:80]}") from error
        for node in _assertions(body, entry):
            found.append(_check(node))
    if not found:
        raise UnreadableTestError("there is no assertion")
    return tuple(found)


def _assertions(body: list[ast.stmt], entry: str) -> list[ast.Assert]:
    kept: list[ast.Assert] = []
    for node in body:
        if isinstance(node, ast.Assert):
            kept.append(node)
        elif isinstance(node, ast.FunctionDef) and node.name == "check" and entry:
            name = node.args.args[0].arg if node.args.args else ""
            renamed = _Renamer(name, entry).visit(node)
            kept += _assertions(renamed.body, "")
        elif not _is_note(node):
            raise UnreadableTestError(f"not an assertion: {ast.unparse(node)[:80]}")
    return kept


def _is_note(node: ast.stmt) -> bool:
    """A docstring, or HumanEval's METADATA."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    names = [ast.unparse(target) for target in getattr(node, "targets", ())]
    return isinstance(node, ast.Assign) and names == ["METADATA"]


class _Renamer(ast.NodeTransformer):
    def __init__(self, old: str, new: str):
        self.old, self.new = old, new

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.new, node.ctx) if node.id == self.old else node


def _check(node: ast.Assert) -> Check:
    test = node.test
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _equality(test)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return Check(ast.unparse(test.operand), False, truth=True)
    if isinstance(test, ast.Call):
        closeness = _closeness(test)
        return closeness or Check(ast.unparse(test), True, truth=True)
    raise UnreadableTestError(f"not an equality: {ast.unparse(test)[:80]}")


def _equality(test: ast.Compare) -> Check:
    if not isinstance(test.ops[0], ast.Eq | ast.Is):
        raise UnreadableTestError(f"not an equality: {ast.unparse(test)[:80]}")
    for call, value in (
        (test.left, test.comparators[0]),
        (test.comparators[0], test.left),
    ):
        if any(isinstance(part, ast.Call) for part in ast.walk(call)):
            try:
                return Check(ast.unparse(call), _literal(value))
            except (ValueError, TypeError, SyntaxError, RecursionError):
                continue
    raise UnreadableTestError(f"no plain expected value: {ast.unparse(test)[:80]}")


def _literal(node: ast.expr) -> Any:
    return ast.literal_eval(node)


def _closeness(test: ast.Call) -> Check | None:
    """`math.isclose(call, value, rel_tol=…, abs_tol=…)`."""
    if ast.unparse(test.func) not in ("math.isclose", "isclose"):
        return None
    try:
        call, value = test.args
        given = {word.arg: float(_literal(word.value)) for word in test.keywords}
        expected = float(_literal(value))
    except (ValueError, TypeError) as error:
        raise UnreadableTestError(f"not readable: {ast.unparse(test)[:80]}") from error
    close = (given.get("rel_tol", CLOSE), given.get("abs_tol", 0.0))
    return Check(ast.unparse(call), expected, close=close)


class NotPlainError(ValueError):
    """A value that is no plain data: an object that could claim any equality."""


def decode(sent: Any) -> Any:
    """The value behind the guard's tagged JSON.

    Raises:
        NotPlainError: it was no plain data, or was not sent by the guard's rules.
    """
    try:
        return _decode(sent)
    except NotPlainError:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise NotPlainError("an unreadable value") from error


def _decode(sent: Any) -> Any:
    tag, *rest = sent
    if tag == "=" and (rest[0] is None or isinstance(rest[0], bool | str)):
        return rest[0]
    if tag == "i":
        return int(rest[0], 16)
    if tag == "f":
        return float.fromhex(rest[0])
    if tag == "c":
        return complex(*map(float.fromhex, rest))
    if tag == "y":
        return bytes.fromhex(rest[0])
    if tag in _HOLDERS:
        return _HOLDERS[tag](map(_decode, rest[0]))
    if tag == "dict":
        return {_decode(key): _decode(value) for key, value in rest[0]}
    raise NotPlainError(f"an object of type {str(rest[:1])[:80]}")


_HOLDERS: Mapping[str, type] = {
    one.__name__: one for one in (list, tuple, set, frozenset)
}


def same(expected: Any, found: Any, *, loosely: bool = False) -> bool:
    """Equality of plain data, by type: `True` is not `1`, a list no tuple.

    Floats may differ by rounding. Loosely, lists and tuples are one, `True`
    is `1`, and floats agree to a printed precision.
    """
    if isinstance(expected, bool) or isinstance(found, bool):
        if not loosely:
            return expected is found
        return _number(expected) and _number(found) and expected == found
    if _number(expected) and _number(found):
        return _close(expected, found, LOOSELY_CLOSE if loosely else CLOSE)
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        alike = loosely or type(expected) is type(found)
        pairs = zip(expected, found, strict=False)
        return (
            alike
            and len(expected) == len(found)
            and all(same(a, b, loosely=loosely) for a, b in pairs)
        )
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(
            same(value, found[key], loosely=loosely) for key, value in expected.items()
        )
    return type(expected) is type(found) and expected == found


def _number(value: Any) -> bool:
    return isinstance(value, int | float | complex)


def _close(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    if isinstance(a, complex) or isinstance(b, complex):
        return abs(a - b) <= tolerance * max(abs(a), abs(b))
    try:
        return math.isclose(a, b, rel_tol=tolerance)
    except OverflowError:  # an integer beyond every float
        return a == b
