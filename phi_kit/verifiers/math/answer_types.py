"""The types an answer may have; `parse` reads them, `compare` compares them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Answer:
    """An answer; `text` is its normalized spelling."""

    text: str


@dataclass(frozen=True)
class NumberAnswer(Answer):
    """A number as it is written (`50` for `50%`), with what stands around it."""

    value: Fraction = Fraction(0)
    percent: bool = False
    unit: str = ""
    worked_out: bool = True


@dataclass(frozen=True)
class BasedNumber(Answer):
    """Digits in another base than ten: `52_8`."""

    digits: str = ""
    base: int = 10


@dataclass(frozen=True)
class SequenceAnswer(Answer):
    """Brackets that keep an order: a tuple, an interval, a list."""

    ends: str = "()"
    items: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class SetAnswer(Answer):
    r"""Items in any order: `{1, 2}`, `1 and 2`, `x = 1 or x = 2`, `±3`.

    `braces` may be "set" (`\{1, 2\}`), "plain" (`{1, 2}`, which LaTeX does not
    show) or empty.
    """

    items: tuple[Answer, ...] = ()
    braces: str = ""


@dataclass(frozen=True)
class UnionAnswer(Answer):
    """Intervals joined by `∪`, or one part of the real line in several pieces."""

    items: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class MatrixAnswer(Answer):
    """Rows of entries in brackets."""

    rows: tuple[tuple[Answer, ...], ...] = ()


@dataclass(frozen=True)
class EquationAnswer(Answer):
    """A name, or a tuple of names, with its value: `x = 5`, `(x, y) = (1, 2)`."""

    left: str = ""
    right: Answer = Answer("")


@dataclass(frozen=True)
class FormulaAnswer(Answer):
    """Anything mathematical that only a computer algebra system can compare."""


@dataclass(frozen=True)
class TextAnswer(Answer):
    """Plain words, compared as words."""
