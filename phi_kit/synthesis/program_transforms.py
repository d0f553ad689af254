"""Coding: word puzzles, what a function prints, and bugs with a test that fails.

The sandbox says what comes out; a trace, which is another program, has to say the
same, and is the worked solution.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.domains.coding import asked_output
from phi_kit.domains.transform import Transform, made_row
from phi_kit.domains.worked import worked
from phi_kit.domains.worked.text import written
from phi_kit.sandbox.sandbox import Limits, Program, run_program

from .program_words import UntoldError, told

_LIMITS = Limits(seconds=3, cpu=1)  # some programs never end
_ASSERTED = re.compile(r"assert (?P<call>\w+\(.*\)) == (?P<value>.+)", re.DOTALL)
_MOST_BUGS = 6  # tried of one solution
_LONGEST = 200  # characters of what a program prints


def _printed(program: str, stdin: str = "") -> str | None:
    """What a program prints in the sandbox; `None` where it fails or prints nothing."""
    done = run_program(Program(program, stdin), _LIMITS)
    text = done.stdout.rstrip("\n")
    well = done.status == "finished" and done.code == 0
    return text if well and text.strip() and len(text) <= _LONGEST else None


def _traced(program: str, printed: str) -> str:
    """The trace of a program as a solution; empty where it has none or disagrees."""
    asked = Seed("coding", asked_output(program), printed, family="print-loop")
    return worked(asked) or ""


def word_puzzle(seed: Seed, rng_seed: int) -> list[Seed]:
    """The seed's program in words; executing it gives the answer."""
    program = seed.facts.get("program")
    try:
        prompt = told(program) if isinstance(program, str) else ""
    except UntoldError:
        return []
    printed = _printed(program) if prompt else None
    solution = _traced(program, printed) if printed is not None else ""
    if not solution:
        return []
    row = made_row(
        seed,
        "word_puzzle",
        prompt=prompt,
        answer=printed,
        solution=solution,
        told_program=program,
    )
    return [row]


def output_prediction(seed: Seed, rng_seed: int) -> list[Seed]:
    """What the seed's own solution prints for one of its tests."""
    calls = [found["call"] for found in _asserted(seed)]
    if not calls:
        return []
    draw = rng(rng_seed, "output_prediction", seed.id)
    call = calls[int(draw.integers(len(calls)))]
    program = f"{seed.answer.rstrip()}\n\nprint({call})"
    printed = _printed(program)
    solution = _traced(program, printed) if printed is not None else ""
    if not solution:
        return []
    row = made_row(
        seed,
        "output_prediction",
        prompt=asked_output(program),
        answer=printed,
        solution=solution,
        program=program,
    )
    return [row]


def _asserted(seed: Seed) -> list[re.Match]:
    tests = seed.facts.get("tests")
    lines = tests if isinstance(tests, list) else []
    found = (_ASSERTED.fullmatch(str(line).strip()) for line in lines)
    return [match for match in found if match]


class _FailedTest(NamedTuple):
    """A test that a solution fails, and what it gives instead."""

    asked: str
    wanted: str
    got: str


def bug_fix(seed: Seed, rng_seed: int) -> list[Seed]:
    """The seed's solution with one thing changed, and a test that fails for it.

    The sandbox has seen the test pass with the right code and fail with the other.
    """
    try:
        right = ast.unparse(ast.parse(seed.answer))
    except SyntaxError:
        return []
    bugs = list(_bugs(right))
    draw = rng(rng_seed, "bug_fix", seed.id)
    good: dict[str, str | None] = {}
    for place in draw.permutation(len(bugs))[:_MOST_BUGS]:
        wrong = bugs[int(place)]
        if failed := _failed_test(seed, right, wrong, good):
            return [_repair(seed, right, wrong, failed)]
    return []


def _repair(seed: Seed, right: str, wrong: str, failed: _FailedTest) -> Seed:
    lines = zip(right.splitlines(), wrong.splitlines(), strict=True)
    old, new = next((a.strip(), b.strip()) for a, b in lines if a != b)
    prompt = (
        f"{seed.prompt}\n\nThis attempt has one bug:\n```python\n{wrong}\n```\n"
        f"{failed.asked} gives {failed.got}, and it should give {failed.wanted}. "
        "Write the corrected code."
    )
    steps = [
        f"{failed.asked} gives {failed.got}, needed is {failed.wanted}.",
        f"Wrong: {new}",
        f"Right: {old}",
    ]
    return made_row(
        seed,
        "bug_fix",
        prompt=prompt,
        answer=right,
        solution=written(steps, right, fence="python"),
        keep_facts=True,
        bug=wrong,
        failing=failed.asked,
    )


def _failed_test(
    seed: Seed, right: str, wrong: str, good: dict[str, str | None]
) -> _FailedTest | None:
    """The first test that the right code passes and the wrong code fails.

    Args:
        seed: with tests or cases.
        right: code.
        wrong: code.
        good: what the right code gave for tests that were tried before, by what is
            asked; it is filled here.
    """
    for asked, wanted, program, stdin in _tests(seed):
        if asked not in good:
            good[asked] = _printed(program.format(code=right), stdin)
        if good[asked] != wanted:
            continue
        bad = _printed(program.format(code=wrong), stdin)
        if bad is not None and bad != wanted:
            return _FailedTest(asked, wanted, bad)
    return None


def _tests(seed: Seed) -> Iterator[tuple[str, str, str, str]]:
    """What is asked, what should come out, a program that shows it, and its input."""
    for found in _asserted(seed)[:3]:
        call = found["call"].replace("{", "{{").replace("}", "}}")
        yield found["call"], found["value"], f"{{code}}\nprint(repr({call}))", ""
    cases = seed.facts.get("cases")
    for case in (cases if isinstance(cases, list) else [])[:3]:
        given, wanted = case.get("stdin", ""), str(case.get("stdout", "")).rstrip("\n")
        yield f"The input {given.strip()}", wanted, "{code}", given


_SWAPPED: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Mod: ast.FloorDiv,
    ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}  # fmt: skip


def _bugs(code: str) -> Iterator[str]:
    """The code with one sign or one number changed, in each way."""
    tree = ast.parse(code)
    for place, node in enumerate(ast.walk(tree)):
        for changed in _changes(node):
            other = copy.deepcopy(tree)
            twin = next(n for at, n in enumerate(ast.walk(other)) if at == place)
            for name, value in changed.items():
                setattr(twin, name, value)
            text = ast.unparse(other)
            if text != code and len(text.splitlines()) == len(code.splitlines()):
                yield text


def _changes(node: ast.AST) -> Iterator[dict[str, Any]]:
    if isinstance(node, ast.BinOp) and type(node.op) in _SWAPPED:
        yield {"op": _SWAPPED[type(node.op)]()}
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPPED:
        yield {"ops": [_SWAPPED[type(node.ops[0])](), *node.ops[1:]]}
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield {"value": node.value + 1}
        if node.value > 0:
            yield {"value": node.value - 1}


TRANSFORMS = tuple(
    Transform(name, make, "coding", about, usual=False)
    for name, make, about in (
        ("word_puzzle", word_puzzle, "a program told in words"),
        ("output_prediction", output_prediction, "what a solution prints for a test"),
        ("bug_fix", bug_fix, "a solution with one bug, and a test that fails"),
    )
)
