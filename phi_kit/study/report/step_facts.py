"""The report's single values: what a step's result says in a word or a number.

Those that have no words of their own are listed as they are, so that nothing a step
says is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from phi_kit.core.number_format import NOTHING, count, is_number, percent

from .table_form import Result, plain

RULES = {
    "gap": "what the student does not solve yet and a response shows",
    "band": "what the student solves sometimes",
}


def of_step(number: int, result: Result) -> dict[str, str]:
    """Single values of a step by name: those with words of their own, then others."""
    expected = _FACTS.get(number, {})
    named = {
        name: words(result[key])
        for key, (name, words) in expected.items()
        if result.get(key) not in (None, "", [], {})
    }
    others = {
        key.replace("_", " "): plain(value)
        for key, value in result.items()
        if key not in expected | _ABOVE and isinstance(value, str | int | float)
    }
    return {**named, **others}


def _sealed(splits: Any) -> str:
    if not isinstance(splits, Mapping):
        return plain(splits)
    return ", ".join(f"{count(n)} {split}" for split, n in splits.items())


def _named_counts(counts: Any) -> str:
    if not isinstance(counts, Mapping):
        return plain(counts)
    return ", ".join(f"{count(n)} {name}" for name, n in counts.items())


def _without_response(responses: Any) -> str:
    if not isinstance(responses, Mapping) or "without" not in responses:
        return NOTHING
    said = f"{count(responses['without'])} seeds, in no arm"
    rule = RULES.get(str(responses.get("teachable")))
    return f"{said}; teachable is {rule}" if rule else said


def _band(band: Any) -> str:
    if not (isinstance(band, list) and len(band) == 2 and all(map(is_number, band))):
        return plain(band)
    return f"pass rates from {100 * band[0]:g} to {100 * band[1]:g}\u00a0%"


_FACTS: dict[int, dict[str, tuple[str, Callable[[Any], str]]]] = {
    1: {
        "answer_kind": ("answers are", plain),
        "style": ("style", plain),
        "instruction": ("instruction", plain),
        "sealed": ("sealed items", _sealed),
        "lenient": ("right where the answer may stand anywhere", percent),
        "truncated": ("answers cut off", percent),
        "ran_out": ("families that ran out", plain),
    },
    2: {"lopsided": ("one answer too often", plain)},
    3: {
        "samples": ("samples per seed", plain),
        "band": ("band", _band),
        "truncated": ("truncated samples", percent),
        "teachable_places": (
            "teachable seeds by their place to the band",
            _named_counts,
        ),
        "responses": ("without a response to learn from", _without_response),
        "never_solved": ("never seen solved", plain),
        "doubt": ("tiers that more samples would be expected to change", percent),
    },
    5: {"lopsided": ("one answer too often", plain)},
    6: {"final": ("final adapter", plain)},
}
_ABOVE = {"title": None, "description": None}  # stand above the facts
