"""What the text of tests tells about how they use a solution."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def names_loaded(tree: ast.AST) -> set[str]:
    """Every name in it."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def solution_names(tree: ast.Module) -> set[str]:
    """What tests take from a module named `solution`."""
    nodes, names = list(ast.walk(tree)), set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "solution":
            names |= {alias.name for alias in node.names if alias.name != "*"}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "solution":
                    names |= set(_attributes(nodes, alias.asname or alias.name))
    return names


def _attributes(nodes: list[ast.AST], name: str) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == name:
            yield node.attr


def _stems(node: ast.AST) -> Iterator[str]:
    """The names of an expression, but for those that only pick a part of it."""
    if isinstance(node, ast.Name):
        yield node.id
    parts = [node.value] if isinstance(node, ast.Subscript) else None
    for part in parts or ast.iter_child_nodes(node):
        yield from _stems(part)


def _root(node: ast.AST) -> str:
    """The name an expression starts from: `a` of `a.b(c)[d]`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


class SolutionUsage:
    """What the text of tests tells about how they use a solution.

    Args:
        tree: the tests.
        asks: the names that stand for the solution.
    """

    def __init__(self, tree: ast.Module, asks: set[str]):
        self._nodes, self._asks = list(ast.walk(tree)), asks
        self.asserts = [
            node
            for node in self._nodes
            if isinstance(node, ast.Assert)
            and not (isinstance(node.test, ast.Constant) and node.test.value)
        ]
        self.caught = self._caught()
        self.otherwise = any(map(self._fails, self._nodes))

    def _fails(self, node: ast.AST) -> bool:
        """Another way to fail than `assert`."""
        if isinstance(node, ast.Raise):
            return True
        if not isinstance(node, ast.Call):
            return False
        name = ast.unparse(node.func).rpartition(".")[2]
        return name in ("raises", "exit", "fail") or (
            isinstance(node.func, ast.Attribute) and name.startswith("assert")
        )

    def _caught(self) -> set[str]:
        """The exceptions that the tests wait for."""
        exceptions: set[str] = set()
        for node in self._nodes:
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                exceptions |= names_loaded(node.type)
            elif isinstance(node, ast.Call) and node.args:
                name = ast.unparse(node.func).rpartition(".")[2]
                if name == "raises" or name.startswith("assertRaises"):
                    exceptions |= names_loaded(node.args[0])
        return exceptions

    def errors(self, names: set[str]) -> tuple[str, ...]:
        """The solution's own exceptions, and the one that could end a loop."""
        stop = {"StopIteration", "StopAsyncIteration"}
        return tuple(sorted(self.caught & (names | stop)))

    def objects(self) -> set[str]:
        """Names whose calls give something with attributes of its own."""
        makers: dict[str, set[str]] = {}
        for node in self._nodes:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                for target in node.targets:
                    makers.setdefault(_root(target), set()).add(_root(node.value.func))
        names: set[str] = set()
        for node in self._nodes:
            if isinstance(node, ast.Attribute):
                owner = node.value
                name = _root(owner)
                names |= (
                    {name} if isinstance(owner, ast.Call) else makers.get(name, set())
                )
        return names

    def compares(self, makers: set[str]) -> bool:
        """Whether objects of the solution's own decide over each other."""
        for node in self._nodes:
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            own = [self._is_object(side, makers) for side in sides]
            if any(own) and all(names_loaded(side) & self._asks for side in sides):
                return True
        return False

    def _is_object(self, node: ast.AST, makers: set[str]) -> bool:
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        is_attribute = isinstance(node, ast.Attribute) and isinstance(
            node.value, ast.Name
        )
        return (is_call or is_attribute) and _root(node) in makers

    def look(self) -> bool:
        """Whether the tests mean to see what a call does to its arguments.

        Else they must not: `assert f(xs) == sum(xs)` would be passed by whoever
        empties `xs`.
        """
        calls = [n for n in self._nodes if isinstance(n, ast.Call) and self._asked(n)]
        bare = {id(n.value) for n in self._nodes if isinstance(n, ast.Expr)}
        if any(id(call) in bare and (call.args or call.keywords) for call in calls):
            return True
        passed = {
            name
            for call in calls
            for argument in call.args
            for name in names_loaded(argument)
        }
        passed -= self._asks
        tainted = {
            name
            for node in self._nodes
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr)
            if node.value is not None and names_loaded(node.value) & self._asks
            for target in getattr(node, "targets", None) or [node.target]
            for name in names_loaded(target)
        }
        return any(
            self._inspects(part, passed - tainted, tainted)
            for node in self.asserts
            for part in ast.walk(node.test)
            if isinstance(part, ast.Compare)
        )

    def _asked(self, call: ast.Call) -> bool:
        return _root(call.func) in self._asks

    def _inspects(self, node: ast.Compare, passed: set, tainted: set) -> bool:
        """One side is the argument, and the other cannot depend on the solution."""
        sides = [set(_stems(side)) for side in (node.left, *node.comparators)]
        mine = [names for names in sides if names & passed and not names & self._asks]
        free = [n for n in sides if not n & (passed | tainted | self._asks)]
        return bool(mine and free) and len(mine) + len(free) == len(sides)
