"""Numeric answers: find the number a response ends on and compare exactly.

Numbers are compared as fractions, so `0.5`, `1/2` and `.50` are one answer
and no float rounding decides a verdict.
"""

from __future__ import annotations

import re
from fractions import Fraction

from phi_kit.data.records import Seed

from .base import Verdict, compare, visible

_NUMBER = r"[-+]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:\s*/\s*\d+)?"
_NUMBERS = re.compile(rf"(?<![\w.]){_NUMBER}(?![\d])")
# What announces a final answer, strongest first.
_MARKS = (
    re.compile(r"\\boxed\s*\{([^{}]*)\}"),
    re.compile(r"####\s*(.+)"),
    re.compile(r"(?:^|\n)\s*(?:final )?answer\s*(?:is|:)\s*(.+)", re.IGNORECASE),
    re.compile(r"\banswer is:?\s*(.+)", re.IGNORECASE),
)
_COUNTS = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_WORDS = {word: str(value) for value, word in enumerate(_COUNTS)}
_WORDS |= {"once": "1", "twice": "2", "thrice": "3"}
# A binary minus written close (`12-7`) is not a sign.
_CLOSE_MINUS = re.compile(r"(?<=\d)\s*[-−–]\s*(?=\d)")


def parse(text: str) -> Fraction | None:
    """The number a short answer is, or `None`."""
    clean = text.strip().strip("$*_`. ").replace("−", "-").rstrip("%")
    if not re.fullmatch(_NUMBER, clean):
        return None
    if "," in clean and not re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", clean):
        return None
    top, _, bottom = clean.replace(",", "").replace(" ", "").partition("/")
    if bottom and not int(bottom):
        return None
    return Fraction(top) / int(bottom or 1)


def final(response: str) -> str:
    """The piece of a response that states its answer, or an empty text."""
    text = visible(response)
    for mark in _MARKS:
        found = mark.findall(text)
        if found:
            text = found[-1]
            break
    numbers = _NUMBERS.findall(_CLOSE_MINUS.sub(" - ", text.replace("−", "-")))
    if not numbers:
        said = [_WORDS[w] for w in re.findall(r"[a-z]+", text.lower()) if w in _WORDS]
        return said[-1] if said else ""
    # After a mark the first number answers; in running text the last one does.
    marked = text != visible(response)
    return numbers[0] if marked and "=" not in text else numbers[-1]


def verify(seed: Seed, response: str) -> Verdict:
    """Compare the number a response ends on with the seed's gold answer."""
    shown = final(response)
    return compare(parse(seed.answer), parse(shown), shown=shown)
