"""Numbers with units: `12 m/s`, `43.2 km/h` and `12` where the unit was asked for.

What a response writes never reaches pint's expression parser: numbers and
units are read by `numbers_in_text` and `units` (bounded exponents, a list of unit
words), and pint only converts. `10**10**10` is no number here and costs nothing.

`Seed.extra` may hold `unit` (the unit a bare number is meant in), `asked`
(whether the prompt names that unit, so that a bare number is a full answer) and
`tolerance` (relative).
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from phi_kit.data.records import Seed

from . import answer_extraction
from .base import NO_ANSWER, NO_TOLERANCE, UNREADABLE_GOLD, Verdict, relative_tolerance
from .math import numbers_in_text, units

if TYPE_CHECKING:
    from pint import UnitRegistry

# For golds that were rounded (kit default); items with exact answers ask for 0.
# (SciBench, arXiv 2307.10635, accepts 5 %.)
TOLERANCE = 0.01
_FLOAT_NOISE = 1e-9  # what a conversion may cost a number that is exact

# What stands where a unit would: `M/s`, or one last word.
_STRANGE = re.compile(r"\s?[^\W\d_]+\s*[/^]|\s?[^\W\d_]+\s*(?:[^\w\s]|$)")
_GOES_ON = re.compile(r"\s?(?:\^|\*\*|/\s?[A-Za-z])|\d")  # `m/s^5` is no `m/s`
STRANGE = "?"
_READ = 2000  # characters at a response's end in which its answer must stand


class Quantity(NamedTuple):
    """A number and its unit as pint spells it.

    `unit` is empty if the text has none, and `?` if it is not known.
    """

    value: float
    unit: str
    shown: str


@cache
def _registry() -> UnitRegistry:
    from pint import UnitRegistry

    return UnitRegistry()


def find_quantities(text: str) -> list[Quantity | None]:
    """Every number of a text with the unit that follows it, in order.

    `None` stands for a number that cannot be read.
    """
    text = numbers_in_text.normalize_numbers(text)
    numbers = numbers_in_text.find_numbers(text, measured=True)
    return [_quantity(text, number) for number in numbers if not number.denied]


def _quantity(text: str, number: numbers_in_text.NumberInText) -> Quantity | None:
    value = _float(number.value)
    if value is None:
        return None
    after = text[number.end :]
    read = units.read_unit(after.lstrip()) if re.match(r"\s{0,4}\S", after) else None
    end = len(text) - len(read[1]) if read else number.end
    strange = _GOES_ON.match(read[1]) if read else _STRANGE.match(after)
    unit = STRANGE if strange else read[0] if read else ""
    return Quantity(value, unit, text[number.begin : end].strip())


def _float(value: Fraction | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:
        return None


def final_quantities(response: str) -> list[Quantity | None]:
    """What a response ends on: one quantity, several if it hedges, or none."""
    text = numbers_in_text.searchable_text(response)
    text = answer_extraction.from_last_mark(text)
    if len(parts := answer_extraction.final_boxes(text)) > 1:
        return [quantity for part in parts for quantity in find_quantities(part)]
    pieces = answer_extraction.final_answers(text)
    return _stated(pieces[-1] if pieces else text[-_READ:], marked=bool(pieces))


def _stated(text: str, *, marked: bool) -> list[Quantity | None]:
    text = numbers_in_text.REASON.split(text, maxsplit=1)[0] if marked else text
    _, equals, after = text.rpartition("=")
    if equals and find_quantities(after):
        text, marked = after, True
    # A restatement in brackets answers only if nothing else does.
    outside = re.sub(r"\([^()]*\)", " ", text)
    text = outside if find_quantities(outside) else text
    quantities = find_quantities(text)
    if len(quantities) < 2 or re.search(r"\d\D{0,40}\bor\b\D{0,20}\d", text):
        return quantities
    return quantities[:1] if marked else quantities[-1:]


def same_quantity(gold: Quantity, answer: Quantity, *, tolerance: float) -> bool | None:
    """Whether two quantities are one, or `None` if their units cannot be compared."""
    import pint

    registry = _registry()
    try:
        value = (
            registry.Quantity(answer.value, answer.unit or "dimensionless")
            .to(gold.unit or "dimensionless")
            .magnitude
        )
    except (pint.PintError, OverflowError, ValueError, ArithmeticError):
        return None
    near = max(tolerance, _FLOAT_NOISE) * abs(gold.value)
    return abs(value - gold.value) <= max(near, _FLOAT_NOISE * (gold.value == 0))


def gold_quantity(seed: Seed) -> Quantity | None:
    """The seed's answer; a bare number takes the unit that `extra` names."""
    quantities = find_quantities(seed.answer)
    if len(quantities) != 1 or quantities[0] is None or quantities[0].unit == STRANGE:
        return None
    stated_unit = units.read_unit(str(seed.facts.get("unit", "")))
    if quantities[0].unit or stated_unit is None:
        return quantities[0]
    return quantities[0]._replace(unit=stated_unit[0])


def verify(seed: Seed, response: str) -> Verdict:
    """Compare the quantity a response ends on with the gold one.

    Strictly a unit must stand there unless the prompt asked for one; leniently a
    bare number is read in the gold's unit.
    """
    facts, wanted = seed.facts, gold_quantity(seed)
    if wanted is None:
        return Verdict("unknown", UNREADABLE_GOLD)
    stated = final_quantities(response)
    if not stated or stated == [None]:
        return Verdict("wrong", NO_ANSWER)
    shown = " or ".join(quantity.shown if quantity else "?" for quantity in stated)
    if len({quantity and quantity[:2] for quantity in stated}) > 1:
        return Verdict("wrong", "more than one answer", shown)
    if stated[0] is None:
        return Verdict("wrong", NO_ANSWER)
    if stated[0].unit == STRANGE:
        return Verdict("wrong", "unit not understood", shown)
    quantity, bare = stated[0], bool(wanted.unit) and not stated[0].unit
    quantity = quantity._replace(unit=wanted.unit) if bare else quantity
    near = relative_tolerance(facts, TOLERANCE)
    if near is None:
        return Verdict("unknown", NO_TOLERANCE, shown)
    equal = same_quantity(wanted, quantity, tolerance=near)
    if equal is None:
        return Verdict("wrong", "another kind of unit", shown)
    if not equal:
        return Verdict("wrong", "another value", shown)
    if bare and not facts.get("asked"):
        return Verdict("wrong", "no unit", shown, "right")
    return Verdict("right", "equal", shown)


def facts(unit: str, *, asked: bool = True, tolerance: float = 0.0) -> dict[str, Any]:
    """What `Seed.extra` says of an item with units."""
    return {"unit": unit, "asked": asked, "tolerance": tolerance}
