"""Numeric answers: find the number a response ends on and compare exactly.

Numbers are compared as fractions, so `0.5`, `1/2` and `.50` are one answer
and no float rounding decides a verdict. A seed whose `extra` names a
`tolerance` (relative, such as 0.01) is compared within it.
"""

from __future__ import annotations

import re
from fractions import Fraction

from phi_kit.data.records import Seed

from . import marks
from .base import NO_TOLERANCE, Case, Value, Verdict, compare, tolerance, visible

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
    re.compile(r"\banswer(?: to [^.\n]{1,60}?)? is:?\s*(.+)", re.IGNORECASE),
)
# A marked answer ends where its reasons begin.
_CLAUSE = re.compile(r"[;(]|[,.](?:\s|$)|\b(?:because|since)\b", re.IGNORECASE)
_HEDGE = re.compile(rf"\W*(?:not\b|{_NUMBER}\W*\b(?:or|and/or)\b\W*{_NUMBER})", re.I)
# `3 + 4` states no number, unless an equals sign or a word comes between; nor
# does `3 + 4 =` or a response cut off at `12 +`.
_OPEN_SUM = re.compile(
    rf"{_NUMBER}[ \t]*(?:(?:\*\*|[-+*×÷^]|/[ \t]*\d+[ \t]*/)[ \t]*{_NUMBER}\W*|"
    r"(?:[-+×÷^=]|[ \t]\*)\s*)$"
)
_NEAR_END = 120  # characters it is searched in: over thousands it takes for ever
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
            return said(found[-1], marked=True)
    return said(text)


def said(text: str, *, marked: bool = False) -> str:
    """The number that a piece of text says, or an empty text.

    After a mark the first number answers, up to where its reasons begin; in
    running text the last one does. "5 or 7" and "not 5" answer nothing.
    """
    text = _plain(text)
    if not marked:
        return _stated(text, first=False)
    if _HEDGE.match(text):
        return ""
    piece = _CLAUSE.split(text.strip(), maxsplit=1)[0]
    return _stated(piece, first="=" not in piece)


def anywhere(response: str) -> list[str]:
    """Every number that a lenient reader could take for the answer."""
    text = visible(response)
    pieces = [said(piece, marked=True) for piece in marks.everywhere(text)]
    plain = _plain(text)
    if not _OPEN_SUM.search(plain[-_NEAR_END:]):
        pieces += _NUMBERS.findall(plain)[-1:]
    return [piece for piece in pieces if piece]


def verify(seed: Seed, response: str) -> Verdict:
    """Compare the number a response ends on with the seed's gold answer."""
    shown = final(response)
    gold, found = parse(seed.answer), parse(shown)
    near = tolerance(seed.facts, 0.0) if len(seed.extra) > 2 else 0.0
    if near is None:
        return Verdict("unknown", NO_TOLERANCE, shown)
    if gold is None or (found is not None and gold == found):
        return compare(gold, found, shown=shown)
    if found is not None and _near(gold, found, near):
        return Verdict("right", "within the tolerance", shown)
    others = [other for other in map(parse, anywhere(response)) if other is not None]
    fits = any(_near(gold, other, near) for other in others)
    lenient: Value = "right" if fits else "wrong"
    return compare(gold, found, shown=shown, lenient=lenient)


def _near(gold: Fraction, found: Fraction, share: float) -> bool:
    return abs(gold - found) <= abs(gold) * Fraction(share)


def _plain(text: str) -> str:
    """LaTeX and typography as plain characters."""
    for pattern, plain in _LATEX:
        text = pattern.sub(plain, text)
    return text


def _stated(text: str, *, first: bool) -> str:
    """The first or last number of a text; a count in words where it has none."""
    if numbers := _NUMBERS.findall(text):
        return (
            "" if _OPEN_SUM.search(text[-_NEAR_END:]) else numbers[0 if first else -1]
        )
    words = text.lower()
    said = [_WORDS[word] for word in re.findall(r"[a-z]+", words) if word in _WORDS]
    return said[-1] if said and not _OTHERS.search(words) else ""


CASES = (
    Case("73", "**73**", "right", about="Math-Verify #76"),
    Case("73", "✅ Final Answer: **73**", "right", about="Math-Verify #76"),
    Case("13", r"\boxed{\text{13}}", "right", about="Math-Verify #37"),
    Case("18", "Step by step ...\n#### 18", "right", about="lm-eval #3438"),
    Case("18", "<think>18</think> The answer is 17", "wrong", about="lm-eval #3210"),
    Case("18", "<think>It is 18", "wrong", about="lm-eval #3382"),
    Case("72", "<think>72?</think> So the answer is 72.", "right"),
    Case("5", "The answer is 5 or 7", "wrong", about="who hedges answers nothing"),
    Case("5", "The answer is not 5", "wrong", "right", about="a denial is no answer"),
    Case("10", "10 ** 10 ** 10", "wrong", about="a power is no answer"),
    Case("7", "14 - 7 =", "wrong", about="the question said again"),
    Case("1234", "1,234", "right"),
    Case("1/2", "0.5", "right"),
    Case("7", "seven", "right", about="a count in words is a number"),
    Case("-3", "−3", "right"),
    Case("3", "-3", "wrong"),
    Case("", "5", "unknown", about="NeMo-Skills #1092"),
    Case("5", "", "wrong"),
)
