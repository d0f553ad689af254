"""Tests as they are run: each assertion reports, and plain data is compared by type."""

from __future__ import annotations

import ast

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
        held = _call("check", node.test, ast.Constant(number), test)
        message = node.msg and self.visit(node.msg)
        return ast.copy_location(ast.Assert(held, message), node)

    def _conjunct(self, test: ast.expr, number: int) -> ast.expr:
        """A part that must hold for the assertion to hold."""
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            parts = [self._conjunct(one, number) for one in test.values]
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


def _call(name: str, place: ast.AST, *given: ast.expr) -> ast.expr:
    function = ast.Attribute(ast.Name(REPORT, ast.Load()), name, ast.Load())
    made = ast.Call(function, list(given), [])
    return ast.fix_missing_locations(ast.copy_location(made, place))


def _calls(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))
