"""Yes or no, true or false: which of the two words a response states.

`no` is also a word of sentences ("no exceptions"), and an explanation may name the
other word. What counts is a word that a mark announces, that the response opens or
ends with, or that is the only one of the two it says.
"""

from __future__ import annotations

import re

from phi_kit.data.records import Seed

from . import answer_extraction
from .base import Verdict, VerdictValue, compare_parsed, visible

PAIRS = (frozenset({"yes", "no"}), frozenset({"true", "false"}))
Pair = frozenset[str]

_WORD = re.compile(r"[a-z]+")
_NEGATED = re.compile(r"\b(?:not|never|cannot|isn['’]t|\w+n['’]t)\s+(\w+)")
_EITHER = re.compile(r"\b(?:yes|no|true|false)\W+(?:or|and)\b|\b(?:yes|true)\s*/\s*\w")
_QUESTION = re.compile(r"[^.!?\n]*\?")
# A word that opens a response: what follows explains it.
_OPENS = re.compile(
    r"[\W_]*(?:(?:so|thus|hence|therefore|well|okay|ok|sure|answer|it is|it's|that is|"
    r"that's|this is|the statement is|the answer is)\b[\W_]*)*"
    r"(yes|no|true|false)(?=[\W_]*$|\s*[.,;:!)\]*_`\"—–-]|\n|\s+(?:it|he|she|they|there|"
    r"this|that|these|those|you|we|i|because|since|as|the|a|an)\b)",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r"(?:^|[,:;—–-]\s*|\b(?:is|so|thus|hence|therefore|be|answer|say)\s+)"
    r"[\s*_`\"'(]*(yes|no|true|false)[\s*_`\"').!]*$",
    re.IGNORECASE,
)
# `no` before a noun says how many, not whether.
_HOW_MANY = re.compile(r"\bno\s+(?!it\b|he\b|she\b|they\b|there\b|this\b|that\b)[a-z]")


def is_yes_no(gold: str) -> bool:
    """Whether a gold is a word of such a pair."""
    return _pair(gold) is not None


def _pair(gold: str) -> Pair | None:
    return next((pair for pair in PAIRS if gold.strip().lower() in pair), None)


def verify(seed: Seed, response: str) -> Verdict:
    """Compare the word a response says with the gold one."""
    gold, text = seed.answer.strip().lower(), visible(response)
    pair = _pair(gold) or frozenset()
    word = stated_word(text, pair)
    lenient: VerdictValue = "wrong"
    if word != gold:
        ends = (
            text,
            answer_extraction.last_sentence(text),
            *answer_extraction.all_candidates(text),
        )
        if any(_opening(end, pair) == gold for end in ends):
            lenient = "right"
    return compare_parsed(gold, word or None, shown=word, lenient=lenient)


def stated_word(text: str, pair: Pair) -> str:
    """The word of a pair that a visible response states, or an empty text."""
    text = answer_extraction.from_last_mark(text)
    for mark in reversed(answer_extraction.find_marks(text)):
        if word := _opening(mark.text, pair) or _only(mark.text, pair):
            return word
    text = _QUESTION.sub(" ", text).strip() or text
    opening, ending = _opening(text, pair), _ending(text, pair)
    if opening and ending and opening != ending:
        return ""
    return opening or ending or _only(text, pair)


def _opening(text: str, pair: Pair) -> str:
    match = _OPENS.match(text)
    if not match or _EITHER.match(text.lower(), match.start(1)):
        return ""
    return match[1].lower() if match[1].lower() in pair else ""


def _ending(text: str, pair: Pair) -> str:
    last = answer_extraction.last_sentence(text)
    match = _ENDS.search(last)
    if not match or _EITHER.search(last.lower()):
        return ""
    denied = re.search(r"\b(?:not|never)\b|n['’]t\b", last[: match.start(1)].lower())
    return match[1].lower() if match[1].lower() in pair and not denied else ""


def _only(text: str, pair: Pair) -> str:
    """The one word of the pair that a text has, outside denials."""
    lower = text.lower()
    if _EITHER.search(lower):
        return ""
    lower = _HOW_MANY.sub(" ", lower)
    words = (set(_WORD.findall(lower)) & pair) - set(_NEGATED.findall(lower))
    return words.pop() if len(words) == 1 else ""
