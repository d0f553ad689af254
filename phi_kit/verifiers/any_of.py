"""Items with several right answers: whatever the verifier, each of them counts."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps

from phi_kit.data.records import ACCEPTED, Seed

from .base import Verdict, Verifier


def accept_any_gold(verifier: Verifier) -> Verifier:
    """A verifier that also tries the further golds in an item's `extra`.

    The first gold that a response meets has the word, and without one the item's
    own; what one of them finds leniently right is leniently right.
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
