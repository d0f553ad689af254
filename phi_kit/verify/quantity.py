"""Numbers with units: `12 m/s`, `43.2 km/h` and `12` where the unit was asked for.

What a response writes never reaches pint's expression parser: numbers and
units are read by a grammar of our own (bounded exponents, a list of unit
words), and pint only converts. `10**10**10` is no number here, it costs nothing.

`Seed.extra` may hold `unit` (the unit a bare number is meant in), `asked`
(whether the prompt names that unit, so that a bare number is a full answer) and
`tolerance` (relative).
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from phi_kit.data.records import Seed

from . import tables
from .base import NO_TOLERANCE, Verdict, tolerance, visible

if TYPE_CHECKING:
    from pint import UnitRegistry

# The kit's own choice for golds that were rounded; items with exact answers ask
# for 0. (SciBench, arXiv 2307.10635, accepts 5 %.)
TOLERANCE = 0.01
_FLOAT_NOISE = 1e-9  # what a conversion may cost a number that is exact

_PREFIXES = {"k": "kilo", "c": "centi", "m": "milli", "M": "mega", "G": "giga"}
_PREFIXES |= {"µ": "micro", "u": "micro", "n": "nano", "d": "deci", "h": "hecto"}
_PREFIXED = {
    **{"m": "meter", "g": "gram", "s": "second", "A": "ampere", "K": "kelvin"},
    **{"mol": "mole", "N": "newton", "J": "joule", "W": "watt", "V": "volt"},
    **{"Ω": "ohm", "Pa": "pascal", "Hz": "hertz", "C": "coulomb", "F": "farad"},
    **{"T": "tesla", "H": "henry", "L": "liter", "l": "liter", "Wh": "watt_hour"},
    **{"eV": "electron_volt", "bar": "bar", "B": "byte", "ohm": "ohm"},
}
_PLAIN = {
    **{"min": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "d": "day"},
    **{"secs": "second", "sec": "second", "mins": "minute", "kph": "kilometer/hour"},
    **{"kmh": "kilometer/hour", "mph": "mile/hour", "t": "metric_ton"},
    **{"°C": "degC", "°F": "degF", "degC": "degC", "degF": "degF", "°": "degree"},
    **{"ft": "foot", "in": "inch", "yd": "yard", "lb": "pound", "lbs": "pound"},
    **{"oz": "ounce", "cal": "calorie", "kcal": "kilocalorie", "atm": "atmosphere"},
    **{"mi": "mile", "rad": "radian", "%": "percent", "cc": "centimeter**3"},
}
_PLAIN |= {"Km": "kilometer", "KM": "kilometer", "Kg": "kilogram", "KG": "kilogram"}
_SPELLED = (
    *("meter", "gram", "second", "ampere", "kelvin", "mole", "newton", "joule"),
    *("watt", "volt", "ohm", "pascal", "hertz", "coulomb", "liter", "byte"),
)
_WHOLE_WORDS = (
    *("minute", "hour", "day", "week", "year", "mile", "inch", "foot", "yard"),
    *("pound", "ounce", "gallon", "calorie", "kilocalorie", "percent", "degree"),
)
_IRREGULAR = {"feet": "foot", "inches": "inch", "celsius": "degC"}
_IRREGULAR |= {"fahrenheit": "degF", "hertz": "hertz", "tonne": "metric_ton"}
_IRREGULAR |= {"tonnes": "metric_ton", "amp": "ampere", "amps": "ampere"}


@cache
def _symbols() -> dict[str, str]:
    """Every symbol with the name pint knows it by; case tells `mW` from `MW`."""
    made = {
        prefix + symbol: long + name
        for (prefix, long), (symbol, name) in product(
            _PREFIXES.items(), _PREFIXED.items()
        )
    }
    return made | _PREFIXED | _PLAIN


@cache
def _words() -> dict[str, str]:
    """Every spelled unit, singular and plural, in one case."""
    found = {name: name for name in (*_SPELLED, *_WHOLE_WORDS)}
    for prefix, name in product(set(_PREFIXES.values()), _SPELLED):
        found[prefix + name] = prefix + name
    found |= {
        word.replace("meter", "metre").replace("liter", "litre"): name
        for word, name in found.items()
    }
    return found | {f"{word}s": name for word, name in found.items()} | _IRREGULAR


_ONE = r"(?:°\s?[CF]?|%|[A-Za-zµΩ]+)"
_POWER = r"(?:(?:\^|\*\*)\{?-?[1-4]\}?|[⁻]?[¹²³⁴]|(?<=[a-z])[23](?![\w.]))?"
_JOIN = r"(?:\s*[·*/⋅]\s*|\s+(?:per|times)\s+|\s?-\s?(?=hour)|\s+)"
_UNIT = re.compile(rf"{_ONE}{_POWER}(?:{_JOIN}{_ONE}{_POWER}){{0,5}}")
_PART = re.compile(rf"({_JOIN})?(square\s+|cubic\s+)?({_ONE})({_POWER})")
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_TENS = r"\s*[x×*·]\s*10\s*(?:\^|\*\*)\s*[({]?[-+]?\d{1,3}[)}]?"
_EXPONENT = rf"(?:[eE][-+]?\d{{1,3}}|{_TENS})"
# No part of a word, of a power or of a longer number (`1,2` says nothing sure).
_BEFORE = r"(?<![\w.^])(?<!\^[-{])(?<!\^\{-)(?<!\d,)(?<!\*\*)(?<!\*\*-)"
_NUMBER = re.compile(
    rf"{_BEFORE}([-+]?{_DIGITS}(?:{_EXPONENT}(?![\d^*]))?(?:\s*/\s*\d+(?!\w))?)"
    rf"(?![\d]|[,.]\d|\s*(?:\*\*|\^))"
)
_SUPER = str.maketrans("⁻¹²³⁴", "-1234")
_SUPERSCRIPT_TEN = re.compile(r"10([⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_SUPER_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")

_MARKS = (
    re.compile(r"####\s*(.+)"),
    re.compile(r"\b(?:final )?answer\s*(?:is|:|=)\s*:?\s*(.+)", re.IGNORECASE),
)
_BOX = re.compile(r"\\boxed\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
# A number that is turned down is not the answer.
_DENIED = re.compile(r"(?:\bnot|n't|\binstead of|\brather than)\s*(?:be\s+)?$", re.I)
# What stands where a unit would: `M/s`, or one last word.
_STRANGE = re.compile(r"\s?[A-Za-zµΩ]+\s*[/^]|\s?[A-Za-zµΩ]+\s*[.!]?\s*$")
_GOES_ON = re.compile(r"\s?(?:\^|\*\*|/\s?[A-Za-z])|\d")  # `m/s^5` is no `m/s`
STRANGE = "?"
_READ = 2000  # characters at a response's end in which its answer must stand


class Quantity(NamedTuple):
    """A number and its unit as pint spells it.

    `unit` is empty if none stood there, and `?` for one that nobody knows.
    """

    value: float
    unit: str
    shown: str


@cache
def _registry() -> UnitRegistry:
    from pint import UnitRegistry

    return UnitRegistry()


def plain(text: str) -> str:
    """A text without LaTeX and Markdown dress, on one alphabet."""
    text = re.sub(r"\\[dt]?frac\{(-?\d+)\}\{(\d+)\}", r"\1/\2", text)
    text = re.sub(r"\\(?:text|mathrm|mathbf|textbf|rm)\s*\{([^{}]*)\}", r" \1 ", text)
    text = re.sub(r"\^\s*\{?\\circ\}?", "°", text)
    for old, new in (("\\times", "×"), ("\\cdot", "·"), ("\\Omega", "Ω"), ("Ω", "Ω")):
        text = text.replace(old, new)
    text = text.replace("μ", "µ").replace("\\mu", "µ").replace("\\%", "%")
    text = re.sub(r"\\[,;:! ]|~|\\left|\\right", " ", text)
    text = re.sub(r"[$`]|\*\*(?!\s*-?\d)|(?<![\w)}\]])\*\*|__", "", text)
    text = re.sub(r"\b[Dd]egrees?\s+([Cc]elsius|[Ff]ahrenheit)", r"\1", text)
    text = _SUPERSCRIPT_TEN.sub(lambda m: f"10^{m[1].translate(_SUPER_DIGITS)}", text)
    return re.sub(r"[−–—](?=\s*[\d.])", "-", text).replace("\u202f", " ")


def _number(text: str) -> float | None:
    text = re.sub(r"\s", "", text).replace(",", "")
    text = re.sub(r"[x×*·]10(?:\^|\*\*)[({]?([-+]?\d+)[)}]?", r"e\1", text)
    top, _, bottom = text.partition("/")
    if bottom and not int(bottom):
        return None
    value = float(top) / int(bottom or 1)
    return value if abs(value) < float("inf") else None


def unit(text: str) -> tuple[str, str] | None:
    """The longest unit a text begins with, as pint spells it, and the rest.

    `m/s because` is `meter**1/second**1` and ` because`; `because` is `None`.
    """
    parts: list[str] = []
    place, below = 0, False
    while found := _PART.match(text, place):
        join, area, name, power = found.groups()
        known = _symbols().get(name.replace(" ", "")) or _words().get(name.casefold())
        bare = join is not None and not join.strip()
        if known is None or (join is None) == bool(parts) or (bare and name == "in"):
            break
        below = below if not (join and join.strip()) else join.strip() in ("/", "per")
        exponent = (area or "").strip() or power.translate(_SUPER).strip("^*{}")
        exponent = {"square": "2", "cubic": "3", "": "1"}.get(exponent, exponent)
        sign = -1 if below else 1
        parts.append(f"({known})**({sign * int(exponent)})")
        place = found.end()
    return ("*".join(parts), text[place:]) if parts else None


def quantities(text: str) -> list[Quantity]:
    """Every number of a text with the unit that follows it, in order."""
    found, text = [], plain(text)
    for number in _NUMBER.finditer(text):
        value = _number(number[1])
        if value is None or _DENIED.search(
            text, max(0, number.start() - 20), number.start()
        ):
            continue
        after = text[number.end() :]
        read = unit(after.lstrip()) if re.match(r"\s{0,2}\S", after) else None
        end = len(text) - len(read[1]) if read else number.end()
        shown = text[number.start() : end]
        strange = _GOES_ON.match(read[1]) if read else _STRANGE.match(after)
        said = STRANGE if strange else read[0] if read else ""
        found.append(Quantity(value, said, shown.strip()))
    return found


def _segment(response: str) -> tuple[str, bool]:
    """The piece that states the answer, and whether something announced it."""
    text = visible(response)
    text = text[-_READ:]
    if boxes := _BOX.findall(text):
        return boxes[-1], True
    for mark in _MARKS:
        if found := mark.findall(text):
            return found[-1], True
    return text, False


def final(response: str) -> list[Quantity]:
    """What a response ends on: one quantity, several if it hedges, or none."""
    text, marked = _segment(response)
    text = plain(text)
    _, equals, after = text.rpartition("=")
    if equals and quantities(after):
        text, marked = after, True
    # A restatement in brackets answers only if nothing else does.
    outside = re.sub(r"\([^()]*\)", " ", text)
    text = outside if quantities(outside) else text
    found = quantities(text)
    if len(found) < 2:
        return found
    if re.search(r"\d\D{0,40}\bor\b\D{0,20}\d", text):
        return found
    return found[:1] if marked else found[-1:]


def same(gold: Quantity, found: Quantity, *, tolerance: float) -> bool | None:
    """Whether two quantities are one, or `None` if their units cannot be compared."""
    import pint

    registry = _registry()
    try:
        value = (
            registry.Quantity(found.value, found.unit or "dimensionless")
            .to(gold.unit or "dimensionless")
            .magnitude
        )
    except (pint.PintError, OverflowError, ValueError, ArithmeticError):
        return None
    near = max(tolerance, _FLOAT_NOISE) * abs(gold.value)
    return abs(value - gold.value) <= max(near, _FLOAT_NOISE * (gold.value == 0))


def gold(seed: Seed) -> Quantity | None:
    """The seed's answer; a bare number takes the unit that `extra` names."""
    found = quantities(seed.answer)
    if len(found) != 1 or found[0].unit == STRANGE:
        return None
    meant = unit(str(seed.facts.get("unit", "")))
    if found[0].unit or meant is None:
        return found[0]
    return found[0]._replace(unit=meant[0])


def verify(seed: Seed, response: str) -> Verdict:
    """Compare the quantity a response ends on with the gold one.

    Strictly a unit must stand there unless the prompt asked for one; leniently a
    bare number is read in the gold's unit.
    """
    facts, wanted = seed.facts, gold(seed)
    if wanted is None:
        return Verdict("unknown", "the gold answer cannot be read")
    found = final(response)
    if not found:
        return Verdict("wrong", "no answer found")
    shown = " or ".join(one.shown for one in found)
    if len(found) > 1 and len({one[:2] for one in found}) > 1:
        return Verdict("wrong", "more than one answer", shown)
    if found[0].unit == STRANGE:
        return Verdict("wrong", "unit not understood", shown)
    one, bare = found[0], bool(wanted.unit) and not found[0].unit
    one = one._replace(unit=wanted.unit) if bare else one
    near = tolerance(facts, TOLERANCE)
    if near is None:
        return Verdict("unknown", NO_TOLERANCE, shown)
    equal = same(wanted, one, tolerance=near)
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


CASES = tables.QUANTITY
