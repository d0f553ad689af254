"""Short exact answers: a word, a name, a list, yes or no."""

from __future__ import annotations

import re

from phi_kit.data.records import Seed, normal

from .base import Verdict, compare, visible

_MARK = re.compile(r"(?:^|\n)\s*(?:final )?answer\s*(?:is|:)\s*(.+)", re.IGNORECASE)


def parse(text: str) -> str | None:
    """An answer as it is compared: one case, no quotes, no full stop."""
    return normal(text).strip("\"'`*_. ") or None


def verify(seed: Seed, response: str) -> Verdict:
    """The whole answer must be the gold one, up to case and quotes.

    A sentence that merely contains the gold is no answer: that rule is what
    lets guessers pass.
    """
    text = visible(response)
    marked = _MARK.findall(text)
    shown = marked[-1] if marked else text
    return compare(parse(seed.answer), parse(shown), shown=shown)
