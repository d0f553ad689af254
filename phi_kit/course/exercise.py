"""Exercises of the notebooks, and what becomes of a reader's answer.

Four states are told apart: *right*; *wrong*, with a hint for that very mistake;
*untouched* (`answer = None`), which stops no run; and *raised*, where the reader's
own code failed and its own traceback is what they see. Nothing is counted, stored or
sent anywhere.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, NamedTuple

from phi_kit.core.errors import PhiKitError

State = Literal["right", "untouched"]
_COLOURS = {"right": "#2a7f3f", "untouched": "#767676"}


class WrongAnswerError(PhiKitError, ValueError):
    """An answer that is not right yet; the message says what to look at."""


@dataclass(frozen=True)
class Feedback:
    """What an exercise says of an answer that stops nothing.

    Args:
        state: `right` or `untouched`; a wrong answer and code that fails raise.
        words: what the reader is told.
    """

    state: State
    words: str

    def __repr__(self) -> str:
        return self.words

    def _repr_html_(self) -> str:
        style = f"border-left:4px solid {_COLOURS[self.state]};padding:4px 10px"
        return f'<div style="{style}">{html.escape(self.words)}</div>'


class Kind(NamedTuple):
    """A kind of answer.

    Attributes:
        name: how it is called in a hint: `a number`.
        fits: whether an answer is of it.
    """

    name: str
    fits: Callable[[Any], bool]


NUMBER = Kind(
    "a number", lambda given: isinstance(given, Real) and not isinstance(given, bool)
)
FUNCTION = Kind("a function", callable)


class Mistake(NamedTuple):
    """An answer that a typical misunderstanding leads to.

    Attributes:
        made: whether an answer is of that kind.
        hint: what to look at; it does not give the answer away.
    """

    made: Callable[[Any], bool]
    hint: str


@dataclass(frozen=True)
class Exercise:
    """One question with its check.

    Args:
        kind: of what kind an answer is.
        right: whether an answer is right. A function that a reader wrote is handed
            over ready to be called; what it raises is theirs.
        shown: what a right answer shows, told when it is given.
        mistakes: typical ones, the first that fits is named.
        hint: where none of them fits.
    """

    kind: Kind
    right: Callable[[Any], bool]
    shown: str
    mistakes: Sequence[Mistake]
    hint: str

    def check(self, answer: Any) -> Feedback:
        """Look at an answer.

        Args:
            answer: the reader's; `None` is none yet.

        Raises:
            WrongAnswerError: it is wrong, or no answer of this kind.
            Exception: whatever the reader's own function raised, as it raised it.
        """
        __tracebackhide__ = True  # IPython then shows the reader's frames alone
        if answer is None:
            return Feedback("untouched", "Not answered yet: set `answer` above.")
        if not self.kind.fits(answer):
            raise WrongAnswerError(
                f"{self.kind.name} is asked for, and this is "
                f"{type(answer).__name__}: {answer!r}"
            )
        given = _ReadersFunction(answer) if self.kind is FUNCTION else answer
        try:
            if self.right(given):
                return Feedback("right", f"Right. {self.shown}")
            hints = (mistake.hint for mistake in self.mistakes if mistake.made(given))
            hint = next(hints, self.hint)
        except _ReaderError as error:
            raise error.own from None
        raise WrongAnswerError(f"Not yet: {hint}")


class _ReaderError(Exception):
    """What a reader's function raised."""

    def __init__(self, own: Exception):
        super().__init__(own)
        self.own = own


class _ReadersFunction:
    """A reader's function: what it raises can be told from a fault of the check."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function

    def __call__(self, *given: Any) -> Any:
        try:
            return self.function(*given)
        except Exception as error:
            # Its own frames: this one is not of the reader's doing.
            trace = error.__traceback__.tb_next if error.__traceback__ else None
            words = f"raised by your function, called with {given!r}"
            error.add_note(words)
            raise _ReaderError(error.with_traceback(trace)) from None


def about(value: float, *, within: float = 0.005) -> Callable[[Any], bool]:
    """Whether a number is this one, but for rounding."""
    return lambda given: abs(float(given) - value) <= within


def gives(*cases: tuple[tuple[Any, ...], Any]) -> Callable[[Any], bool]:
    """Whether a function answers every case so; numbers may differ by rounding.

    Args:
        cases: what it is called with, and what it is to return.
    """

    def same(function: Callable[..., Any]) -> bool:
        return all(_same(function(*given), wanted) for given, wanted in cases)

    return same


def _same(found: Any, wanted: Any) -> bool:
    if NUMBER.fits(found) and NUMBER.fits(wanted):
        return about(wanted, within=1e-6)(found)
    return type(found) is type(wanted) and found == wanted
