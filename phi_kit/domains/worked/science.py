"""School science: formula, numbers and unit; for a choice the fact that decides."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

from phi_kit.data.records import Seed
from phi_kit.domains import stem_facts

from .arithmetic import multiply
from .text import Form, Work, solution

_SPEED = re.compile(r"moves (\d+) m in (\d+) s\.")
_DISTANCE = re.compile(r"travels at (\d+) km/h for (\d+) h\.")
_DENSITY = re.compile(r"mass of ([\d.]+) g and a volume of (\d+) cm\^3\.")
_ENERGY = re.compile(r"body of (\d+) kg moves at (\d+) m/s\.")
_OHM = re.compile(
    r"circuit (\d+) (A|V) (?:flow through|lie across|drive) (\d+) (ohm|A)\."
)
_CONVERT = re.compile(r"How many (\S+) are ([\d.]+) (\S+)\?")
# How many of the second unit one of the first is.
_UNITS = {
    ("m", "cm"): 100, ("km", "m"): 1000, ("kg", "g"): 1000, ("h", "min"): 60,
    ("min", "s"): 60, ("cm", "mm"): 10, ("L", "mL"): 1000, ("g", "mg"): 1000,
    ("kJ", "J"): 1000, ("kW", "W"): 1000, ("V", "mV"): 1000, ("days", "h"): 24,
}  # fmt: skip
_ONE = {"days": "day"}
_TABLES = (*stem_facts.EASY, *stem_facts.MIDDLE, *stem_facts.HARD)


def _plain(value: Fraction) -> str:
    """A number without a needless zero behind its point, exactly."""
    whole, rest = divmod(value * 10, 10)
    return f"{int(whole)}.{int(rest)}" if rest else str(int(whole))


def _times(a: int, b: int, form: Form) -> list[str]:
    """A product with its partial products; the equation itself stands last."""
    equation = f"{a} * {b} = {a * b}"
    return [*[line for line in multiply(a, b, form) if line != equation], equation]


def _over(total: Fraction, by: int) -> list[str]:
    """A quotient to one decimal: by places, each part taken away from what is left."""
    value = total / by
    lines, rest = [], total
    tenths = int(value * 10)
    for place, digit in enumerate(reversed(str(tenths))):
        part = Fraction(int(digit) * 10**place, 10)
        if part:
            lines.append((part, part * by))
    told = []
    for part, taken in reversed(lines):
        left = rest - taken
        told.append(
            f"{by} * {_plain(part)} = {_plain(taken)}, "
            f"{_plain(rest)} - {_plain(taken)} = {_plain(left)}"
        )
        rest = left
    return told


def _point_moved(number: str, by: int) -> list[str]:
    """Division by 10, 100 or 1000, one place of the point at a time."""
    lines, value = [], Fraction(number)
    while by > 1 and by % 10 == 0:
        # Exact decimals: nothing is rounded.
        before, value, by = value, value / 10, by // 10
        lines.append(f"{_decimal(before)} / 10 = {_decimal(value)}")
    return lines if by == 1 else []


def _decimal(value: Fraction) -> str:
    return f"{float(value):.4f}".rstrip("0").rstrip(".")


def _formula(
    seed: Seed, form: Form, lines: Iterable[str], answer: str, known: str
) -> str | None:
    return solution(seed, [known, *lines] if form == "long" else lines, answer)


def speed(seed: Seed, form: Form) -> str | None:
    """Speed is distance over time."""
    found = _SPEED.search(seed.prompt)
    if not found:
        return None
    way, time = int(found[1]), int(found[2])
    answer = f"{_plain(Fraction(way, time))} m/s"
    lines = ["v = d / t", f"v = {way} m / {time} s"]
    if form == "long":
        lines += _over(Fraction(way), time)
    lines.append(f"{way} / {time} = {_plain(Fraction(way, time))}")
    return _formula(seed, form, lines, answer, f"Known: d = {way} m, t = {time} s.")


def distance(seed: Seed, form: Form) -> str | None:
    """Distance is speed times time."""
    found = _DISTANCE.search(seed.prompt)
    if not found:
        return None
    pace, time = int(found[1]), int(found[2])
    lines = ["d = v * t", f"d = {pace} km/h * {time} h", *_times(pace, time, form)]
    known = f"Known: v = {pace} km/h, t = {time} h."
    return _formula(seed, form, lines, f"{pace * time} km", known)


def density(seed: Seed, form: Form) -> str | None:
    """Density is mass over volume."""
    found = _DENSITY.search(seed.prompt)
    if not found:
        return None
    mass, volume = Fraction(found[1]), int(found[2])
    value = _plain(mass / volume)
    lines = ["density = m / V", f"density = {found[1]} g / {volume} cm^3"]
    lines += [*_over(mass, volume), f"{found[1]} / {volume} = {value}"]
    known = f"Known: m = {found[1]} g, V = {volume} cm^3."
    return _formula(seed, form, lines, f"{value} g/cm^3", known)


def ohm(seed: Seed, form: Form) -> str | None:
    """Ohm's law, solved for what is asked."""
    found = _OHM.search(seed.prompt)
    if not found:
        return None
    first, second = int(found[1]), int(found[3])
    units = (found[2], found[4])
    if units == ("A", "ohm"):
        lines = ["U = R * I", f"U = {second} ohm * {first} A"]
        lines += _times(second, first, form)
        answer, known = (
            f"{first * second} V",
            f"Known: I = {first} A, R = {second} ohm.",
        )
    elif units in (("V", "ohm"), ("V", "A")) and second:
        asked, other = "IR" if units[1] == "ohm" else "RI"
        unit = "A" if units[1] == "ohm" else "ohm"
        value = _plain(Fraction(first, second))
        lines = [f"{asked} = U / {other}", f"{asked} = {first} V / {second} {units[1]}"]
        lines += [*_over(Fraction(first), second), f"{first} / {second} = {value}"]
        answer = f"{value} {unit}"
        known = f"Known: U = {first} V, {other} = {second} {units[1]}."
    else:
        return None
    return _formula(seed, form, lines, answer, known)


def energy(seed: Seed, form: Form) -> str | None:
    """Kinetic energy is half of m v squared."""
    found = _ENERGY.search(seed.prompt)
    if not found:
        return None
    mass, pace = int(found[1]), int(found[2])
    if mass % 2:
        return None
    half, square = mass // 2, pace * pace
    lines = ["E = m / 2 * v^2", f"{mass} / 2 = {half}", *_times(pace, pace, form)]
    lines += [f"E = {half} * {square}", *_times(half, square, form)]
    known = f"Known: m = {mass} kg, v = {pace} m/s."
    return _formula(seed, form, lines, f"{half * square} J", known)


def convert(seed: Seed, form: Form) -> str | None:
    """One unit in the other, then times or divided by that number."""
    found = _CONVERT.search(seed.prompt)
    if not found:
        return None
    asked, number, given = found.groups()
    if factor := _UNITS.get((given, asked)):
        total = Fraction(number) * factor
        if total.denominator != 1 or "." in number:
            return None
        lines = [
            f"1 {_ONE.get(given, given)} = {factor} {asked}",
            *_times(int(number), factor, form),
        ]
        known = f"The larger unit is {given}: multiply."
        return _formula(seed, form, lines, f"{_plain(total)} {asked}", known)
    factor = _UNITS.get((asked, given))
    if not factor:
        return None
    value = _plain(Fraction(number) / factor)
    lines = [f"1 {_ONE.get(asked, asked)} = {factor} {given}"]
    lines += _point_moved(number, factor) or _over(Fraction(number), factor)
    if factor != 10:
        lines.append(f"{number} / {factor} = {value}")
    # The gold says `d` where the question says `days`.
    unit = seed.answer.rpartition(" ")[2] if asked == "days" else asked
    known = f"The larger unit is {asked}: divide."
    return _formula(seed, form, lines, f"{value} {unit}", known)


def fact(seed: Seed, form: Form) -> str | None:
    """What the thing is, then its letter; in the long form every option in turn."""
    question = seed.prompt.partition("\n")[0]
    choices = seed.facts.get("choices") or {}
    for table in _TABLES:
        before, after = table.question.split("{}")
        if not question.startswith(before) or not question.endswith(after):
            continue
        thing = question[len(before) : len(question) - len(after)]
        if thing in table.answers:
            break
    else:
        return None
    right = table.answers[thing]
    letters = [letter for letter, text in choices.items() if text == right]
    if len(letters) != 1:
        return None
    lines = [f"{thing}: {right}"]
    for letter, text in choices.items():
        if text == right:
            lines.append(f"{letter}) {text} yes")
            if form == "short":
                break
        else:
            others = [one for one, answer in table.answers.items() if answer == text]
            why = f", as for {others[0]}," if form == "long" else ""
            lines.append(f"{letter}) {text}{why} no")
    return solution(seed, lines, letters[0])


FAMILIES: dict[str, Work] = {
    "facts-1": fact,
    "facts-2": fact,
    "facts-3": fact,
    "speed": speed,
    "convert-1": convert,
    "convert-2": convert,
    "distance": distance,
    "ohm": ohm,
    "density": density,
    "energy": energy,
}
