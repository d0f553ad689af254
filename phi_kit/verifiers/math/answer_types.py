"""The types an answer may have; `typed` reads them, `matching` compares them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Value:
    """An answer; `text` is how it was written, in plain spelling."""

    text: str


@dataclass(frozen=True)
class Number(Value):
    """A number as it is written (`50` for `50%`), with what stands around it."""

    value: Fraction = Fraction(0)
    percent: bool = False
    unit: str = ""
    worked_out: bool = True


@dataclass(frozen=True)
class Based(Value):
    """Digits in another base than ten: `52_8`."""

    digits: str = ""
    base: int = 10


@dataclass(frozen=True)
class Group(Value):
    """Brackets that keep an order: a tuple, an interval, a list."""

    ends: str = "()"
    items: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Bag(Value):
    r"""Items in any order: `{1, 2}`, `1 and 2`, `x = 1 or x = 2`, `±3`.

    `braces` may be "set" (`\{1, 2\}`), "plain" (`{1, 2}`, which LaTeX does not
    show) or empty.
    """

    items: tuple[Value, ...] = ()
    braces: str = ""


@dataclass(frozen=True)
class Union(Value):
    """Intervals joined by `∪`, or one part of the real line in several pieces."""

    items: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Matrix(Value):
    """Rows of entries in brackets."""

    rows: tuple[tuple[Value, ...], ...] = ()


@dataclass(frozen=True)
class Equation(Value):
    """A name, or a tuple of names, with its value: `x = 5`, `(x, y) = (1, 2)`."""

    left: str = ""
    right: Value = Value("")


@dataclass(frozen=True)
class Formula(Value):
    """Anything mathematical that only a computer algebra system can compare."""


@dataclass(frozen=True)
class Words(Value):
    """Plain words, compared as words."""
