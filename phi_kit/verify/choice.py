"""One of a few words: yes or no, true or false."""

from __future__ import annotations

import re

from phi_kit.data.records import Seed

from .base import Verdict, compare, visible

_PAIRS = ({"yes", "no"}, {"true", "false"})


def verify(seed: Seed, response: str) -> Verdict:
    """The response must name the gold word and not the other one.

    Only the words of the gold's own pair are looked for; a response that says
    both has not answered.
    """
    gold = seed.answer.strip().lower()
    pair = next((pair for pair in _PAIRS if gold in pair), None)
    words = set(re.findall(r"[a-z]+", visible(response).lower()))
    found = words & (pair or set())
    shown = found.pop() if len(found) == 1 else None
    return compare(gold if pair else None, shown, shown=shown or "")
