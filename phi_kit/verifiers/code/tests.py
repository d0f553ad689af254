"""A code item's tests, read before they run: what they ask, what they need.

Tests are Python, as MBPP (arXiv 2108.07732), HumanEval (arXiv 2107.03374),
EvalPlus (arXiv 2305.01210) and LiveCodeBench (arXiv 2403.07974) write them. They
run in a process of their own (`tester.py`). Here stands what has to be
known of them without running them, so that it depends on the item alone: which
names the solution owes them, and which values it may answer with.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
import symtable
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from .usage import SolutionUsage, names_loaded, solution_names

# Values that pass a tolerance written without thinking of them; each is taken
# from a solution only where the item speaks of it.
_SPEAKS = {
    "nan": re.compile(r"(?i)\b(?:is_?)?nan\b"),
    "inf": re.compile(r"(?i)\b(?:is)?inf(?:inity)?\b|\bisfinite\b|\b1e999\b"),
    "complex": re.compile(r"\bcomplex\b|\bcmath\b|\d[jJ]\b"),
}
_CLASS = re.compile(r"[A-Z]+[a-z][A-Za-z0-9]*")
# Beside the standard library, what tests may import.
_PACKAGES = ("numpy",)
# Modules that the tests' process brings along itself.
_OWN = ("pytest", "solution")
_STATEMENTS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_CHECK = "check"
_PRINTED = re.compile(r"\bredirect_stdout\b|\bsys\.stdout\b|'sys\.stdout'")


class UnreadableTestError(ValueError):
    """Tests that nobody could pass or fail."""


@dataclass(frozen=True)
class ItemTests:
    """What an item's tests are and what they need.

    Args:
        tests: their text.
        setup: trusted lines that run before them.
        before: trusted lines that run before the solution.
        names: what the solution has to define.
        makers: those of them that are classes.
        shared: classes that tests and solution both have.
        errors: exceptions the tests speak of.
        allowed: which of `nan`, `inf`, `complex` a solution may answer with.
        entry: what `check` is called with, if the tests do not call it.
        look: whether they look at what a call did to its arguments.
        forgiving: whether they expect assertions to fail.
        otherwise: whether they also fail by other means than `assert`.
        prints: whether they look at what is printed.
        needs: packages they import.
    """

    tests: str
    setup: tuple[str, ...]
    before: tuple[str, ...]
    names: tuple[str, ...]
    makers: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    entry: str = ""
    look: bool = False
    forgiving: bool = False
    otherwise: bool = False
    prints: bool = False
    needs: tuple[str, ...] = ()

    def tests_job(self) -> dict[str, Any]:
        """The job of the tests' process."""
        job = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: job[name] for name in job if name not in ("before", "needs")}

    def solution_job(self, code: str) -> dict[str, Any]:
        """The job of the solution's process: nothing of the tests but names."""
        return {
            "code": code,
            "setup": self.before,
            "names": self.names,
            "shared": self.shared,
        }


def read_tests(
    tests: object, *, setup: str = "", entry: str = "", prompt: str = "", gold: str = ""
) -> ItemTests:
    """What an item's tests need.

    Args:
        tests: their text, or a list of texts.
        setup: the item's lines that come first.
        entry: the function's name, for HumanEval's `check(candidate)`.
        prompt: the item's prompt; Python with a function to fill in counts.
        gold: the reference solution, as far as it is Python.

    Raises:
        UnreadableTestError: nobody could pass or fail them.
    """
    texts = [tests] if isinstance(tests, str) else tests
    if not isinstance(texts, list | tuple) or not all(
        isinstance(text, str) for text in texts
    ):
        raise UnreadableTestError("the tests are no list of texts")
    return _read("\n".join(texts), setup, entry.strip(), prompt, gold)


# A group's samples are judged one after the other, by the same tests.
@lru_cache(maxsize=64)
def _read(text: str, setup: str, entry: str, prompt: str, gold: str) -> ItemTests:
    tree = _parsed(text, "the tests")
    stub = prompt_stub(prompt)
    before = tuple(part for part in (stub, setup) if part.strip())
    setup_parts, stubs = (
        zip(*(_without_stubs(part) for part in before), strict=True)
        if (before)
        else ((), ())
    )
    reference = _reference(stub, gold)
    entry = _entry(tree, entry, [name for part in stubs for name in part], reference)
    roots = sorted(
        names_loaded(_parsed(entry, "entry")) - set(dir(builtins))
        | {name for name in (entry,) if name.isidentifier()}
    )
    setup_parts = (*setup_parts, *_helpers(text, setup_parts, roots, reference))
    names = _owed(text, setup_parts, roots, reference)
    facts = SolutionUsage(tree, set(names) | _lent(tree) | {"solution"})
    spent = (
        facts.objects()
        | facts.caught
        | names_loaded(_parsed("\n".join(before), "setup"))
    )
    spent |= set(roots) - {entry}
    makers = tuple(n for n in names if _makes(n, reference, used=n in spent))
    needs = _needs(text, *setup_parts)
    if not facts.asserts and not facts.otherwise:
        raise UnreadableTestError("there is no assertion")
    if not names:
        raise UnreadableTestError("they ask nothing of the solution")
    if facts.compares({n for n in names if _makes(n, reference, used=True)}):
        raise UnreadableTestError("objects of the solution's own are compared")
    spoken = "\n".join((text, *before, gold))
    called = _called(tree, _CHECK)
    return ItemTests(
        text,
        setup_parts,
        before,
        names,
        makers=makers,
        shared=tuple(sorted({n for part in setup_parts for n in _classes(part)})),
        errors=facts.errors(set(names)),
        allowed=tuple(
            word for word, pattern in _SPEAKS.items() if pattern.search(spoken)
        ),
        entry=entry if _CHECK in _bound(text) and not called else "",
        look=facts.look(),
        forgiving="AssertionError" in facts.caught,
        otherwise=facts.otherwise,
        prints=bool(_PRINTED.search(text)),
        needs=needs,
    )


def _parsed(text: str, what: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableTestError(f"{what}: not Python: {text[:80]}") from error


def _tree(text: str) -> ast.Module | None:
    try:
        return _parsed(text, "")
    except UnreadableTestError:
        return None


_FENCED = re.compile(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```", re.M | re.S)


def prompt_stub(prompt: str) -> str:
    """The Python of a prompt that leaves a function to fill in, or nothing."""
    for text in (prompt, *reversed(_FENCED.findall(prompt))):
        tree = _tree(text)
        if tree is not None and any(_is_stub(node) for node in tree.body):
            return text
    return ""


def _is_stub(node: ast.AST) -> bool:
    """A function or class that is only announced."""
    if isinstance(node, ast.ClassDef):
        functions = [
            statement for statement in node.body if isinstance(statement, _STATEMENTS)
        ]
        rest = [statement for statement in node.body if statement not in functions]
        return (
            bool(functions) and all(map(_is_stub, functions)) and all(map(_empty, rest))
        )
    return isinstance(node, _STATEMENTS) and all(map(_empty, node.body))


def _empty(node: ast.AST) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Raise):
        return "NotImplementedError" in ast.dump(node)
    return isinstance(node, ast.Pass | ast.Import | ast.ImportFrom)


def _without_stubs(text: str) -> tuple[str, tuple[str, ...]]:
    """Trusted lines as the tests may use them, and what they only announce."""
    tree = _parsed(text, "setup")
    stubs = [node for node in tree.body if _is_stub(node)]
    if not stubs:
        return text, ()
    tree.body = [node for node in tree.body if node not in stubs]
    return ast.unparse(tree), tuple(node.name for node in stubs)


def _reference(stub: str, gold: str) -> ast.Module | None:
    """The reference solution, whole or as the rest of what the prompt began."""
    for text in (gold, f"{stub}{gold}", f"{stub}\n{gold}"):
        tree = _tree(text)
        if tree and any(isinstance(node, _STATEMENTS) for node in tree.body):
            return tree
    return None


def _entry(
    tree: ast.Module, entry: str, stubs: Sequence[str], reference: ast.Module | None
) -> str:
    """What `check` is called with: as told, or the one function there is."""
    if entry or not any(
        isinstance(node, ast.FunctionDef) and node.name == _CHECK for node in tree.body
    ):
        return entry
    if _called(tree, _CHECK):
        return ""
    if stubs:
        return stubs[-1]
    functions = [
        node.name
        for node in (reference.body if reference else ())
        if isinstance(node, _STATEMENTS)
    ]
    if len(functions) != 1:
        raise UnreadableTestError("nobody says which function `check` is for")
    return functions[0]


def _called(tree: ast.Module, name: str) -> bool:
    """Whether a function is called by the module itself."""
    outside = [node for node in tree.body if not isinstance(node, _STATEMENTS)]
    return any(
        isinstance(part, ast.Call)
        and isinstance(part.func, ast.Name)
        and part.func.id == name
        for node in outside
        for part in ast.walk(node)
    )


def _symbols(text: str) -> tuple[set[str], set[str]]:
    """The names a module binds at its top, and those that any part of it reads."""
    top = symtable.symtable(text, "<tests>", "exec")
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned()}
    bound |= {s.get_name() for s in top.get_symbols() if s.is_imported()}
    used: set[str] = set()
    waiting = [top]
    while waiting:
        table = waiting.pop()
        waiting += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                used.add(symbol.get_name())
    return bound, used


def _bound(text: str) -> set[str]:
    return _symbols(text)[0]


def _free(text: str, setup_parts: Sequence[str]) -> set[str]:
    """What tests and their setup read and do not define."""
    pairs = [_symbols(part) for part in (text, *setup_parts)]
    bound = {name for names, _ in pairs for name in names}
    read = {name for _, names in pairs for name in names}
    return read - bound - {"__name__", "__file__"}


def _helpers(
    text: str,
    setup_parts: Sequence[str],
    roots: Sequence[str],
    reference: ast.Module | None,
) -> Iterator[str]:
    """What the reference solution lends the tests beside the function under test.

    HumanEval's `encode_cyclic` is such a helper. Taken from a response it would
    let a solution decide what it is asked.
    """
    if not roots or reference is None:
        return
    wanted = _free(text, setup_parts) - set(dir(builtins)) - set(roots)
    rest = [n for n in reference.body if getattr(n, "name", "") not in roots]
    if wanted & {getattr(node, "name", "") for node in rest}:
        yield ast.unparse(ast.Module(rest, []))


def _owed(
    text: str,
    setup_parts: Sequence[str],
    roots: Sequence[str],
    reference: ast.Module | None,
) -> tuple[str, ...]:
    """The names that tests read and only a solution can define.

    Raises:
        UnreadableTestError: the reference solution defines only some of them.
    """
    free = _free(text, setup_parts)
    defined = _bound(ast.unparse(reference)) if reference else set()
    # A solution's own `sum` counts where the item asks for one.
    hidden = set(dir(builtins)) - defined
    names = {name for name in free if name not in hidden} | set(roots)
    names |= solution_names(_parsed(text, "the tests"))
    missing = names - defined
    if defined & names and missing and "*" not in defined:
        raise UnreadableTestError(f"nobody defines `{min(missing)}`")
    return tuple(sorted(names))


def _makes(name: str, reference: ast.Module | None, *, used: bool) -> bool:
    """Whether a name of the solution's is a class; without a reference, by its use."""
    if reference is None:
        return used and bool(_CLASS.fullmatch(name))
    for node in reference.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return True
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            is_target = any(ast.unparse(target) == name for target in node.targets)
            if is_target and "namedtuple" in ast.unparse(node.value.func).lower():
                return True
    return False


def _classes(text: str) -> set[str]:
    nodes = _parsed(text, "setup").body
    return {node.name for node in nodes if isinstance(node, ast.ClassDef)}


def _needs(*texts: str) -> tuple[str, ...]:
    """The packages that tests import beside the standard library.

    Raises:
        UnreadableTestError: the sandbox has no such package.
    """
    packages = {name for text in texts for name in _imports(_parsed(text, "tests"))}
    packages -= {*sys.stdlib_module_names, *_OWN}
    for name in sorted(packages):
        if name not in _PACKAGES or not find_spec(name):
            raise UnreadableTestError(f"the sandbox has no package `{name}`")
    return tuple(sorted(packages))


def _imports(node: ast.AST) -> Iterator[str]:
    """What is imported, but for what may fail."""
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module.split(".")[0]
    elif not isinstance(node, ast.Try):
        for inner in ast.iter_child_nodes(node):
            yield from _imports(inner)


def _lent(tree: ast.Module) -> set[str]:
    """The parameter that stands for the solution in `check(candidate)`."""
    return {
        node.args.args[0].arg
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == _CHECK and node.args.args
    }


def functional_assertions(cases: Sequence[Mapping[str, Any]], entry: str) -> list[str]:
    """LiveCodeBench's cases for a function, as assertions.

    Args:
        cases: `input`, one JSON value a line, and `output`, JSON.
        entry: what is called.

    Raises:
        UnreadableTestError: a case is not JSON.
    """
    assertions = []
    for case in cases:
        try:
            lines = str(case["input"]).split("\n")
            arguments = [json.loads(line) for line in lines if line.strip()]
            wanted = json.loads(str(case["output"]))
        except (ValueError, RecursionError) as error:
            raise UnreadableTestError("a case is not JSON") from error
        words = ", ".join(map(repr, arguments))
        assertions.append(f"assert {entry}({words}) == {wanted!r}")
    return assertions
