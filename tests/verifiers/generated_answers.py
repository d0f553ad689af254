"""Answers made at random: right ones, near misses and unreadable ones, in any form.

`pairs(name, n)` gives `n` rows of gold, extra, response and what the verifier of that
name must say: "right", "wrong", or "unparsed" for a wrong one in which nothing is
read. Everything is drawn from one seed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from random import Random

# How an answer is presented; each must be read for what stands in it.
FORMS = (
    "{}",
    "{}.",
    "**{}**",
    "The answer is {}.",
    "Answer: {}",
    "**Final Answer:** {}",
    "We add them up.\n\nThe final answer is {}.",
    "#### {}",
    "Some work.\n#### {}",
    "<answer>{}</answer>",
    "<think>It may be 77.</think>The answer is {}.",
    "The answer is {}, because 77 is too many.",
    "Therefore the answer is:\n\n{}",
    "A: {}",
    "{} ✅",
    "答案是{}。",
    "Ответ: {}",
    "Step 1: 70 + 7 = 77.\nStep 2: it goes on.\n\nFinal answer: {}",
)
BOXES = (
    r"\boxed{{{}}}",
    r"Thus $\boxed{{{}}}$.",
    r"\[\boxed{{{}}}\]",
    r"It is \fbox{{{}}}",
    r"First I thought of 77. Then: $$\boxed{{ {} }}$$",
)
INLINE = ("${}$", "The answer is ${}$.", r"So we find that \({}\).", "$${}$$")
NOTHING = ("no idea", "", "I cannot solve this", "it depends", "?", "...", "[]")


def _grouped(whole: int, mark: str) -> str:
    return f"{whole:,}".replace(",", mark)


def _same_number(draw: Random, n: int) -> str:
    """A whole number another way."""
    size, sign = abs(n), "-" if n < 0 else ""
    ways = [f"{n}", f"{n}.0", f"{sign}{_grouped(size, ',')}", f"{n} apples"]
    ways += [f"{sign}{_grouped(size, ' ')}", f"{sign}{_grouped(size, '{,}')}"]
    ways += [rf"\text{{{n}}}", f"{sign}{_grouped(size, chr(0x202F))}", f"{n}.00"]
    ways += [f"−{size}", f"minus {size}"] if n < 0 else [f"+{n}", f"${n}", f"${n}.00"]
    ways += [f"{n} thousand"[:-9]] if n % 1000 else [f"{n // 1000} thousand"]
    if n % 100000 == 0 and n:
        ways.append(f"{Fraction(n, 10**6).limit_denominator(10)} million")
    return draw.choice(ways)


def _other_number(draw: Random, n: int) -> str:
    """A number beside it, or the same digits with something that changes them."""
    size, digits = abs(n), str(abs(n))
    ways = [f"{n + 1}", f"{n - 1}", f"{-n}" if n else "1", f"{n}0", f"{n}.5", f"{n}!"]
    ways += [f"minus {size}" if n >= 0 else f"{size}", f"{n} million", f"{n}k"]
    ways += [f"{n} and a half", f"{n}½", rf"{n}\frac{{1}}{{2}}", f"{n} × 10^3"]
    ways += [f"{n}/7", f"1/{n}" if abs(n) > 1 else "5", f"{n + 2} apples", f"9{digits}"]
    return draw.choice([w for w in ways if n > 2 or "!" not in w])


def _no_number(draw: Random, n: int) -> str:
    """What holds the digits and says no number."""
    size = abs(n)
    ways = [rf"{size}\pi", f"√{size * size + 1}", f"{size}x", f"x_{size}", f"{size}_8"]
    ways += [f"between {size} and {size + 1}", f"{size} or {size + 1}", f"not {size}"]
    ways += [f"{size}:30", f"x > {size}", f"v{size}", f"{size},5", f"log {size}"]
    ways += [f"{size} + 1", f"({size}, {size + 1})", rf"\sqrt{{{size + 2}}}"]
    return draw.choice([*ways, *NOTHING])


def _present(draw: Random, answer: str, *, mathematics: bool = False) -> str:
    forms = [*FORMS, *BOXES] + [*INLINE] * mathematics
    return draw.choice(forms).format(answer) if answer else ""


def _whole(draw: Random) -> int:
    return draw.choice((1, 1, -1)) * draw.randrange(2, 10 ** draw.randrange(1, 7))


def numeric(draw: Random) -> Iterator[tuple[str, dict, str, str]]:
    """Whole numbers and what is written like them."""
    while True:
        n = _whole(draw)
        yield f"{n}", {}, _present(draw, _same_number(draw, n)), "right"
        yield f"{n}", {}, _present(draw, _other_number(draw, n)), "wrong"
        yield f"{n}", {}, _present(draw, _no_number(draw, n)), "unparsed"


def _structures(draw: Random) -> tuple[str, list[str], list[str]]:
    """A gold with other spellings of it and near misses, of one random kind."""
    a, b = sorted(draw.sample(range(2, 90), 2))
    return draw.choice(_KINDS)(a, b)


def _interval(a: int, b: int):
    same = [f"({a}, {b}]", rf"{a} < x \le {b}", f"({a},{b}]", rf"\left({a}, {b}\right]"]
    same += [rf"x \in ({a}, {b}]", rf"{b} \ge x > {a}"]
    miss = [f"[{a}, {b}]", f"({a}, {b})", f"({a}, {b + 1}]", rf"{a} \le x \le {b}"]
    return f"({a}, {b}]", same, miss


def _set(a: int, b: int):
    same = [rf"\{{{b}, {a}\}}", f"{a}, {b}", rf"{a} \text{{ and }} {b}"]
    same += [rf"\{{{a}\}} \cup \{{{b}\}}", f"x = {b} or x = {a}"]
    miss = [rf"\{{{a}\}}", rf"\{{{a}, {b + 1}\}}", f"{a}", rf"\{{{a}, {b}, {b + 1}\}}"]
    return rf"\{{{a}, {b}\}}", same, miss


def _point(a: int, b: int):
    same = [f"({a}, {b})", f"({a};{b})", f"(x, y) = ({a}, {b})", f"x = {a}, y = {b}"]
    same += [rf"\left({a},\,{b}\right)", f"({a}.0, {b})"]
    miss = [f"({b}, {a})", f"[{a}, {b}]", f"x = {b}, y = {a}", f"({a}, {b}, {b})"]
    return f"({a}, {b})", same, miss


def _matrix(a: int, b: int):
    def one(kind: str, *rows: str) -> str:
        return rf"\begin{{{kind}}} {rows[0]} \\ {rows[1]} \end{{{kind}}}"

    rows = (f"{a} & {b}", f"0 & -{a}")
    same = [one("bmatrix", *rows), rf"A = {one('pmatrix', *rows)}"]
    same += [one("pmatrix", f"{a}.0&{b}", f"0&-{a}"), f"[[{a}, {b}], [0, -{a}]]"]
    miss = [one("pmatrix", *rows[::-1]), one("pmatrix", f"{a} & {b}", f"0 & {a}")]
    miss += [one("pmatrix", f"{a} & 0", f"{b} & -{a}"), f"[[{a}, {b}]]"]
    return one("pmatrix", *rows), same, miss


def _fraction(a: int, b: int):
    same = [f"{a}/{b}", rf"\dfrac{{{a}}}{{{b}}}", rf"\frac{{{2 * a}}}{{{2 * b}}}"]
    same += [f"x = {a}/{b}", rf"\tfrac{{{a}}}{{{b}}}"]
    miss = [f"{b}/{a}", f"-{a}/{b}", rf"\frac{{{a}}}{{{b + 1}}}", f"{a}", f"{b}"]
    return rf"\frac{{{a}}}{{{b}}}", same, miss


def _based(a: int, b: int):
    digits = f"{a:b}"
    same = [f"{digits}_2", rf"{digits}_{{2}}", f"{digits}₂", f"{digits} base 2"]
    same += [rf"{digits}_{{\text{{two}}}}", f"({digits})_2"]
    return f"{digits}_2", same, [f"{digits}_3", f"{digits}1_2", digits]


def _real(a: int, b: int):
    gold = rf"(-\infty, {a}) \cup ({b}, \infty)"
    same = [gold, rf"({b}, \infty) \cup (-\infty, {a})", f"x < {a} or x > {b}"]
    miss = [rf"(-\infty, {a}] \cup ({b}, \infty)", f"x < {a} and x > {b + 1}"]
    return gold, same, [*miss, f"{a} < x < {b}", r"\mathbb{R}", f"x < {a}"]


def _measured(a: int, b: int):
    same = [f"{a} cm", rf"{a}\text{{ cm}}", f"{a} centimeters", f"{a}", f"{a}.0 cm"]
    return f"{a} cm", same, [f"{a} m", f"{b} cm", f"{a} cm^2", f"{a} mm", f"-{a} cm"]


def _percent(a: int, b: int):
    same = [rf"{a}\%", f"{a} percent", f"{a}%", f"{a}"]
    return rf"{a}\%", same, [rf"{b}\%", rf"0.{a}5\%", f"-{a}%"]


_KINDS = (
    *(_interval, _set, _point, _matrix, _fraction, _based, _real, _measured),
    _percent,
)


def math(draw: Random) -> Iterator[tuple[str, dict, str, str]]:
    """Answers of every type that is compared without a worker."""
    while True:
        n = _whole(draw)
        yield f"{n}", {}, _present(draw, _same_number(draw, n)), "right"
        yield f"{n}", {}, _present(draw, _other_number(draw, n)), "wrong"
        gold, same, miss = _structures(draw)
        formal = bool(set(gold) & set("\\([{"))
        forms = [*BOXES, *INLINE, "{}", "The answer is {}.", "Answer: {}", "#### {}"]
        yield gold, {}, draw.choice(forms).format(draw.choice(same)), "right"
        yield gold, {}, draw.choice(forms).format(draw.choice(miss)), "wrong"
        nothing = draw.choice(NOTHING) if formal else _no_number(draw, n)
        unread = nothing in NOTHING
        yield gold, {}, _present(draw, nothing), "unparsed" if unread else "wrong"


# Unit, how else it is spelled, how many of another unit it is, what it is not.
_UNITS = (
    ("m/s", ("meters per second", r"\text{m/s}", "m s^-1"), ("km/h", 18, 5), "m"),
    ("km", ("kilometers", "kilometres", r"\mathrm{km}"), ("m", 1000, 1), "kg"),
    ("kg", ("kilograms", r"\text{ kg}"), ("g", 1000, 1), "km"),
    ("N", ("newtons", r"\text{N}"), ("mN", 1000, 1), "J"),
    ("m^2", ("m²", "square meters", r"\text{m}^2"), ("cm^2", 10**4, 1), "m"),
    ("Ω", ("ohm", "ohms", r"\Omega"), ("mΩ", 1000, 1), "V"),
    ("h", ("hours", "hour"), ("min", 60, 1), "m"),
)


def quantity(draw: Random) -> Iterator[tuple[str, dict, str, str]]:
    """Numbers with units, converted or not, and with units that do not fit."""
    while True:
        unit, names, (other, times, per), strange = draw.choice(_UNITS)
        n = 5 * draw.randrange(1, 10 ** draw.randrange(1, 4))
        extra = {"unit": unit, "asked": draw.random() < 0.5, "tolerance": 0}
        same = [f"{n} {unit}", f"{n}.0 {unit}", f"{n * times // per} {other}"]
        same += [f"{n} {name}" for name in names] + [f"{n:,} {unit}"]
        miss = [f"{n + 1} {unit}", f"-{n} {unit}", f"{n} {strange}", f"{n} apples"]
        miss += [f"minus {n} {unit}", f"{n} {other}", f"{n} million {unit}", f"{n}0"]
        miss += [f"{n} or {n + 5} {unit}", rf"{n}\frac{{1}}{{2}} {unit}"]
        gold = f"{n} {unit}"
        yield gold, extra, _present(draw, draw.choice(same)), "right"
        yield gold, extra, _present(draw, draw.choice(miss)), "wrong"
        yield gold, extra, _present(draw, draw.choice(NOTHING)), "unparsed"


MAKERS = {"numeric": numeric, "math": math, "quantity": quantity}


def pairs(name: str, n: int, *, seed: int) -> Iterator[tuple[str, str, str, str]]:
    """The first `n` rows of a verifier's generator, `extra` as JSON."""
    stream = MAKERS[name](Random(seed))
    for _ in range(n):
        gold, extra, response, wanted = next(stream)
        yield gold, json.dumps(extra), response, wanted
