"""Faults of a text alone: loops, control tokens, words meant for a grader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from phi_kit.core import thinking
from phi_kit.training.row_checks import find_loops

_SHOWN = 60  # characters of what was found
# Without a tokenizer a text in pieces of about a token: four letters of a word, one
# sign, one character of a script that is written without spaces.
_PIECES = re.compile(
    r"[\u0e00-\u0e7f\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]"
    r"|\w{1,4}|[^\w\s]"
)
_GRADER = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.!?\n]{0,30}"
    r"\b(?:rubric|grading|instructions?|prompt|criteria|guidelines|rules above)\b"
    r"|\b(?:note|message|instructions?|attention)\s+(?:to|for)\s+the\s+"
    r"(?:grader|judge|evaluator|verifier|checker|reviewer|examiner)\b"
    r"|\b(?:grade|score|mark|rate|judge)\s+(?:this|it|me|my|the)\b[^.!?\n]{0,40}"
    r"\b(?:as|with|at|a|an)?\s*(?:correct|right|full marks|10|100|perfect|maximum)\b"
    r"|\b(?:score|rating|grade)\s*[:=]?\s*(?:of\s+)?(?:10|100)\b(?:\s*/\s*(?:10|100))?"
    r"\s*(?:$|[.!])"
    r"|\bas\s+(?:the|a|an)\s+(?:grader|judge|evaluator|verifier)\b",
    re.IGNORECASE | re.MULTILINE,
)
_HINT = re.compile(
    r"\b(?:hint|(?:we|i)\s+(?:are|were|was|am|have\s+been)\s+(?:told|given)\b"
    r"[^.\n]{0,30}\banswer|(?:given|provided|known|stated|correct|expected)\s+"
    r"(?:final\s+)?answer|answer\s+(?:is|was)\s+(?:already\s+)?(?:given|provided|known)"
    r"|(?:matches|match|as|since)\s+the\s+(?:given\s+|provided\s+)?answer)\b",
    re.IGNORECASE,
)


def control_token(text: str, controls: Sequence[str]) -> str:
    """The first control token that stands in a text; tags of a thought are none."""
    tags = thinking.written(text)
    for token in controls:
        if token in text and not any(token in tag for tag in tags):
            return token
    return ""


def loop(text: str, tokenizer: Any = None) -> str:
    """What a text says over and over, and how often; see `row_checks.find_loops`.

    Args:
        text: of a response.
        tokenizer: of the student; without one words stand in for tokens.
    """
    if tokenizer is None:
        return _loop_of_words(text)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    for found in find_loops(ids):
        piece = tokenizer.decode(ids[found.start : found.start + found.period])
        if _wordy(piece):
            return f"{found.copies} times {piece[:_SHOWN]!r}"
    return ""


def _loop_of_words(text: str) -> str:
    spans = [match.span() for match in _PIECES.finditer(text)]
    numbers: dict[str, int] = {}
    ids = [numbers.setdefault(text[a:b], len(numbers)) for a, b in spans]
    for found in find_loops(ids):
        last = spans[found.start + found.period - 1]
        piece = text[spans[found.start][0] : last[1]]
        if _wordy(piece):
            return f"{found.copies} times {piece[:_SHOWN]!r}"
    return ""


def _wordy(piece: str) -> bool:
    # Digits may repeat: a grid, a long decimal. Words may not.
    return any(a.isalpha() and b.isalpha() for a, b in pairwise(piece))


def grader_address(text: str, prompt: str) -> str:
    """Words that are meant for whoever grades the response, unless the prompt has them.

    A judge may be misled by them; a row must not teach them.
    """
    for match in _GRADER.finditer(text):
        if match[0].casefold() not in prompt.casefold():
            return match[0].strip()[:_SHOWN]
    return ""


def hint(text: str) -> str:
    """Words by which a response tells that it was shown the answer."""
    found = _HINT.search(text)
    return found[0] if found else ""
