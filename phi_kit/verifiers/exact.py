"""Short exact answers: a word, a name, a list.

The whole answer must be the gold one. What is folded and what is not, case above
all, is decided in `text_equality`.
"""

from __future__ import annotations

import re

from phi_kit.data.records import Seed

from . import answer_extraction
from .base import NO_ANSWER, UNREADABLE_GOLD, Verdict, visible
from .text_equality import has_content, normalize_text, said_once, same_text

_SPANS = re.compile(r"\*\*(.+?)\*\*|`([^`\n]+)`|[\"“]([^\"”\n]+)[\"”]")
_TAIL = re.compile(r"^[^:]*?\b(?:is|are|be|was)\b:?\s+(.+)$|^[^:]{0,80}:\s*(.+)$", re.S)


def normalized_answer(text: str) -> str | None:
    """A short answer in the one spelling that answers are counted by."""
    return normalize_text(text).casefold() or None


def stated_answer(text: str) -> str:
    """The answer that a visible response announces, or else all of it."""
    text = answer_extraction.from_last_mark(text)
    answers = answer_extraction.final_answers(text)
    return answers[-1] if answers else text


def verify(seed: Seed, response: str) -> Verdict:
    """The whole answer must be the gold one, spelled the same.

    A sentence that merely contains the gold is no answer: that rule is what
    lets guessers pass. Leniently it is one (as for `contains`), and so is what any
    mark, bold span, quote, line or the last sentence ends with.
    """
    text = visible(response)
    shown, gold = stated_answer(text), normalize_text(seed.answer)
    if not has_content(seed.answer):
        return Verdict("unknown", UNREADABLE_GOLD, shown)
    below = answer_extraction.after_last_mark(text) or text  # one of several lines
    for piece in dict.fromkeys((shown, below, text)):
        if same_text(gold, normalize_text(piece)):
            return Verdict("right", "equal", piece)
    inside = any(same_text(gold, normalize_text(piece)) for piece in _candidates(text))
    lenient = "right" if inside or said_once(seed.answer, text) else "wrong"
    if not re.search(r"\w", shown):
        return Verdict("wrong", NO_ANSWER, "", lenient)
    return Verdict("wrong", "another answer", shown, lenient)


def _candidates(text: str) -> list[str]:
    last = answer_extraction.last_sentence(text)
    lines = [line for line in text.splitlines() if line.strip()]
    spans = [next(filter(None, groups)) for groups in _SPANS.findall(last)]
    tail = _TAIL.match(last)
    tails = [next(filter(None, tail.groups()))] if tail else []
    return [
        *answer_extraction.all_candidates(text),
        *spans,
        *tails,
        last,
        *lines[:1],
        *lines[-1:],
    ]
