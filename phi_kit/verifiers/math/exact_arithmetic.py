"""Exact arithmetic: what a written number is, as a fraction.

Everything made of digits is decided here, without floats and without workers:
`1/2^{99}` and `1/2^{98}` differ, however small they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import factorial, isqrt

# Limits (kit defaults): larger numbers go to a worker that can be killed.
_BITS = 100_000
_LENGTH = 300
_FACTORIAL = 3_000
_DIGITS = 2_000

_TOKEN = re.compile(
    r"\s*(?:(\d[\d,]*(?:\.\d+)?(?:[eE][+-]?\d{1,3})?|\.\d+)"
    r"|(\\frac|\\sqrt|\\times|\\cdot|\\pm|\*|[-+/^!(){}\[\]]))"
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_SPACED = re.compile(r"[-+]?\d{1,3}(?: \d{3})+(?:\.\d+)?")
_MIXED = re.compile(r"([-+]?)(\d+)(?:\s+|\s*(?=\\frac))(\d+/\d+|\\frac\{\d+\}\{\d+\})")
_PLAIN = re.compile(r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)")
_TIMES = re.compile(r"(?<=[\d.])\s*[xX]\s*(?=10\s*\^)")


@dataclass(frozen=True)
class ExactNumber:
    """A number, and whether it is worked out or still a sum or a product."""

    value: Fraction
    worked_out: bool = True


class _NotExact(Exception):  # noqa: N818 - an outcome, no error
    pass


def parse_exact(text: str) -> ExactNumber | None:
    """The number that a plain text is, or `None` where it is something else.

    Args:
        text: an answer after `latex.plain`, without unit and percent sign.
    """
    text = text.strip()
    if _PLAIN.fullmatch(text) and len(text) <= _DIGITS:
        return ExactNumber(Fraction(text))
    if len(text) > _LENGTH or not text or not re.search(r"\d", text):
        return None
    if _SPACED.fullmatch(text):
        text = text.replace(" ", "")
    if mixed := _MIXED.fullmatch(text):
        part = parse_exact(mixed[3])
        if part is None or part.value >= 1:
            return None
        value = int(mixed[2]) + part.value
        return ExactNumber(-value if mixed[1] == "-" else value)
    try:
        return _Parser(_TIMES.sub(r"\\times ", text)).read()
    except (_NotExact, ZeroDivisionError, RecursionError):
        return None


class _Parser:
    """Recursive descent over sums, products, powers, fractions and roots."""

    def __init__(self, text: str):
        self.tokens: list[str] = []
        self.at = self.steps = 0
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise _NotExact
            self.tokens.append(match[1] or match[2])
            position = match.end()

    def read(self) -> ExactNumber:
        value = self.sum()
        if self.at < len(self.tokens):
            raise _NotExact
        return ExactNumber(value, not self.steps)

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        token = self.peek()
        if token not in wanted:
            return ""
        self.at += 1
        return token

    def sum(self) -> Fraction:
        value = self.product()
        while sign := self.take("+", "-"):
            self.steps += 1
            value += self.product() if sign == "+" else -self.product()
        return _small(value)

    def product(self) -> Fraction:
        value = self.signed()
        while sign := self.take("*", r"\times", r"\cdot", "/"):
            begin = self.at
            other = self.signed()
            # `3 × 10^4` is a way to write a number; `3 × 4` is work to do.
            if sign != "/" and self.tokens[begin : begin + 2] != ["10", "^"]:
                self.steps += 1
            value = value / other if sign == "/" else value * other
        return _small(value)

    def signed(self) -> Fraction:
        if self.take("-"):
            return -self.signed()
        self.take("+")
        return self.power()

    def power(self) -> Fraction:
        base = self.atom()
        while self.take("!"):
            base = _factorial(base)
        if not self.take("^"):
            return base
        return _power(base, self.signed())

    def atom(self) -> Fraction:
        if self.take(r"\frac"):
            return self.group("{") / self.group("{")
        if self.take(r"\sqrt"):
            return _root(self.group("{"))
        for opening in "({":
            if self.peek() == opening:
                return self.group(opening)
        return self.number()

    def group(self, opening: str) -> Fraction:
        if not self.take(opening):
            raise _NotExact
        value = self.sum()
        if not self.take({"(": ")", "{": "}"}[opening]):
            raise _NotExact
        return value

    def number(self) -> Fraction:
        token = self.peek()
        if not token[:1].isdigit() and token[:1] != ".":
            raise _NotExact
        if "," in token and not _THOUSANDS.fullmatch(token):
            raise _NotExact
        self.at += 1
        return Fraction(token.replace(",", ""))


def _small(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > _BITS:
        raise _NotExact
    return value


def _factorial(value: Fraction) -> Fraction:
    if value.denominator != 1 or not 0 <= value <= _FACTORIAL:
        raise _NotExact
    return Fraction(factorial(int(value)))


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1:
        raise _NotExact
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if bits * abs(exponent) > _BITS:
        raise _NotExact
    return base ** int(exponent)


def _root(value: Fraction) -> Fraction:
    if value < 0:
        raise _NotExact
    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    if top * top != value.numerator or bottom * bottom != value.denominator:
        raise _NotExact
    return Fraction(top, bottom)
