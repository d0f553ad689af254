"""Answers in sentences: the gold has to be said, once, and nothing against it.

For a model that answers "The capital of Israel is Jerusalem." where the gold is
`Jerusalem`. The gold must stand there as whole words (spelled as `exact` wants it)
and be asserted: "not Rome", "Rome or Paris", "Is it Rome?" and a bare list of
candidates say nothing. In one sentence it may stand only once. Where the item has
options no other option's text may stand beside it. A mark (`Answer: …`) says where
the answer is; then only that place is read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from phi_kit.data.records import Seed, is_sentinel

from . import answer_extraction, choice
from .base import NO_ANSWER, UNREADABLE_GOLD, Verdict, visible
from .text_equality import has_content, mentions


def verify(seed: Seed, response: str) -> Verdict:
    """Whether the response says the gold and nothing that takes it back."""
    text = visible(response)
    options = choice.choices(seed) if "choices" in seed.extra else {}
    gold, others = seed.answer, []
    if options:
        gold_option = choice.gold_of(seed, options)
        if not gold_option.label:
            return Verdict("unknown", gold_option.question or UNREADABLE_GOLD)
        if label := choice.strict_label(text, options):
            return _option(gold_option.label, label)
        gold, others = _texts(gold_option.label, options)
    if is_sentinel(gold) or not has_content(gold):
        return Verdict("unknown", UNREADABLE_GOLD)
    if not re.search(r"\w", text):
        return Verdict("wrong", NO_ANSWER)
    finals = answer_extraction.final_answers(answer_extraction.from_last_mark(text))
    value, reason, where = _read(gold, finals[-1] if finals else text, others)
    lenient = "right" if any(says for _, says in mentions(gold, text)) else "wrong"
    return Verdict(value, reason, where.strip()[:200], lenient)


def _option(gold: str, label: str) -> Verdict:
    if gold == label:
        return Verdict("right", "the option's letter", label)
    return Verdict("wrong", "another option", label)


def _texts(label: str, options: Mapping[str, str]) -> tuple[str, list[str]]:
    """The gold option's text, and the others' that are no part of it."""
    gold = options[label]
    others = [text for other, text in options.items() if other != label]
    return gold, [text for text in others if not any(mentions(text, gold))]


def _read(gold: str, text: str, others: list[str]) -> tuple[str, str, str]:
    mentioned = list(mentions(gold, text))
    if not mentioned:
        return "wrong", "the gold is not said", text
    affirmed = [sentence for sentence, says in mentioned if says]
    if len(affirmed) < len(mentioned):
        return "wrong", "the gold is denied, asked or one of several", mentioned[-1][0]
    if max(Counter(affirmed).values()) > 1:
        return "wrong", "the gold is said more than once", affirmed[-1]
    plain = re.sub(r"[^.!?\n]*\?", " ", text)
    if any(any(mentions(other, plain)) for other in others):
        return "wrong", "another option stands beside it", affirmed[-1]
    return "right", "the gold is said", affirmed[-1]
