"""The result of checking one response: right, wrong or unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .records import Seed

VerdictValue = Literal["right", "wrong", "unknown"]

NO_ANSWER = "no answer found"
UNREADABLE_GOLD = "the gold answer cannot be read"


@dataclass(frozen=True)
class Verdict:
    """What a verifier says of one response, in two readings.

    Args:
        value: the strict reading: a marked answer, or a response that is only
            the answer or plainly ends with it.
        reason: why, in a few words.
        extracted: what was read as the answer.
        lenient: the value when the answer may stand anywhere in the response;
            without one the strict value. Strictly right is leniently right.

    `unknown` means that nobody can tell: the *gold* cannot be read, or a
    checker ran out of time on it. A response without a readable answer is
    `wrong`, with "no answer found" as its reason.
    """

    value: VerdictValue
    reason: str
    extracted: str = ""
    lenient: VerdictValue | None = None

    def __post_init__(self) -> None:
        if self.lenient is None or self.value == "right":
            object.__setattr__(self, "lenient", self.value)

    @property
    def right(self) -> bool:
        """Whether the response earned its point, strictly read."""
        return self.value == "right"

    @property
    def unparsed(self) -> bool:
        """Whether the strict reading found nothing to compare."""
        return self.value == "wrong" and self.reason == NO_ANSWER


Verifier = Callable[[Seed, str], Verdict]
