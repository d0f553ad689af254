"""What every verifier shares: the verdict, the guard around it, comparisons.

Every verifier reads a response without its thinking (`visible`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

from phi_kit.core.errors import PhiKitError
from phi_kit.core.thinking import visible
from phi_kit.data.records import ACCEPTED, Seed
from phi_kit.data.verdict import (
    NO_ANSWER,
    UNREADABLE_GOLD,
    Verdict,
    VerdictValue,
    Verifier,
)

__all__ = [
    "NO_ANSWER",
    "NO_TOLERANCE",
    "UNREADABLE_GOLD",
    "Verdict",
    "VerdictValue",
    "Verifier",
    "accept_any_gold",
    "as_utf8",
    "compare_parsed",
    "guarded",
    "relative_tolerance",
    "visible",
]

NO_TOLERANCE = "the item's tolerance cannot be read"


def guarded(verifier: Verifier) -> Verifier:
    """A verifier that gives a verdict whatever the response is.

    An exception costs this one verdict (`unknown`), not a run of thousands; a
    `PhiKitError` is still raised, as the user can mend its cause. Half a surrogate
    pair in a text is spelled out, so that every file can hold it.
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


def accept_any_gold(verifier: Verifier) -> Verifier:
    """A verifier that also tries the further golds in an item's `extra`.

    The verdict is that of the first gold that the response meets, else that of the
    item's own gold; leniently right by one of them is leniently right.
    """

    @wraps(verifier)
    def verify(seed: Seed, response: str) -> Verdict:
        verdict = verifier(seed, response)
        if verdict.right or ACCEPTED not in seed.extra:
            return verdict
        for gold in seed.facts.get(ACCEPTED) or ():
            other = verifier(replace(seed, answer=str(gold)), response)
            if other.right:
                return other
            if other.lenient == "right":
                verdict = replace(verdict, lenient="right")
        return verdict

    return verify


def as_utf8(text: str) -> str:
    """A text as UTF-8 can hold it."""
    return text.encode("utf-8", "backslashreplace").decode()


def relative_tolerance(facts: Mapping[str, Any], default: float) -> float | None:
    """The relative tolerance an item states; `None` if it is not a number."""
    stated = facts.get("tolerance")
    if stated in (None, ""):
        return default
    try:
        value = float(stated)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if 0 <= value < float("inf") else None


def compare_parsed(
    gold: object, answer: object, *, shown: str, lenient: VerdictValue | None = None
) -> Verdict:
    """Right or wrong for two parsed answers; `None` means unreadable."""
    if gold is None:
        return Verdict("unknown", UNREADABLE_GOLD, shown)
    if answer is None:
        return Verdict("wrong", NO_ANSWER, shown, lenient)
    if gold == answer:
        return Verdict("right", "equal", shown)
    return Verdict("wrong", "another answer", shown, lenient)
