"""A small Python program told in words: what it does, without a line of code.

A real subset is known: whole numbers, texts and lists; assignments, `print`, `if`,
`for`, `while`, `append`; functions that give back one expression; list
comprehensions. Anything else is not told, for a word puzzle must say all that the
program does.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

_SUMS = {ast.Add: "plus", ast.Sub: "minus", ast.Mult: "times"}
_AUGMENTED = {
    ast.Add: "Add {} to {}.",
    ast.Sub: "Subtract {} from {}.",
    ast.Mult: "Multiply {1} by {0}.",
}
_COMPARED: Mapping[type, str] = {
    ast.Gt: "is greater than",
    ast.GtE: "is at least",
    ast.Lt: "is less than",
    ast.LtE: "is at most",
    ast.Eq: "is equal to",
    ast.NotEq: "is not equal to",
    ast.In: "is one of the letters of",
}
_LOOSE = (ast.BinOp, ast.Compare)
_OPENING = "Follow these steps in order."
_CLOSING = "What is written down? Give each written line on a line of its own."
_LISTS = " Write a list as [1, 2, 3]."
_PLACES = " Places are counted from 0; place -1 is the last."


class UntoldError(Exception):
    """The program holds something that has no words here."""


def told(program: str) -> str:
    """The puzzle that a program is, in words.

    Raises:
        UntoldError: the program is not of the subset.
    """
    try:
        tree = ast.parse(program)
    except SyntaxError as error:
        raise UntoldError(str(error)) from error
    words = _Words()
    lines = words.block(tree.body)
    if not words.writes:
        raise UntoldError("nothing is printed")
    closing = _CLOSING + _LISTS * words.lists + _PLACES * words.places
    steps = [f"{n}. {first}" for n, first in enumerate(_grouped(lines), 1)]
    return "\n".join([_OPENING, *steps, closing])


def _grouped(lines: list[tuple[int, str]]) -> list[str]:
    """Steps of the first depth with those below them indented."""
    steps: list[str] = []
    for depth, line in lines:
        if depth:
            steps[-1] += f"\n{'   ' * depth}- {line}"
        else:
            steps.append(line)
    return steps


class _Words:
    """The words of statements and expressions, and what was met on the way."""

    def __init__(self) -> None:
        self.texts: set[str] = set()  # names that hold a text
        self.listed: set[str] = set()  # names that hold a list
        self.rules: set[str] = set()
        self.writes = self.lists = self.places = False

    def block(self, body: list[ast.stmt], depth: int = 0) -> list[tuple[int, str]]:
        return [line for node in body for line in self.statement(node, depth)]

    def statement(self, node: ast.stmt, depth: int) -> list[tuple[int, str]]:
        known = getattr(self, f"_tell_{type(node).__name__.lower()}", None)
        if known is None:
            raise UntoldError(type(node).__name__)
        first, *below = known(node, depth)
        return [(depth, first), *below]

    def _tell_assign(self, node: ast.Assign, depth: int) -> list:
        if len(node.targets) != 1:
            raise UntoldError("targets")
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Tuple):
            return [self._at_once(target, value)]
        if not isinstance(target, ast.Name):
            raise UntoldError("target")
        self._mark(target.id, value)
        return [f"Let {target.id} be {self.value(value)}."]

    def _at_once(self, target: ast.Tuple, value: ast.expr) -> str:
        if not isinstance(value, ast.Tuple) or len(value.elts) != len(target.elts):
            raise UntoldError("targets")
        pairs = [
            f"{name.id} becomes what {self.value(part)} was"
            for name, part in zip(target.elts, value.elts, strict=True)
            if isinstance(name, ast.Name) and isinstance(part, ast.Name)
        ]
        if len(pairs) != len(target.elts):
            raise UntoldError("targets")
        return f"At the same moment {' and '.join(pairs)}."

    def _mark(self, name: str, value: ast.expr) -> None:
        if self.is_text(value):
            self.texts.add(name)
        else:
            self.texts.discard(name)
        if self._is_list(value):
            self.listed.add(name)

    def _tell_augassign(self, node: ast.AugAssign, depth: int) -> list:
        if not isinstance(node.target, ast.Name):
            raise UntoldError("target")
        name, value = node.target.id, self.value(node.value)
        if name in self.texts:
            if not isinstance(node.op, ast.Add):
                raise UntoldError("operation")
            return [f"Put {value} at the end of {name}."]
        form = _AUGMENTED.get(type(node.op))
        if form is None:
            raise UntoldError("operation")
        return [form.format(value, name)]

    def _tell_expr(self, node: ast.Expr, depth: int) -> list:
        call = node.value
        if not isinstance(call, ast.Call) or call.keywords:
            raise UntoldError("expression")
        if isinstance(call.func, ast.Name) and call.func.id == "print":
            return [self._written(call.args)]
        owner = getattr(call.func, "value", None)
        appends = getattr(call.func, "attr", "") == "append"
        if isinstance(owner, ast.Name) and appends and len(call.args) == 1:
            return [f"Put {self.value(call.args[0])} at the end of {owner.id}."]
        raise UntoldError("call")

    def _written(self, args: list[ast.expr]) -> str:
        if not args:
            raise UntoldError("print")
        self.writes = True
        self.lists = self.lists or any(map(self._is_list, args))
        told_parts = [self._shown(part) for part in args]
        spaced = ", with a space between" * (len(args) > 1)
        return f"Write down {' and then '.join(told_parts)}{spaced}."

    def _shown(self, node: ast.expr) -> str:
        said = self.value(node)
        if isinstance(node, ast.Compare):
            return f"the word True if {said}, else the word False"
        return said

    def _is_list(self, node: ast.expr) -> bool:
        named = isinstance(node, ast.Name) and node.id in self.listed
        return named or isinstance(node, ast.List | ast.ListComp)

    def _tell_if(self, node: ast.If, depth: int) -> list:
        lines = [f"If {self.value(node.test)}:", *self.block(node.body, depth + 1)]
        if node.orelse:
            lines += [(depth, "Otherwise:"), *self.block(node.orelse, depth + 1)]
        return lines

    def _tell_for(self, node: ast.For, depth: int) -> list:
        if not isinstance(node.target, ast.Name) or node.orelse:
            raise UntoldError("loop")
        over = self._span(node.target.id, node.iter)
        return [f"{over}, in this order:", *self.block(node.body, depth + 1)]

    def _span(self, name: str, node: ast.expr) -> str:
        """What a loop goes through, with the name of each."""
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "range":
            numbers = [self._whole(part) for part in node.args]
            low, high = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
            if len(numbers) > 2 or high <= low:
                raise UntoldError("range")
            self.texts.discard(name)
            return f"For {name} from {low} to {high - 1}"
        if self.is_text(node):
            self.texts.add(name)
            return f"For each letter of {self.value(node)}, called {name}"
        self.texts.discard(name)
        return f"For each number of {self.value(node)}, called {name}"

    def _whole(self, node: ast.expr) -> int:
        if not isinstance(node, ast.Constant) or type(node.value) is not int:
            raise UntoldError("range")
        return node.value

    def _tell_while(self, node: ast.While, depth: int) -> list:
        if node.orelse:
            raise UntoldError("loop")
        lines = self.block(node.body, depth + 1)
        return [f"As long as {self.value(node.test)}, again and again:", *lines]

    def _tell_functiondef(self, node: ast.FunctionDef, depth: int) -> list:
        body, given = node.body, node.args
        plain = len(body) == 1 and isinstance(body[0], ast.Return)
        if not plain or len(given.args) != 1 or given.defaults or node.decorator_list:
            raise UntoldError("function")
        if isinstance(body[0].value, ast.Compare):
            raise UntoldError("truth value")
        name = given.args[0].arg
        self.texts.discard(name)
        self.rules.add(node.name)
        made = self.value(body[0].value)
        return [f"There is a rule {node.name}: it makes {made} of {name}."]

    # Expressions

    def is_text(self, node: ast.expr) -> bool:
        """Whether an expression is a text rather than a number or a list."""
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str)
        if isinstance(node, ast.Name):
            return node.id in self.texts
        if isinstance(node, ast.BinOp):
            return self.is_text(node.left) or self.is_text(node.right)
        if isinstance(node, ast.Subscript):
            return self.is_text(node.value)
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)

    def value(self, node: ast.expr) -> str:
        known = getattr(self, f"_say_{type(node).__name__.lower()}", None)
        if known is None:
            raise UntoldError(type(node).__name__)
        return known(node)

    def _inner(self, node: ast.expr) -> str:
        said = self.value(node)
        return f"({said})" if isinstance(node, _LOOSE) else said

    def _say_constant(self, node: ast.Constant) -> str:
        if type(node.value) is int:
            return str(node.value)
        if isinstance(node.value, str) and '"' not in node.value:
            return f'"{node.value}"' if node.value else "an empty text"
        raise UntoldError("constant")

    def _say_name(self, node: ast.Name) -> str:
        return node.id

    def _say_unaryop(self, node: ast.UnaryOp) -> str:
        if not isinstance(node.op, ast.USub):
            raise UntoldError("sign")
        return f"-{self._whole(node.operand)}"

    def _say_list(self, node: ast.List) -> str:
        if not node.elts:
            return "an empty list"
        return f"the list of {', '.join(self.value(part) for part in node.elts)}"

    def _say_binop(self, node: ast.BinOp) -> str:
        left, right = self._inner(node.left), self._inner(node.right)
        if self.is_text(node):
            if isinstance(node.op, ast.Add):
                return f"{left} followed at once by {right}"
            if isinstance(node.op, ast.Mult) and self.is_text(node.left):
                return f"{left} written {right} times in a row"
            raise UntoldError("operation")
        if isinstance(node.op, ast.Mod):
            return f"the remainder of {left} divided by {right}"
        word = _SUMS.get(type(node.op))
        if word is None:
            raise UntoldError("operation")
        return f"{left} {word} {right}"

    def _say_compare(self, node: ast.Compare) -> str:
        word = _COMPARED.get(type(node.ops[0])) if len(node.ops) == 1 else None
        if word is None or (
            isinstance(node.ops[0], ast.In) and not self.is_text(node.comparators[0])
        ):
            raise UntoldError("comparison")
        return f"{self._inner(node.left)} {word} {self._inner(node.comparators[0])}"

    def _say_subscript(self, node: ast.Subscript) -> str:
        held = self._inner(node.value)
        cut = node.slice
        if isinstance(cut, ast.Slice):
            backwards = cut.step is not None and ast.unparse(cut.step) == "-1"
            if cut.lower or cut.upper or not backwards or not self.is_text(node.value):
                raise UntoldError("slice")
            return f"{held} spelled backwards"
        self.places = True
        what = "letter" if self.is_text(node.value) else "number"
        return f"the {what} at place {self.value(cut)} of {held}"

    def _say_listcomp(self, node: ast.ListComp) -> str:
        part = node.generators[0]
        if len(node.generators) != 1 or not isinstance(part.target, ast.Name):
            raise UntoldError("comprehension")
        span = self._span(part.target.id, part.iter)
        tests = [self.value(test) for test in part.ifs]
        only = f" wherever {' and '.join(tests)}" if tests else ""
        over = f"{span[0].lower()}{span[1:]}"
        return f"the list of {self._inner(node.elt)} {over}{only}"

    def _say_call(self, node: ast.Call) -> str:
        if node.keywords:
            raise UntoldError("call")
        if isinstance(node.func, ast.Attribute):
            return self._method(node.func, node.args)
        name = getattr(node.func, "id", "")
        given = [self._inner(part) for part in node.args]
        if name in self.rules and len(given) == 1:
            return f"what the rule {name} makes of {given[0]}"
        if name == "len" and len(given) == 1:
            what = "letters" if self.is_text(node.args[0]) else "numbers"
            return f"how many {what} there are in {given[0]}"
        if name == "sum" and len(given) == 1:
            return f"the sum of the numbers in {given[0]}"
        if name in ("max", "min") and given:
            most = "largest" if name == "max" else "smallest"
            among = ", ".join(given) if len(given) > 1 else f"the numbers in {given[0]}"
            return f"the {most} of {among}"
        raise UntoldError(name or "call")

    def _method(self, func: ast.Attribute, args: list[ast.expr]) -> str:
        form = {"upper": "capital letters", "lower": "small letters"}.get(func.attr)
        if form is None or args or not self.is_text(func.value):
            raise UntoldError(func.attr)
        return f"{self._inner(func.value)} in {form}"
