"""Numeric answers: find the number a response ends on and compare exactly.

Numbers are compared as fractions, so `0.5`, `1/2` and `.50` are one answer
and no float rounding decides a verdict. A seed whose `extra` names a
`tolerance` (relative, such as 0.01) is compared within it.
"""

from __future__ import annotations

import re
from fractions import Fraction

from phi_kit.data.records import Seed
from phi_kit.verifiers import answer_extraction
from phi_kit.verifiers.base import (
    NO_TOLERANCE,
    Verdict,
    VerdictValue,
    compare_parsed,
    relative_tolerance,
)

from . import numbers_in_text, units
from .exact_arithmetic import parse_exact
from .latex import normalize_answer
from .numbers_in_text import NumberInText

# A marked answer ends where its reasons begin.
_CLAUSE = re.compile(
    r";|(?<!^)\((?=[a-z])|[,.](?:\s|$)|\b(?:because|since)\b", re.IGNORECASE
)
_READ = 2000  # characters of one line or piece in which its number must stand
_HEDGE = re.compile(r"\W*not\b", re.IGNORECASE)
_COUNTS = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_WORDS = {word: str(value) for value, word in enumerate(_COUNTS)}
_WORDS |= {"once": "1", "twice": "2", "thrice": "3"}
# Words that make another number of the one beside them: `twenty-one`.
_OTHERS = re.compile(
    r"\b(\w+teen|\w+ty|hundred|thousand|million|billion|dozen|half|minus|negative|or|"
    r"between|not|point|thirds?|quarters?|\w+fths?)\b"
)


def parse_number(text: str) -> Fraction | None:
    """The number a short answer is, or `None`."""
    clean = normalize_answer(text).rstrip("% ").lstrip("$ ")
    clean = re.sub(r"^([-+])\s*\$\s*", r"\1", clean)
    if len(clean) > numbers_in_text._LONGEST:
        return None
    times = 1
    if word := re.search(r"(?<=\d)\s*(?=[^\W\d_])", clean):
        times, rest = units.read_scale(clean[word.end() :])
        if rest or times == 1:
            word = None
    exact = parse_exact(clean[: word.start()] if word else clean)
    return exact.value * times if exact and exact.worked_out else None


def final_number(response: str) -> str:
    """The number a response states as its answer, or an empty text."""
    number = stated_number(numbers_in_text.searchable_text(response))
    return number.text if number else ""


def stated_number(text: str) -> NumberInText | None:
    """The number that a visible response states as its answer."""
    text = answer_extraction.from_last_mark(text)
    if "box" in text and (boxes := answer_extraction.final_boxes(text)):
        # A box holds the answer and nothing else; of two numbers neither counts.
        return number_in_box(boxes[-1]) if len(boxes) == 1 else None
    if pieces := answer_extraction.final_answers(text, letter_a=True):
        return number_in_piece(pieces[-1], marked=True)
    return number_in_piece(text)


def number_in_box(piece: str) -> NumberInText | None:
    """The number in a box; of two numbers neither counts."""
    text = numbers_in_text.normalize_numbers(normalize_answer(piece[:_READ]))
    items = numbers_in_text.find_numbers(text)
    if len(items) == 1 or (items and "=" in text):
        last = items[-1]
        return None if last.value is None or last.denied else last
    return None if items else _count_in_words(text)


def number_in_piece(text: str, *, marked: bool = False) -> NumberInText | None:
    """The number that a piece of text states.

    After a mark the first number answers, up to where its reasons begin; in
    running text the last one does. "5 or 7" and "not 5" answer nothing.
    """
    if marked:
        return _marked(text)
    for line in reversed(text.split("\n")):
        spelled = numbers_in_text.normalize_numbers(line[-_READ:])
        items = [
            number
            for number in numbers_in_text.find_numbers(spelled)
            if not number.denied
        ]
        if items:
            return _unless_hedged(items[-1], spelled)
        if number := _count_in_words(spelled):
            return number
    return None


def _marked(text: str) -> NumberInText | None:
    text = numbers_in_text.normalize_numbers(text.strip()[:_READ])
    if _HEDGE.match(text):
        return None
    items = numbers_in_text.find_numbers(text)
    if not items:
        return _count_in_words(text)
    cuts = [cut.start() for cut in _CLAUSE.finditer(text, items[0].end)]
    reasons = numbers_in_text.REASON.search(text)
    end = min([*cuts[:1], reasons.start() if reasons else len(text), len(text)])
    inside = [number for number in items if number.begin < end and not number.denied]
    if not inside:
        return None
    equals = text.rfind("=", 0, end)
    if equals >= 0:
        inside = [number for number in inside if number.begin > equals][:1]
    if len(inside) > 1 and any(number.value is None for number in inside[:2]):
        return None
    return _unless_hedged(inside[0], text) if inside else None


def _unless_hedged(number: NumberInText, text: str) -> NumberInText | None:
    """The number, unless another one is offered beside it: `5 or 7`."""
    if number.value is None:
        return None
    after = text[number.end : number.end + 20]
    return (
        None if re.match(r"[^.;!?\n\d]{0,12}\b(?:or|and/or)\b\W*\d", after) else number
    )


def _count_in_words(text: str) -> NumberInText | None:
    """A count in words, where a text has no number: `seven`."""
    words = text.lower()
    counts = [_WORDS[word] for word in re.findall(r"[a-z]+", words) if word in _WORDS]
    if not counts or _OTHERS.search(words):
        return None
    return NumberInText(counts[-1], Fraction(counts[-1]), 0, len(text))


def candidate_numbers(text: str, marked: list[str]) -> list[NumberInText]:
    """All numbers of a visible response that a lenient reading may take.

    Args:
        text: the response.
        marked: the candidates that `answer_extraction.all_candidates` finds in it.
    """
    pieces = [number_in_piece(piece, marked=True) for piece in marked]
    pieces += [number_in_box(box) for box in answer_extraction.boxes(text)]
    pieces += [number_in_piece(text)]
    last = numbers_in_text.find_numbers(
        numbers_in_text.normalize_numbers(
            answer_extraction.last_sentence(text)[-_READ:]
        )
    )[-1:]
    pieces += [number for number in last if number.denied]
    return [number for number in pieces if number and number.value is not None]


def verify(seed: Seed, response: str) -> Verdict:
    """Compare the number a response ends on with the seed's gold answer."""
    text = numbers_in_text.searchable_text(response)
    number = stated_number(text)
    shown, value = (number.text, number.value) if number else ("", None)
    gold = parse_number(seed.answer)
    tolerance = relative_tolerance(seed.facts, 0.0) if len(seed.extra) > 2 else 0.0
    if tolerance is None:
        return Verdict("unknown", NO_TOLERANCE, shown)
    if gold is None or (value is not None and gold == value):
        return compare_parsed(gold, value, shown=shown)
    if value is not None and _within(gold, value, tolerance):
        return Verdict("right", "within the tolerance", shown)
    others = candidate_numbers(text, answer_extraction.all_candidates(text))
    fits = any(_within(gold, other.value, tolerance) for other in others)
    lenient: VerdictValue = "right" if fits else "wrong"
    return compare_parsed(gold, value, shown=shown, lenient=lenient)


def _within(gold: Fraction, value: Fraction, tolerance: float) -> bool:
    return abs(gold - value) <= abs(gold) * Fraction(tolerance)
