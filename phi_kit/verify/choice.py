"""One of a few words: yes or no, true or false."""

from __future__ import annotations

import re

from phi_kit.data.records import Seed

from .base import Verdict, compare, visible

_DENIED = re.compile(r"(?:\bnot|n['’]t)\s+(?:true|false)\b")
_PAIRS = ({"yes", "no"}, {"true", "false"})


def verify(seed: Seed, response: str) -> Verdict:
    """The response must name the gold word and not the other one.

    Only the words of the gold's own pair are looked for; a response that says
    both, or that something is "not true", has not answered.
    """
    gold = seed.answer.strip().lower()
    pair = next((pair for pair in _PAIRS if gold in pair), None)
    text = _DENIED.sub("", visible(response).lower())
    words = set(re.findall(r"[a-z]+", text))
    found = words & (pair or set())
    shown = found.pop() if len(found) == 1 else None
    return compare(gold if pair else None, shown, shown=shown or "")
