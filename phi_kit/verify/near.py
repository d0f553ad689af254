"""Changes to an answer: those that must not matter, and those that must."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from phi_kit.core.rng import rng

# Dress: whoever accepts the bare answer must accept it so, too.
FORMATS: Mapping[str, Callable[[str], str]] = {
    "bare": lambda answer: answer,
    "spaces": lambda answer: f"  {answer} \n",
    "bold": lambda answer: f"**{answer}**",
    "box": lambda answer: rf"So we get \boxed{{{answer}}}.",
    "mark": lambda answer: f"Some steps.\nAnswer: {answer}",
    "bold mark": lambda answer: f"**Final Answer:** {answer}",
    "sentence": lambda answer: f"The answer is {answer}.",
    "after thinking": lambda answer: f"<think>17, or B?</think>{answer}",
    "open template": lambda answer: f"perhaps 99</think>\n{answer}",
}


def numbers(gold: str, label: str) -> Iterator[str]:
    """Other numbers close to a numeric gold: off by one, a sign, a digit, a scale."""
    value = Fraction(gold.replace(",", ""))
    draw = rng(0, "near miss", label, gold)
    places = len(gold.partition(".")[2])
    step = Fraction(1, 10**places)
    near = {value + step, value - step, -value, value * 10, value / 10, value * 2}
    near |= {value + int(draw.integers(2, 99)) * step for _ in range(4)}
    digits = re.sub(r"\D", "", gold)
    if len(set(digits)) > 1:
        near.add(Fraction(int(digits[::-1]), 10**places))
    for other in sorted(near - {value}):
        if abs(other) != abs(value) or other == -value:
            yield decimal(other)


def decimal(value: Fraction) -> str:
    """A fraction as a decimal where that is finite, else as `a/b`."""
    if value.denominator == 1:
        return str(value.numerator)
    for places in range(1, 30):
        if 10**places % value.denominator == 0:
            whole = abs(value.numerator) * 10**places // value.denominator
            text = str(whole).rjust(places + 1, "0")
            sign = "-" if value < 0 else ""
            return f"{sign}{text[:-places]}.{text[-places:]}"
    return f"{value.numerator}/{value.denominator}"


def texts(gold: str) -> Iterator[str]:
    """Other texts close to a gold: a letter more, less or swapped, a negation."""
    near = [f"not {gold}", f"{gold}s", f"{gold} or something else", f"un{gold}"]
    near += [gold[:-1], gold[1:], gold[::-1], f"{gold}{gold}", f"{gold}, {gold}"]
    for place in range(len(gold) - 1):
        near.append(gold[:place] + gold[place + 1] + gold[place] + gold[place + 2 :])
    same = "".join(gold.casefold().split())
    for text in dict.fromkeys(near):
        if text.strip() and "".join(text.casefold().split()) != same:
            yield text


def letters(gold: str, extra: Mapping[str, Any]) -> Iterator[str]:
    """The item's other letters, their texts, and sentences that hold the gold's."""
    choices = extra["choices"]
    for letter, text in choices.items():
        if letter != gold:
            yield from (letter, f"({letter})", f"{letter}. {text}", text)
            yield f"It might look like {gold}, but the answer is {letter}."
    yield from (f"{gold}nswer", f"not {gold}", f"{gold} or another", "none of them")
