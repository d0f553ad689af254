"""Arithmetic by columns, by counting on and by remainders."""

from __future__ import annotations

import re
from math import gcd

from phi_kit.data.records import Seed

from .text import Form, Work, solution

_SUM = re.compile(r"(\d+) ([+-]) (\d+) =")
_STORY = re.compile(r"has (\d+) \w+ and (gets|gives) (\d+) (?:more|away)\.")
_NUMBERS = re.compile(r"of these numbers: (\d+), (\d+)(?![\d,])")
_PRODUCT = re.compile(r"multiplication: (\d+) \* (\d+)\.")
_BITS = re.compile(r"of the number (\d+)\?")
_ANIMALS = re.compile(r"if you have ([^?]+)\?")
_TOLD = re.compile(r"^(\w+) has (\d+) (\w+)\. How many \3 does \1 have\?$")
_PLACES = ("ones", "tens", "hundreds", "thousands", "ten thousands")


def add(a: int, b: int, form: Form) -> list[str]:
    """Columns from the right; what is written so far stands at each line's end."""
    places = max(len(str(a)), len(str(b)))
    tops, bottoms = (str(n).zfill(places)[::-1] for n in (a, b))
    lines, carry, done = [], 0, ""
    for place in range(places):
        parts = [tops[place], bottoms[place], *([str(carry)] if carry else [])]
        total = sum(map(int, parts))
        last = place == places - 1
        carry = 0 if last else total // 10
        done = f"{total if last else total % 10}{done}"
        lines.append(f"{' + '.join(parts)} = {total}{_noted(carry, last, form)}{done}")
    return [*_placed(lines), *([f"{a} + {b} = {a + b}"] if form == "long" else [])]


def _noted(carry: int, last: bool, form: Form) -> str:
    """What stands between a column's sum and what is written so far."""
    if form == "short":
        return f", carry {carry}: " if carry else ": "
    return ", write it: " if last else f", carry {carry}, so far "


def subtract(a: int, b: int) -> list[str]:
    """Columns from the right with borrowing; a number below zero by turning it round.

    What is written so far stands at each line's end.
    """
    if a < b:
        return [f"below zero, so {b} - {a}", *subtract(b, a), f"{a} - {b} = {a - b}"]
    places = len(str(a))
    tops, bottoms = (str(n).zfill(places)[::-1] for n in (a, b))
    lines, borrowed, done = [], 0, ""
    for place in range(places):
        top, bottom = int(tops[place]), int(bottoms[place])
        taken = f" - {borrowed}" if borrowed else ""
        rest = top - bottom - borrowed
        borrow = ", borrow 1" if rest < 0 else ""
        if rest < 0:
            top, rest = top + 10, rest + 10
        borrowed = 1 if borrow else 0
        done = f"{rest}{done}"
        lines.append(f"{top} - {bottom}{taken} = {rest}{borrow}: {done}")
    return [*_placed(lines), f"{a} - {b} = {a - b}"]


def _placed(lines: list[str]) -> list[str]:
    """The columns with their names.

    A prompt that ends on `57 + 36 =` would run on into a line of bare numbers.
    """
    names = [*_PLACES, *[f"place {n}" for n in range(len(_PLACES) + 1, len(lines) + 1)]]
    return [f"{name}: {line}" for name, line in zip(names, lines, strict=False)]


def multiples(count: int, of: int) -> str:
    """Counting on: `5, 10, 15`."""
    return ", ".join(str(of * n) for n in range(1, count + 1))


def multiply(a: int, b: int, form: Form = "short") -> list[str]:
    """Equations that lead to a product: by the places of one factor, then their sum.

    A product of two digits is one fact.
    """
    if (a < 10 and b < 10) or 10 in (a, b):
        return [f"{a} * {b} = {a * b}"]
    if len(str(a)) > len(str(b)):
        return multiply(b, a, form)
    digits = str(b)
    parts = [
        int(digit) * 10**place
        for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True)
        if digit != "0"
    ]
    if len(parts) == 1:
        lead = int(digits[0])
        zeros = b // lead
        if lead == 1 or a < 10:
            return [f"{a} * {b} = {a * b}"]
        return [*multiply(a, lead, form), f"{a * lead} * {zeros} = {a * b}"]
    lines, total = [], 0
    for part in parts:
        nested = form == "long" and a > 9
        lines += multiply(a, part, form) if nested else [f"{a} * {part} = {a * part}"]
        if nested and not lines[-1].startswith(f"{a} * {part} ="):
            lines.append(f"{a} * {part} = {a * part}")
        if total:
            lines.append(f"{total} + {a * part} = {total + a * part}")
        total += a * part
    return lines


def sums(seed: Seed, form: Form) -> str | None:
    """One sum or difference, bare or told as a story."""
    if found := _SUM.search(seed.prompt):
        a, sign, b = int(found[1]), found[2], int(found[3])
    elif found := _STORY.search(seed.prompt):
        a, sign, b = int(found[1]), "+-"[found[2] == "gives"], int(found[3])
    else:
        return None
    value = a + b if sign == "+" else a - b
    if a < 10 and b < 10:
        return solution(seed, _counted(a, sign, b, form), value)
    steps = add(a, b, form) if sign == "+" else subtract(a, b)
    return solution(seed, steps, value)


def _counted(a: int, sign: str, b: int, form: Form) -> list[str]:
    """One digit and another: a fact, in the long form counted on or back."""
    if sign == "-" and a < b:
        first = _counted(b, sign, a, form)
        return [f"below zero, so {b} - {a}", *first, f"{a} - {b} = {a - b}"]
    value = a + b if sign == "+" else a - b
    lines = []
    if form == "long" and b:
        way = 1 if sign == "+" else -1
        counted = ", ".join(str(a + way * n) for n in range(1, b + 1))
        lines = [f"From {a} count {b} {'on' if way == 1 else 'back'}: {counted}"]
    return [*lines, f"{a} {sign} {b} = {value}"]


def product(seed: Seed, form: Form) -> str | None:
    """Two factors of one digit: the larger one counted as often as the smaller says."""
    found = _PRODUCT.search(seed.prompt)
    if not found:
        return None
    a, b = int(found[1]), int(found[2])
    few, many = sorted((a, b))
    if many > 9:
        return solution(seed, multiply(a, b, form), a * b)
    lines = [f"{few} times {many}: {multiples(few, many)}"] if few else []
    if form == "long" and few:
        lines = [f"{many} * 1 = {many}"]
        for n in range(2, few + 1):
            lines.append(f"{many} * {n} = {many * (n - 1)} + {many} = {many * n}")
    return solution(seed, [*lines, f"{a} * {b} = {a * b}"], a * b)


def common_divisor(seed: Seed, form: Form) -> str | None:
    """Euclid: go on with what is left, stop at nought.

    Short: count up in the smaller number, so that no quotient has to be guessed.
    Long: divide.
    """
    found = _NUMBERS.search(seed.prompt)
    if not found:
        return None
    a, b = sorted((int(found[1]), int(found[2])), reverse=True)
    if not b:
        return None
    steps = _euclid(a, b) if form == "long" else _counted_out(a, b)
    return solution(seed, steps, gcd(a, b))


def _counted_out(a: int, b: int) -> list[str]:
    """`24 by 9: 9, 18, left 6`: the multiples that fit, and what is left."""
    lines = []
    while b:
        fits = f"{multiples(a // b, b)}, " if b > 1 else ""
        lines.append(f"{a} by {b}: {fits}left {a % b}")
        a, b = b, a % b
    return lines


def _euclid(a: int, b: int) -> list[str]:
    lines = []
    while b:
        times, rest = divmod(a, b)
        lines.append(f"{times} * {b} = {times * b}, {a} - {times * b} = {rest}")
        lines.append(f"{a} = {times} * {b} + {rest}")
        a, b = b, rest
    return [*lines, f"The remainder is 0, so the GCD is {a}."]


def common_multiple(seed: Seed, form: Form) -> str | None:
    """Short: multiples of both, up to the first that is shared. Long: by the GCD."""
    found = _NUMBERS.search(seed.prompt)
    if not found:
        return None
    few, many = sorted((int(found[1]), int(found[2])))
    if not few:
        return None
    value = few * many // gcd(few, many)
    if form == "short":
        lines = [
            f"{few}: {multiples(many, few)}",
            f"{many}: {multiples(value // many, many)}",
        ]
        return solution(seed, lines, value)
    lines = [
        *_euclid(many, few),
        f"{few} * {many} = {few * many}",
        f"{few * many} / {gcd(few, many)} = {value}",
    ]
    return solution(seed, lines, value)


def legs(seed: Seed, form: Form) -> str | None:
    """One line an animal; in the short form the count runs on from line to line."""
    from reasoning_gym.arithmetic.leg_counting import ANIMALS

    found = _ANIMALS.search(seed.prompt)
    if not found:
        return None
    lines, total = [], 0
    for told in found[1].split(", "):
        number, _, animal = told.partition(" ")
        count = int(number)
        each = ANIMALS.get(animal)
        if each is None and count > 1:
            animal = animal.removesuffix("s")
            each = ANIMALS.get(animal)
        if each is None:
            return None
        if form == "short":
            counted = ", ".join(str(total + each * n) for n in range(1, count + 1))
            lines.append(f"{animal} {each}: {counted}")
        else:
            all_of = f"{count} * {each} = {count * each}"
            lines.append(f"{animal}: {each} legs each, {all_of}")
            if total or len(lines) > 1:
                lines.append(f"{total} + {count * each} = {total + count * each}")
        total += each * count
    return solution(seed, lines, total)


def bits(seed: Seed, form: Form) -> str | None:
    """Short: take away the largest power of two, and count. Long: by halving."""
    found = _BITS.search(seed.prompt)
    if not found:
        return None
    rest, count, lines = int(found[1]), 0, []
    while rest:
        if form == "short":
            power = 1 << (rest.bit_length() - 1)
            count += 1
            lines.append(f"{rest} - {power} = {rest - power} ({count})")
            rest -= power
        else:
            half, bit = divmod(rest, 2)
            count += bit
            lines.append(f"{rest} = 2 * {half} + {bit} ({count})")
            rest = half
    return solution(seed, lines, count)


def told(seed: Seed, form: Form) -> str | None:
    """What the question says, said again."""
    found = _TOLD.search(seed.prompt)
    if not found:
        return None
    who, count, what = found.groups()
    lines = [f"It says: {who} has {count} {what}."]
    if form == "long":
        lines.append(f"So {who} has {count}.")
    return solution(seed, lines, count)


FAMILIES: dict[str, Work] = {
    "told": told,
    "sum-1": sums,
    "story-1": sums,
    "sum-2": sums,
    "gcd-30": common_divisor,
    "lcm-10": common_multiple,
    "product-1": product,
    "legs": legs,
    "bits": bits,
}
