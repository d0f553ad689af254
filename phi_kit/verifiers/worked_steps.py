"""Worked steps: does every equation in them that can be read hold?

A response may end on the right number after steps that are wrong; trained on, it
teaches them. Only plain arithmetic is read: what holds a letter, a function or a
word between its numbers is left alone.
"""

from __future__ import annotations

import re
from fractions import Fraction

from phi_kit.verifiers.math.exact_arithmetic import parse_exact

_NUMBER = r"(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_TERM = rf"(?:[-+(]\s*)*{_NUMBER}(?:\s*!)?\)*"
_TIMES = r"[-+*/^]|\*\*"
_SIDE = rf"{_TERM}(?:\s*(?:{_TIMES})\s*{_TERM})*"
_LEFT = re.compile(rf"({_SIDE})\s*$")
_RIGHT = re.compile(rf"\s*({_SIDE})")
# `<=`, `!=`, `:=`, `=>` are no equations; `==` is one.
_EQUALS = re.compile(r"(?<![<>!:=])={1,2}(?![=>])")
_SIGNS = str.maketrans({"×": "*", "·": "*", "⋅": "*", "÷": "/", "−": "-", "–": "-"})
_LATEX = (
    (re.compile(r"\\(?:times|cdot)(?![a-zA-Z])"), "*"),
    (re.compile(r"\\div(?![a-zA-Z])"), "/"),
    (re.compile(r"\\[dt]?frac\{([^{}]+)\}\{([^{}]+)\}"), r"((\1)/(\2))"),
    (re.compile(r"\\[,;:! ]|\\left|\\right|\*\*(?!\s*\d)|(?<![\d)])\*\*|`|\\?\$"), " "),
    (re.compile(r"<<[^<>]*>>"), ""),  # GSM8K's calculator notes
    (re.compile(r"(?<=[\d)])\s*[xX]\s*(?=[\d(.])"), " * "),
)
# What stands before a side and makes it the argument of something else.
_APPLIED = re.compile(
    r"(?:[\w)\]}%^_:,.√\\]|[/*^%(\[{]\s*|[\d)\]]\s+"
    r"|\b(?:mod|log|ln|sin|cos|tan|of|sqrt|and|x)\s+)$",
    re.IGNORECASE,
)
_JOINED = re.compile(r"\w\s*[-+]$")  # `x + 3 = 7`: the side begins before its sign
# `16 % 12 = 4`: a remainder, where two numbers stand alone; elsewhere it is unread.
_MODULO = re.compile(r"(?<![\w.)\]}%^*/+-])(?<![-%^*/+]\s)(\d+)\s*%\s*([1-9]\d*)\s*$")
# What follows a side and makes it another number, part of another term, or no claim.
_GOES_ON = re.compile(
    r"[\w%^({\[\\:]|\s*(?:[-+*/^=]\s*[a-zA-Z\\(]|\d|remainder\b|r\s*\d|rem\b|mod\b|%"
    r"|percent\b|hundred\b|thousand\b|million\b|billion\b|and\s+(?:a|\d)|and\s+\w+ly\b"
    r"|half\b|cents?\b|[a-zA-Z]\s*[-+*/^=]|\?"
    r"|(?:(?:is|→|->|=>|[:(])\s*)?(?:false|wrong|untrue|incorrect|not)\b"
    r"|[^=.]*\b(?:remainder|left over|full|whole)\b)",
    re.IGNORECASE,
)
# `28 / 1/5` divides by a fifth, `28/1/5` does not: nobody can tell.
_UNCLEAR = re.compile(r"/[^-+*]*/")
_BULLET = re.compile(r"^\s*[-+*]\s+")


def first_false_step(response: str, *, prompt: str = "") -> str:
    """The first equation that does not hold, as it stands there; else nothing.

    Args:
        response: worked steps.
        prompt: what was asked; where it ends on `=`, the response goes on from it.
    """
    if prompt.rstrip().endswith("="):
        response = f"{prompt.rstrip().splitlines()[-1]} {response.lstrip()}"
    for line in response.splitlines():
        plain = line.translate(_SIGNS)
        for pattern, replacement in _LATEX:
            plain = pattern.sub(replacement, plain)
        if match := _false(plain):
            return match
    return ""


def _false(line: str) -> str:
    for sign in _EQUALS.finditer(line):
        left = _left(line[: sign.start()])
        right = _right(line[sign.end() :])
        if left is None or right is None or right[0] is None:
            continue
        options, shown = left
        if not any(_same(value, right[0]) for value in options):
            return f"{shown.strip()} = {right[1].strip(' ,')}"
    return ""


def _left(text: str):
    """The values that the end of a text may have, and how it is written."""
    if rest := _MODULO.search(text):
        return [(Fraction(int(rest[1]) % int(rest[2])), None)], rest[0]
    match = _LEFT.search(text)
    if not match:
        return None
    shown, begin = match[1], match.start(1)
    before = text[:begin]
    options = [_value(shown)]
    if _BULLET.match(text) and not before.strip():  # `- 3 + 4 = 7` in a list
        options.append(_value(_BULLET.sub("", text)))
    elif _APPLIED.search(before) or _JOINED.search(f"{before}{shown[0]}"):
        return None
    options = [value for value in options if value is not None]
    return (options, shown) if options else None


def _right(text: str):
    match = _RIGHT.match(text)
    if not match or _GOES_ON.match(text[match.end() :]):
        return None
    return _value(match[1]), match[1]


def _value(text: str):
    """The exact value of one side, and how many decimals it shows; `None` if unread."""
    plain = text.replace("**", "^").strip().rstrip(",")
    if _UNCLEAR.search(plain):
        return None
    match = parse_exact(re.sub(r"\^\s*(\d+)", r"^{\1}", plain))
    if match is None:
        return None
    alone = re.fullmatch(r"[-+]?\s*[\d,]*(?:\.(\d+))?", plain)
    return match.value, len(alone[1] or "") if alone else None


def _same(one, other) -> bool:
    """Whether two sides are equal, a rounded decimal taken as it is meant."""
    (a, _), (b, places) = one, other
    if a == b:
        return True
    return places is not None and places > 0 and round(a, places) == b
