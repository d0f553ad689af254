"""Coding: what tiny programs print, and small functions that must pass tests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from phi_kit.core.rng import rng
from phi_kit.data.generators import GeneratedItem
from phi_kit.data.records import Seed
from phi_kit.sandbox.sandbox import Limits, Program, run_program
from phi_kit.verifiers.code import verifier

from .base import Domain, Family, SuggestedDataset
from .transform import made_row

_WORDS = (
    *("cat", "sun", "tree", "moon", "apple", "river", "stone", "cloud", "bird"),
    *("house", "green", "water", "music", "paper", "light", "garden", "train"),
    *("bread", "winter", "yellow", "orange", "table", "window", "island"),
)
_INTEGER = re.compile(r"(?<![\w.])\d+(?![\w.])")


def _prints(program: str) -> GeneratedItem:
    """An output-prediction item; the answer is what the program prints."""
    printed: list[str] = []
    space = {"print": lambda *values: printed.append(" ".join(map(str, values)))}
    exec(program, space)  # written here, from integers and words of ours
    return asked_output(program), "\n".join(printed), {"program": program}


def asked_output(program: str) -> str:
    """What is asked about a program."""
    return f"What does this Python program print?\n```python\n{program}\n```"


def _number(draw: np.random.Generator, top: int, low: int = 1) -> int:
    return int(draw.integers(low, top))


def _pick(draw: np.random.Generator, among: Sequence[Any]) -> Any:
    return among[int(draw.integers(len(among)))]


def _print_value(draw: np.random.Generator) -> GeneratedItem:
    word, n = _pick(draw, _WORDS), _number(draw, 100)
    forms = (
        f"print({n})",
        f'print("{word}")',
        f'print("{word[0]}" * {2 + n % 4})',
        f'print(len("{word}"))',
        f"print({n % 10} + {_number(draw, 10)})",
        f'print("{word}" + "{_pick(draw, _WORDS)}")',
    )
    return _prints(_pick(draw, forms))


def _print_expression(draw: np.random.Generator) -> GeneratedItem:
    word, (a, b, c) = _pick(draw, _WORDS), (_number(draw, 20) for _ in range(3))
    forms = (
        f"print({a} + {b} * {c})",
        f"print({a} % {b})",
        f"print({a} > {b})",
        f"print([{a}, {b}, {c}][{c % 3 - 1}])",
        f'print("{word}"[{a % len(word)}])',
        f'print("{word}".upper())',
        f'print("{word}"[::-1])',
        f"print(max({a}, {b}, {c}))",
    )
    return _prints(_pick(draw, forms))


def _print_variables(draw: np.random.Generator) -> GeneratedItem:
    a, b, c = (_number(draw, 12) for _ in range(3))
    forms = (
        f"x = {a}\ny = x + {b}\nprint(y)",
        f"x = {a}\ny = {b}\nx, y = y, x\nprint(x, y)",
        f"items = [{a}, {b}]\nitems.append({c})\nprint(len(items), sum(items))",
        f'x = {a}\nif x > {b}:\n    print("big")\nelse:\n    print("small")',
        f"def f(x):\n    return x * {a} + {b}\n\nprint(f({c}))",
    )
    return _prints(_pick(draw, forms))


def _print_loop(draw: np.random.Generator) -> GeneratedItem:
    word, a, n = _pick(draw, _WORDS), _number(draw, 12), _number(draw, 9, low=3)
    forms = (
        f"for i in range({n}):\n    print(i)",
        f"total = {a}\nfor i in range({n}):\n    total += i\nprint(total)",
        f"x = 1\nwhile x < {a * n}:\n    x *= 2\nprint(x)",
        f'count = 0\nfor letter in "{word}":\n    if letter in "aeiou":\n'
        "        count += 1\nprint(count)",
        f"print([i * {a} for i in range({n}) if i % 2 == 0])",
        f'out = ""\nfor letter in "{word}":\n    out = letter + out\nprint(out)',
    )
    return _prints(_pick(draw, forms))


def _write_function(
    name: str, what: str, reference: str, *, arguments: Sequence[tuple]
) -> GeneratedItem:
    """A function to write; its tests come from the reference solution."""
    space: dict[str, Any] = {}
    exec(reference, space)
    calls = [f"{name}({', '.join(map(repr, given))})" for given in arguments]
    tests = [f"assert {call} == {eval(call, space)!r}" for call in calls]
    prompt = f"Write a Python function `{name}` that {what}.\nExample: {calls[0]} "
    return f"{prompt}returns {eval(calls[0], space)!r}.", reference, {"tests": tests}


def _numbers(draw: np.random.Generator, *, size: int) -> list[int]:
    return [int(number) for number in draw.integers(-20, 50, size)]


def _write_line(draw: np.random.Generator) -> GeneratedItem:
    """A function of one line."""
    n = _number(draw, 100)
    numbers = [(x,) for x in (*_numbers(draw, size=4), 0, -1)]
    words = [(word,) for word in (*_WORDS[:4], "", "Level")]
    forms: Mapping[str, tuple[str, str, list[tuple]]] = {
        f"add_{n}": (f"adds {n} to a number", f"x + {n}", numbers),
        f"times_{n}": (f"multiplies a number by {n}", f"x * {n}", numbers),
        f"above_{n}": (
            f"tells whether a number is greater than {n}",
            f"x > {n}",
            [*numbers, (n,), (n + 1,), (n - 1,)],
        ),
        f"modulo_{n}": (
            f"returns the remainder of a number divided by {n}",
            f"x % {n}",
            [*numbers, (n,), (n + 1,), (3 * n + n // 2,)],
        ),
        "reverse": ("reverses a string", "x[::-1]", words),
        f"repeat_{n % 5 + 2}": (
            f"repeats a string {n % 5 + 2} times",
            f"x * {n % 5 + 2}",
            words,
        ),
        f"shout_{n % 4 + 1}": (
            f"writes a string in capitals, followed by {n % 4 + 1} exclamation marks",
            f'x.upper() + "!" * {n % 4 + 1}',
            words,
        ),
    }
    name = _pick(draw, tuple(forms))
    what, body, arguments = forms[name]
    return _write_function(
        name, what, f"def {name}(x):\n    return {body}", arguments=arguments
    )


def _write_list(draw: np.random.Generator) -> GeneratedItem:
    """A function over a list of numbers."""
    n = _number(draw, 30)
    k = n % 5 + 2
    lists = [(_numbers(draw, size=size),) for size in (5, 7, 1, 12)]
    lists += [([],), ([n, n + 1, n - 1, k, 0, 2 * k],)]
    forms = {
        f"count_above_{n}": (f"counts the numbers greater than {n}", f"x > {n}", "sum"),
        f"keep_multiples_of_{k}": (
            f"returns the list of the numbers divisible by {k}, in their order",
            f"x % {k} == 0",
            "list",
        ),
        f"sum_below_{n}": (
            f"adds up the numbers smaller than {n}",
            f"x < {n}",
            "total",
        ),
    }
    name = _pick(draw, tuple(forms))
    what, test, kind = forms[name]
    body = {
        "sum": f"sum(1 for x in numbers if {test})",
        "list": f"[x for x in numbers if {test}]",
        "total": f"sum(x for x in numbers if {test})",
    }[kind]
    reference = f"def {name}(numbers):\n    return {body}"
    return _write_function(name, f"takes a list and {what}", reference, arguments=lists)


def _write_program(draw: np.random.Generator) -> GeneratedItem:
    """A program from standard input to standard output."""
    n = _number(draw, 50)
    forms = (
        (f"the sum of the numbers plus {n}", f"sum(numbers) + {n}"),
        (
            f"how many of the numbers are greater than {n}",
            f"sum(x > {n} for x in numbers)",
        ),
        (f"the largest number minus {n}", f"max(numbers) - {n}"),
    )
    what, body = _pick(draw, forms)
    reference = f"numbers = [int(x) for x in input().split()]\nprint({body})"
    cases = []
    for size in (3, 1, 8):
        numbers = [*_numbers(draw, size=size), n + 1, n]  # `>` is not `>=`
        line = " ".join(map(str, numbers))
        shown = eval(body, {"numbers": numbers})
        cases.append({"stdin": f"{line}\n", "stdout": f"{int(shown)}\n"})
    prompt = (
        "Write a Python program that reads one line of whole numbers separated by "
        f"spaces and prints {what}.\nExample input: {cases[0]['stdin']}"
        f"Example output: {cases[0]['stdout'].strip()}"
    )
    return prompt, reference, {"cases": cases}


def renumber(seed: Seed, rng_seed: int) -> list[Seed]:
    """The same program with other numbers; the sandbox says what it prints."""
    program = seed.facts.get("program")
    if not program:
        return []
    draw = rng(rng_seed, "renumber", seed.id)
    other = _INTEGER.sub(
        lambda found: str(max(int(found[0]) + int(draw.integers(-3, 4)), 0)), program
    )
    done = run_program(Program(other), Limits(seconds=3, cpu=1))  # some never end
    well = done.status == "finished" and done.code == 0 and done.stdout.strip()
    if not well or other == program:
        return []
    answer = done.stdout.rstrip("\n")
    prompt = asked_output(other)
    return [made_row(seed, "renumber", prompt=prompt, answer=answer, program=other)]


DOMAIN = Domain(
    name="coding",
    title="Reading and writing small programs",
    description="What tiny Python programs print; small functions that pass tests.",
    instruction="Give only the answer: the printed text, or only the code.",
    marked='the printed text or the code, in a code block, after "Answer:"',
    answer_kind="printed text or Python code",
    verifier=verifier.verify,
    families=(
        Family("print-value", 1, _print_value),
        Family("print-expression", 2, _print_expression),
        Family("print-variables", 3, _print_variables),
        Family("print-loop", 4, _print_loop),
        Family("write-line", 5, _write_line),
        Family("write-list", 6, _write_list, usual=False),
        Family("write-program", 7, _write_program, usual=False),
    ),
    transforms={"renumber": renumber},
    checker="code",
    suggested_datasets=(
        SuggestedDataset(
            "google-research-datasets/mbpp",
            "CC-BY-4.0",
            config="sanitized",
            question="prompt",
            answer="code",
            columns={"extra": {"tests": "test_list"}},
        ),
    ),
    benchmarks=("humaneval-plus", "mbpp-plus", "livecodebench"),
)
