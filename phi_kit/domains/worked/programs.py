"""What programs print, by a trace; code to write, tried on the prompt's example."""

from __future__ import annotations

import re

from phi_kit.data.records import Seed

from .text import Form, Work, solution
from .trace import UntracedError, called, traced

_PROGRAM = re.compile(r"\A[^\n]*\n```python\n(.*)\n```\Z", re.DOTALL)
_CALL = re.compile(r"Example: (.+) returns (.+)\.\Z", re.DOTALL)
_RUN = re.compile(r"Example input: (.+)\nExample output: (.+)\Z")


def prints(seed: Seed, form: Form) -> str | None:
    """Line by line, a line of its own for each turn of a loop."""
    found = _PROGRAM.search(seed.prompt)
    if not found:
        return None
    try:
        lines, printed = traced(found[1], form)
    except UntracedError:
        return None
    return solution(seed, lines, printed, fence="")


def writes(seed: Seed, form: Form) -> str | None:
    """What the code has to give back, and what it gives for the example."""
    try:
        if found := _CALL.search(seed.prompt):
            lines, value = called(seed.answer, found[1], form)
            right = repr(value) == found[2]
        elif found := _RUN.search(seed.prompt):
            lines, value = traced(seed.answer, form, typed=found[1])
            right = value == found[2]
        else:
            return None
    except UntracedError:
        return None
    if not right:
        return None
    body = seed.answer.rstrip().splitlines()[-1].strip()
    shown = body.removeprefix("return ")
    if shown == body:  # a program: what it prints
        shown = body.removeprefix("print(").removesuffix(")")
    steps = [f"Needed: {shown}", f"Example: {found[1]}", *lines]
    return solution(seed, steps, seed.answer, fence="python")


FAMILIES: dict[str, Work] = {
    "print-value": prints,
    "print-expression": prints,
    "print-variables": prints,
    "print-loop": prints,
    "write-line": writes,
    "write-list": writes,
    "write-program": writes,
}
