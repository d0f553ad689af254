"""What every verifier returns, the one way to call it, and the cases it carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

from phi_kit.core.errors import PhiKitError

# Every verifier reads the response without its thinking.
from phi_kit.core.thinking import visible as visible
from phi_kit.data.records import Seed
from phi_kit.data.verdict import NO_ANSWER, Verdict, Verifier
from phi_kit.data.verdict import UNREADABLE_GOLD as NO_GOLD
from phi_kit.data.verdict import VerdictValue as Value

NO_TOLERANCE = "the item's tolerance cannot be read"


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
        written = {name: writable(text) for name, text in texts.items()}
        return verdict if written == texts else replace(verdict, **written)

    guard.guarded = True
    return guard


def writable(text: str) -> str:
    """A text as UTF-8 can hold it."""
    return text.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class Case:
    """One row of a verifier's own table, which the court and the tests run.

    Args:
        gold: the item's answer.
        response: what a model said.
        value: the strict verdict it must get.
        lenient: the lenient one; without it the same.
        extra: what the seed carries besides the answer.
        prompt: the item's prompt, where a verifier reads it.
        about: the thread or the rule the case stands for.
    """

    gold: str
    response: str
    value: Value
    lenient: Value | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    prompt: str = ""
    about: str = ""


def tolerance(facts: Mapping[str, Any], default: float) -> float | None:
    """The relative tolerance an item states, or `None` for one that is no number."""
    given = facts.get("tolerance")
    if given in (None, ""):
        return default
    try:
        value = float(given)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if 0 <= value < float("inf") else None


def compare(
    gold: object, found: object, *, shown: str, lenient: Value | None = None
) -> Verdict:
    """Right or wrong for two parsed answers; `None` means unreadable."""
    if gold is None:
        return Verdict("unknown", NO_GOLD, shown)
    if found is None:
        return Verdict("wrong", NO_ANSWER, shown, lenient)
    if gold == found:
        return Verdict("right", "equal", shown)
    return Verdict("wrong", "another answer", shown, lenient)
