"""STEM: other numbers in the formula, and a choice asked for as a number.

New quantities are drawn as the families draw theirs; the worked solution, which
starts from the prompt, has to arrive at the answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.data.solutions import clean_solution
from phi_kit.domains.transform import Transform, made_row
from phi_kit.domains.worked import worked
from phi_kit.domains.worked.text import written

# A pattern's match and a generator in; the new words and the new gold out.
_Renumber = Callable[[re.Match, np.random.Generator], tuple[str, str]]
_OPTIONS = re.compile(r"\n[A-Z][).] ")
# A question that cannot be asked without its options.
_NEEDS_OPTIONS = re.compile(
    r"\b(?:which of|of these|of the following|following|below|above|shown)\b", re.I
)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?: [A-Za-z%°][\w%°/^]*)?")


def _whole(draw: np.random.Generator, low: int, high: int) -> int:
    return int(draw.integers(low, high))


def _speed(found: re.Match, draw: np.random.Generator) -> tuple[str, str]:
    pace, time = _whole(draw, 2, 13), _whole(draw, 2, 11)
    return f"moves {pace * time} m in {time} s.", f"{pace} m/s"


def _distance(found: re.Match, draw: np.random.Generator) -> tuple[str, str]:
    pace, time = _whole(draw, 3, 131), _whole(draw, 2, 10)
    return f"travels at {pace} km/h for {time} h.", f"{pace * time} km"


def _density(found: re.Match, draw: np.random.Generator) -> tuple[str, str]:
    tenths, volume = _whole(draw, 5, 200), _whole(draw, 2, 21) * 10
    words = f"mass of {tenths * volume / 10:g} g and a volume of {volume} cm^3."
    return words, f"{tenths / 10:g} g/cm^3"


def _energy(found: re.Match, draw: np.random.Generator) -> tuple[str, str]:
    mass, pace = 2 * _whole(draw, 1, 31), _whole(draw, 2, 21)
    return f"body of {mass} kg moves at {pace} m/s.", f"{mass * pace * pace // 2} J"


def _ohm(found: re.Match, draw: np.random.Generator) -> tuple[str, str]:
    current, resistance = _whole(draw, 1, 16), _whole(draw, 2, 41)
    voltage = current * resistance
    how = found[2]
    if how == "flow through":
        return f"{current} A flow through {resistance} ohm.", f"{voltage} V"
    if how == "lie across":
        return f"{voltage} V lie across {resistance} ohm.", f"{current} A"
    return f"{voltage} V drive {current} A.", f"{resistance} ohm"


_FORMULAS: tuple[tuple[re.Pattern, _Renumber], ...] = (
    (re.compile(r"moves \d+ m in \d+ s\."), _speed),
    (re.compile(r"travels at \d+ km/h for \d+ h\."), _distance),
    (re.compile(r"mass of [\d.]+ g and a volume of \d+ cm\^3\."), _density),
    (re.compile(r"body of \d+ kg moves at \d+ m/s\."), _energy),
    (re.compile(r"\d+ (A|V) (flow through|lie across|drive) \d+ (?:ohm|A)\."), _ohm),
)
_CONVERT = re.compile(r"(?<= are )[\d.]+(?= (\S+)\?$)")


def renumber(seed: Seed, rng_seed: int) -> list[Seed]:
    """Other numbers in the same words; the formula gives the new answer."""
    draw = rng(rng_seed, "renumber", seed.id)
    for pattern, new in _FORMULAS:
        if found := pattern.search(seed.prompt):
            words, answer = new(found, draw)
            return _kept(seed, found, words, answer)
    if found := _CONVERT.search(seed.prompt):
        return _converted(seed, found, draw)
    return []


def _converted(seed: Seed, found: re.Match, draw: np.random.Generator) -> list[Seed]:
    """A whole number times the factor that the seed's own numbers show.

    The other way round a tenth of the smaller unit's number is asked for.
    """
    given, (said, _, unit) = float(found[0]), seed.answer.partition(" ")
    ratio = float(said) / given if given else 0.0
    if ratio >= 1:
        number = _whole(draw, 2, 40)
        words, answer = str(number), f"{number * round(ratio)} {unit}"
    elif ratio > 0:
        tenths, factor = _whole(draw, 2, 200), round(1 / ratio)
        words, answer = f"{tenths * factor / 10:g}", f"{tenths / 10:g} {unit}"
    else:
        return []
    return _kept(seed, found, words, answer)


def _kept(seed: Seed, found: re.Match, words: str, answer: str) -> list[Seed]:
    """The row, if its worked solution arrives at the same."""
    prompt = seed.prompt[: found.start()] + words + seed.prompt[found.end() :]
    if prompt == seed.prompt:
        return []
    row = made_row(seed, "renumber", prompt=prompt, answer=answer, keep_facts=True)
    return [row] if worked(row) else []


def as_number(seed: Seed, rng_seed: int) -> list[Seed]:
    """A choice whose right option is a number, asked without its options."""
    choices = seed.facts.get("choices")
    right = choices.get(seed.answer) if isinstance(choices, dict) else None
    question = _OPTIONS.split(seed.prompt)[0].strip()
    if not isinstance(right, str) or not _NUMBER.fullmatch(right.strip()):
        return []
    if question == seed.prompt.strip() or _NEEDS_OPTIONS.search(question):
        return []
    answer = right.strip()
    work = (worked(seed) or "").partition("\n")[0] or _without_letter(seed)
    kind = "a number" if answer.replace(".", "").isdigit() else "a number and its unit"
    row = made_row(
        seed,
        "as_number",
        prompt=f"{question} Answer with {kind}.",
        answer=answer,
        solution=written([work], answer) if work else "",
        tolerance=0.0,
    )
    return [replace(row, answer_kind="")]


def _without_letter(seed: Seed) -> str:
    """A source's solution, unless it speaks of the options by their letters."""
    work = clean_solution(seed.solution)
    speaks = re.search(r"\b(?:options?|choices?|answer)\b|\b[A-E]\)", work, re.I)
    return "" if speaks else work


TRANSFORMS = (
    Transform("renumber", renumber, "stem", "other numbers in the formula"),
    Transform(
        "as_number", as_number, "stem", "a choice asked for as a number", usual=False
    ),
)
