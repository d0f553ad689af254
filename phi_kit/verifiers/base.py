"""What every verifier returns, and the one way to call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Literal

from phi_kit.core.errors import PhiKitError

# Every verifier reads the response without its thinking.
from phi_kit.core.thinking import visible as visible
from phi_kit.data.records import Seed

Outcome = Literal["right", "wrong", "unknown"]

NO_ANSWER = "no answer found"
NO_GOLD = "the gold answer cannot be read"
NO_TOLERANCE = "the item's tolerance cannot be read"


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

    value: Outcome
    reason: str
    extracted: str = ""
    lenient: Outcome | None = None

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


def guarded(verifier: Verifier) -> Verifier:
    """A verifier that gives a verdict whatever the response is.

    What it raises costs this one verdict (`unknown`), not a run of thousands; a
    `PhiKitError` is raised still, as the user can mend its cause. Texts can be
    written to any file: half a surrogate pair is spelled out.
    """
    if getattr(verifier, "guarded", False):
        return verifier

    @wraps(verifier)
    def guard(seed: Seed, response: str) -> Verdict:
        try:
            verdict = verifier(seed, response)
        except PhiKitError:
            raise
        except Exception as error:
            return Verdict("unknown", f"the verifier failed: {type(error).__name__}")
        texts = {"reason": verdict.reason, "extracted": verdict.extracted}
        written = {name: as_utf8(text) for name, text in texts.items()}
        return verdict if written == texts else replace(verdict, **written)

    guard.guarded = True
    return guard


def as_utf8(text: str) -> str:
    """A text as UTF-8 can hold it."""
    return text.encode("utf-8", "backslashreplace").decode()


def relative_tolerance(facts: Mapping[str, Any], default: float) -> float | None:
    """The relative tolerance an item states, or `None` for one that is no number."""
    given = facts.get("tolerance")
    if given in (None, ""):
        return default
    try:
        value = float(given)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if 0 <= value < float("inf") else None


def compare_parsed(
    gold: object, found: object, *, shown: str, lenient: Outcome | None = None
) -> Verdict:
    """Right or wrong for two parsed answers; `None` means unreadable."""
    if gold is None:
        return Verdict("unknown", NO_GOLD, shown)
    if found is None:
        return Verdict("wrong", NO_ANSWER, shown, lenient)
    if gold == found:
        return Verdict("right", "equal", shown)
    return Verdict("wrong", "another answer", shown, lenient)
