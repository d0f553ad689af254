"""A trace of a tiny Python program: every value that it computes, in words.

Only what the built-in families use is known: integers, strings, lists of integers,
`if`, `for`, `while`, functions of one line. Anything else is not traced.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .arithmetic import add, multiply, subtract
from .text import Form

_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Mod: "%"}
_COMPARED: Mapping[type, tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Gt: (">", operator.gt),
    ast.Lt: ("<", operator.lt),
    ast.Eq: ("==", operator.eq),
    ast.In: ("in", lambda one, many: one in many),
}
_LINES = 120  # a longer trace teaches nothing that a shorter one does not
_TURNS = 60
_LARGEST = 10_000  # whose columns are still worth a line each


class UntracedError(Exception):
    """The program holds something that is not traced, or runs too long."""


def traced(program: str, form: Form, *, typed: str = "") -> tuple[list[str], str]:
    """The trace of a program and what it prints.

    Args:
        program: its text.
        form: `short`, or `long` with columns and partial products.
        typed: the line that it reads.

    Raises:
        UntracedError: the program is not one of the kinds that are known.
    """
    trace = _Trace(form, typed)
    for statement in _parsed(program).body:
        trace.run(statement)
    lines, printed = trace.lines, trace.printed
    # The answer says it again.
    if form == "short" and len(printed) == 1 and lines[-1] == f"print {printed[0]}":
        lines = lines[:-1] or lines
    return lines, "\n".join(printed)


def called(code: str, call: str, form: Form) -> tuple[list[str], Any]:
    """The trace of one call of a function, and its value.

    Raises:
        UntracedError: the function is not one of the kinds that are known.
    """
    trace = _Trace(form)
    for statement in _parsed(code).body:
        trace.run(statement)
    return trace.lines, trace.value(_parsed(call).body[0].value)


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise UntracedError(str(error)) from error


def shown(value: Any) -> str:
    """A value as Python writes it, strings in double quotes."""
    return f'"{value}"' if isinstance(value, str) else str(value)


class _Trace:
    """What has been said, what has been printed, and the variables."""

    def __init__(self, form: Form, typed: str = ""):
        self.form = form
        self.typed = typed
        self.lines: list[str] = []
        self.printed: list[str] = []
        self.names: dict[str, Any] = {}
        self.functions: dict[str, ast.FunctionDef] = {}

    def say(self, *lines: str) -> None:
        self.lines += lines
        if len(self.lines) > _LINES:
            raise UntracedError("too long")

    # Statements

    def run(self, node: ast.stmt) -> None:
        known = getattr(self, f"_run_{type(node).__name__.lower()}", None)
        if known is None:
            raise UntracedError(type(node).__name__)
        known(node)

    def _run_functiondef(self, node: ast.FunctionDef) -> None:
        self.functions[node.name] = node

    def _run_assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            values = [self.value(part) for part in node.value.elts]
            names = [part.id for part in target.elts]
            self.names |= dict(zip(names, values, strict=True))
            told = ", ".join(map(shown, values))
            self.say(f"{', '.join(names)} = {told}")
            return
        if not isinstance(target, ast.Name):
            raise UntracedError("target")
        if "input()" in ast.unparse(node.value):
            self._set(target.id, [int(part) for part in self.typed.split()])
            return
        before = len(self.lines)
        self._set(target.id, self.value(node.value), before)

    def _set(self, name: str, value: Any, before: int | None = None) -> None:
        """Say what a variable is now, in one line with the equation that says why."""
        self.names[name] = value
        last = f"= {shown(value)}"
        if before is not None and before < len(self.lines):
            said = self.lines[-1]
            if said.endswith(last) and ":" not in said:
                self.lines[-1] = f"{name} = {said}"
                return
        self.say(f"{name} {last}")

    def _run_augassign(self, node: ast.AugAssign) -> None:
        before = len(self.lines)
        value = self._binary(
            self.names[node.target.id], type(node.op), self.value(node.value)
        )
        self._set(node.target.id, value, before)

    def _run_expr(self, node: ast.Expr) -> None:
        call = node.value
        if not isinstance(call, ast.Call):
            raise UntracedError("expression")
        if isinstance(call.func, ast.Name) and call.func.id == "print":
            text = " ".join(str(self.value(part)) for part in call.args)
            self.printed.append(text)
            self.say(f"print {text}")
            return
        owner = getattr(call.func, "value", None)
        if isinstance(owner, ast.Name) and getattr(call.func, "attr", "") == "append":
            held = [*self.names[owner.id], self.value(call.args[0])]
            self._set(owner.id, held)
            return
        raise UntracedError("call")

    def _run_if(self, node: ast.If) -> None:
        for statement in node.body if self.value(node.test) else node.orelse:
            self.run(statement)

    def _run_for(self, node: ast.For) -> None:
        for value in self._turns(node.iter):
            with _Turn(self):
                self.names[node.target.id] = value
                self.say(f"{node.target.id} = {shown(value)}")
                for statement in node.body:
                    self.run(statement)

    def _run_while(self, node: ast.While) -> None:
        for _ in range(_TURNS):
            with _Turn(self):
                if not self.value(node.test):
                    return
                for statement in node.body:
                    self.run(statement)
        raise UntracedError("too long")

    def _turns(self, node: ast.expr) -> Iterator[Any]:
        called_range = isinstance(node, ast.Call) and ast.unparse(node.func) == "range"
        held = range(self.value(node.args[0])) if called_range else self.value(node)
        if not isinstance(held, range | str | list) or len(held) > _TURNS:
            raise UntracedError("loop")
        yield from held

    # Expressions

    def value(self, node: ast.expr) -> Any:
        known = getattr(self, f"_value_{type(node).__name__.lower()}", None)
        if known is None:
            raise UntracedError(type(node).__name__)
        return known(node)

    def _value_constant(self, node: ast.Constant) -> Any:
        if not isinstance(node.value, int | str):
            raise UntracedError("constant")
        return node.value

    def _value_name(self, node: ast.Name) -> Any:
        return self.names[node.id]

    def _value_unaryop(self, node: ast.UnaryOp) -> int:
        if not isinstance(node.op, ast.USub) or not isinstance(
            node.operand, ast.Constant
        ):
            raise UntracedError("sign")
        return -node.operand.value

    def _value_list(self, node: ast.List) -> list[Any]:
        return [self.value(part) for part in node.elts]

    def _value_binop(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        return self._binary(left, type(node.op), right)

    def _binary(self, left: Any, kind: type, right: Any) -> Any:
        sign = _SIGNS.get(kind)
        if isinstance(left, str):
            return self._text(left, sign, right)
        if sign is None or not isinstance(left, int) or not isinstance(right, int):
            raise UntracedError("operation")
        if sign == "%":
            if not right:
                raise UntracedError("division by nought")
            times, rest = divmod(left, right)
            if self.form == "long" or abs(right) > 9:
                self.say(f"{left} = {times} * {right} + {rest}")
            self.say(f"{left} % {right} is {rest}")
            return rest
        self._steps(left, sign, right)
        value = {"+": left + right, "-": left - right, "*": left * right}[sign]
        self.say(f"{left} {sign} {right} = {value}")
        return value

    def _steps(self, left: int, sign: str, right: int) -> None:
        """What an operation takes that is not one fact."""
        small, large = sorted((left, right))
        if small < 0 or large >= _LARGEST:
            return
        equation = f"{left} {sign} {right} = "
        steps: list[str] = []
        if sign == "*" and small > 1:
            steps = multiply(left, right, self.form)
        elif sign == "+" and self.form == "long" and large > 9:
            steps = add(left, right, "short")
        elif sign == "-" and self.form == "long" and large > 9:
            steps = subtract(left, right)
        self.say(*[step for step in steps if not step.startswith(equation)])

    def _text(self, left: str, sign: str | None, right: Any) -> str:
        if sign == "+" and isinstance(right, str):
            value = left + right
            self.say(f"{shown(left)} + {shown(right)} = {shown(value)}")
            return value
        if sign != "*" or not isinstance(right, int) or right > _TURNS:
            raise UntracedError("text")
        grown = [f"{n} {left * n}" for n in range(1, right + 1)]
        if grown and left:
            self.say(f"{shown(left)} * {right}: {', '.join(grown)}")
        else:
            self.say(f'{shown(left)} * {right} = ""')
        return left * right

    def _value_compare(self, node: ast.Compare) -> bool:
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARED:
            raise UntracedError("comparison")
        left, right = self.value(node.left), self.value(node.comparators[0])
        sign, holds = _COMPARED[type(node.ops[0])]
        value = holds(left, right)
        if sign == "==":  # read as an equation, a false one would be a false step
            self.say(f"{shown(left)}, {shown(right)}: {'' if value else 'not '}equal")
        else:
            self.say(f"{shown(left)} {sign} {shown(right)} is {value}")
        return value

    def _value_subscript(self, node: ast.Subscript) -> Any:
        held = self.value(node.value)
        if isinstance(node.slice, ast.Slice):
            cut = node.slice
            if cut.lower or cut.upper or cut.step is None or not isinstance(held, str):
                raise UntracedError("slice")
            step = self.value(cut.step)
            if step >= 0:
                raise UntracedError("slice")
            value = held[::step]
            by = "" if step == -1 else f" by {-step}"
            self.say(f"letters: {', '.join(held)}")
            self.say(f"backward{by}: {', '.join(value)}")
            return value
        index = self.value(node.slice)
        if not -len(held) <= index < len(held):
            raise UntracedError("index")
        places = range(index + 1) if index >= 0 else range(-1, index - 1, -1)
        self.say(", ".join(f"[{n}] {held[n]}" for n in places))
        return held[index]

    def _value_listcomp(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        part = node.generators[0]
        if len(node.generators) != 1 or not isinstance(part.target, ast.Name):
            raise UntracedError("comprehension")
        kept = []
        for value in self._turns(part.iter):
            with _Turn(self):
                self.names[part.target.id] = value
                self.say(f"{part.target.id} = {shown(value)}")
                if all(self.value(test) for test in part.ifs):
                    kept.append(self.value(node.elt))
        return kept

    _value_generatorexp = _value_listcomp

    def _value_call(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "upper":
            held = self.value(node.func.value)
            pairs = ", ".join(f"{letter} {letter.upper()}" for letter in held)
            self.say(f"{pairs}: {held.upper()}" if held else 'upper: ""')
            return held.upper()
        if not isinstance(node.func, ast.Name):
            raise UntracedError("call")
        given = [self.value(part) for part in node.args]
        name = node.func.id
        if name in self.functions:
            return self._inside(self.functions[name], given)
        known = {"len": self._len, "sum": self._sum, "max": self._max}.get(name)
        if known is None or (name == "max" and not given):
            raise UntracedError(name)
        return known(given if name == "max" and len(given) > 1 else given[0])

    def _inside(self, function: ast.FunctionDef, given: list[Any]) -> Any:
        if len(function.body) != 1 or not isinstance(function.body[0], ast.Return):
            raise UntracedError("function")
        outer = self.names
        self.names = {}
        for argument, value in zip(function.args.args, given, strict=True):
            self._set(argument.arg, value)
        value = self.value(function.body[0].value)
        self.names = outer
        return value

    def _len(self, held: Any) -> int:
        counted = [f"{one} ({n})" for n, one in enumerate(held, 1)]
        self.say(f"count {', '.join(counted)}" if held else "count 0")
        return len(held)

    def _sum(self, held: list[int]) -> int:
        total = 0
        for n, one in enumerate(held):
            if n:
                self.say(f"{total} + {int(one)} = {total + one}")
            total += one
        if len(held) < 2:
            self.say(f"sum {total}")
        return total

    def _max(self, held: list[int]) -> int:
        best = [max(held[: n + 1]) for n in range(len(held))]
        pairs = zip(held, best, strict=True)
        self.say(f"largest so far: {', '.join(f'{one} ({top})' for one, top in pairs)}")
        return max(held)


class _Turn:
    """A turn of a loop: in the short form one line, however much happens in it."""

    def __init__(self, trace: _Trace):
        self.trace = trace
        self.begin = 0

    def __enter__(self) -> None:
        self.begin = len(self.trace.lines)

    def __exit__(self, *_: object) -> None:
        if self.trace.form == "short":
            said = self.trace.lines[self.begin :]
            self.trace.lines[self.begin :] = ["; ".join(said)] if said else []
