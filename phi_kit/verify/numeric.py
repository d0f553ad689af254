"""Numeric answers: find the number a response ends on and compare exactly.

Numbers are compared as fractions, so `0.5`, `1/2` and `.50` are one answer
and no float rounding decides a verdict.
"""

from __future__ import annotations

import re
from fractions import Fraction

from phi_kit.data.records import Seed

from .base import Verdict, compare, visible

# `7`, `1,234.5`, `.5`, `1e-5`, `3/4`, `1 1/2`
_PLAIN = r"(?:\d+(?:,\d+)*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d{1,3}(?!\d))?"
_NUMBER = rf"[-+]?(?:\d+[ ]\d+/\d+|{_PLAIN}(?:\s*/\s*\d+)?)"
_PARTS = re.compile(rf"([-+]?)(?:(\d+) )?({_PLAIN})(?:\s*/\s*(\d+))?")
_NUMBERS = re.compile(rf"(?<![A-Za-z\d.]){_NUMBER}(?!\d)")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(?!,)(\.\d+)?")
_LONGEST = 300  # digits; a model that runs wild writes thousands of them

_BOX = re.compile(r"\\boxed\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
# What else announces a final answer, strongest first.
_MARKS = (
    re.compile(r"####\s*(?=[^\w\n]*\d)(.+)"),
    re.compile(
        r"(?:^|\n)[\s*_#>]*(?:final )?answer[\s*_]*(?:is|:|=)[\s*_]*(.+)", re.IGNORECASE
    ),
    re.compile(r"\banswer is:?\s*(.+)", re.IGNORECASE),
)
# A marked answer ends where its reasons begin.
_CLAUSE = re.compile(r"[;(]|[,.](?:\s|$)|\b(?:because|since)\b", re.IGNORECASE)
# `3 + 4` states no number, unless an equals sign or a word comes between.
_OPEN_SUM = re.compile(rf"{_NUMBER}[ \t]*[-+*×÷^][ \t]*{_NUMBER}\W*$")
_COUNTS = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_WORDS = {word: str(value) for value, word in enumerate(_COUNTS)}
_WORDS |= {"once": "1", "twice": "2", "thrice": "3"}
# Words that make another number of the one beside them: `twenty-one`.
_OTHERS = re.compile(r"\b(\w+teen|\w+ty|hundred|thousand|half|minus|negative)\b")
_LATEX = (
    (re.compile(r"\s*\\[dt]?frac\s*\{(\d+)\}\s*\{(\d+)\}"), r" \1/\2"),
    (re.compile(r"(?<=\d)(?:\{,\}|\\[,!;])(?=\d{3})"), ","),
    (re.compile(r"\\(?:text|mathrm|mathbf)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\(?:times|cdot)"), "×"),
    (re.compile(r"([-+]?)\s*\\?\$\s*(?=[\d.])"), r"\1"),  # -$5
    (re.compile(r"[−–]"), "-"),
    (re.compile(r"(?<![\w)])-\s+(?=\d+/)"), "-"),  # - \frac{1}{2}
    # A binary minus written close (`12-7`) is not a sign.
    (re.compile(r"(?<=\d)[ \t]*-[ \t]*(?=\d)"), " - "),
)


def parse(text: str) -> Fraction | None:
    """The number a short answer is, or `None`."""
    clean = _plain(text).strip().strip("$*_` ").rstrip("$*_`. %")
    if len(clean) > _LONGEST or not re.fullmatch(_NUMBER, clean):
        return None
    if "," in clean and not _THOUSANDS.fullmatch(clean):
        return None
    sign, whole, top, bottom = _PARTS.fullmatch(clean.replace(",", "")).groups()
    if bottom and not int(bottom):
        return None
    value = int(whole or 0) + Fraction(top) / int(bottom or 1)
    return -value if sign == "-" else value


def final(response: str) -> str:
    """The number a response states as its answer, or an empty text."""
    text = visible(response)
    if boxes := _BOX.findall(text):
        # A box holds the answer and nothing else; of two numbers neither counts.
        numbers = _NUMBERS.findall(_plain(boxes[-1]))
        return numbers[-1] if len(numbers) == 1 or "=" in boxes[-1] else ""
    for mark in _MARKS:
        if found := mark.findall(text):
            piece = _CLAUSE.split(_plain(found[-1]).strip(), maxsplit=1)[0]
            return _stated(piece, first="=" not in piece)
    return _stated(_plain(text), first=False)


def verify(seed: Seed, response: str) -> Verdict:
    """Compare the number a response ends on with the seed's gold answer."""
    shown = final(response)
    return compare(parse(seed.answer), parse(shown), shown=shown)


def _plain(text: str) -> str:
    """LaTeX and typography as plain characters."""
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    return text


def _stated(text: str, *, first: bool) -> str:
    """The first or last number of a text; a count in words where it has none."""
    if numbers := _NUMBERS.findall(text):
        return "" if _OPEN_SUM.search(text) else numbers[0 if first else -1]
    words = text.lower()
    said = [_WORDS[word] for word in re.findall(r"[a-z]+", words) if word in _WORDS]
    return said[-1] if said and not _OTHERS.search(words) else ""
