"""Math answers: exact first, then by type, last by computer algebra.

1. *Exact*: the same text once typesetting is gone.
2. *Numeric*: everything made of digits as fractions, without floats.
3. *Symbolic*: formulas, by math-verify in a worker process with a hard kill.

Types keep false friends apart: `(1, 2)` is no `[1, 2]`, `5 cm` no `5 m`,
`x = 5` no `y = 5`, `12:00` no `1:00` (Math-Verify #14). Structure is compared
here, leaf by leaf; only a formula ever costs a worker.
"""

from __future__ import annotations

import re
from functools import lru_cache

from phi_kit.data.records import Seed, is_sentinel
from phi_kit.verifiers import answer_extraction, exact
from phi_kit.verifiers.base import NO_ANSWER, UNREADABLE_GOLD, Verdict
from phi_kit.verifiers.worker_pool import CHECK_SECONDS, pool

from . import numbers_in_text, numeric
from .answer_comparison import (
    DIFFERENT,
    EQUAL,
    AnswerMatch,
    compare_answers,
    decimal_value,
)
from .answer_comparison import compare_numbers as same_number
from .answer_types import Answer, FormulaAnswer, NumberAnswer, SetAnswer, TextAnswer
from .latex import BOX_COMMAND
from .parse import parse_answer

_INLINE = re.compile(
    r"\$\$(.+?)\$\$|\$((?:[^$\\\n]|\\.)+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL
)
_TAIL = re.compile(
    r".*(?:\b(?:is|are|be|equals?|get|gives|obtain|have)\b:?|[:=])\s*(\S.*)", re.DOTALL
)
_CLAUSE = re.compile(
    r"(?<=[\w)}\]$%])(?:\.(?:\s|$)|,\s(?=(?:because|since|as|so|which)\b))"
)
_WORD = re.compile(r"(?<![\\a-zA-Z])(?!and\b|or\b)[a-zA-Z]{2,}")
# Work written out, such as `1.2 x 11 = 17`: its last number is the answer.
_WORK = re.compile(r"(?:[-\d\s.,:()+*/=]|(?<=[\d) ])x(?=\s*[\d.(])|\\times|\\cdot)*")
# What a chat template leaves at the end of a response.
_TURN = re.compile(r"<\|\w+\|>\s*(?:user|assistant)?\s*$")
_BOXED_NAME = rf"([a-zA-Z](?:_\{{?\w+\}}?)?)\s*=\s*{BOX_COMMAND}\s*\{{\s*"
_DASHED = re.compile(r"\d+(?:[-–]\d+){1,2}|\d{1,4}/\d{1,2}/\d{1,4}")
_PERCENT = re.compile(r"\s*\\?(?:%|per ?cent|pct)")
_LETTERS = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z](?![a-zA-Z])")
_LONG = 400  # characters; a longer piece is no answer
_TRIES = 6  # places a lenient reader looks at for a formula


def verify(seed: Seed, response: str) -> Verdict:
    """Compare what a response states as its answer with the gold.

    Raises:
        RunError: a formula must be compared and math-verify is missing.
    """
    gold = parse_gold(seed.answer)
    if gold is None or is_sentinel(seed.answer):
        return Verdict("unknown", UNREADABLE_GOLD)
    if isinstance(gold, TextAnswer):
        return exact.verify(seed, response)
    text = _TURN.sub("", numbers_in_text.searchable_text(response)).strip()
    shown, answer = _strict(gold, text)
    outcome = (
        compare_answers(gold, answer, _compare_formulas)
        if answer
        else AnswerMatch("wrong", NO_ANSWER)
    )
    lenient = outcome.lenient
    if outcome.value == "wrong" and lenient is None:
        lenient = "right" if _found_anywhere(gold, text, read=shown) else "wrong"
    return Verdict(outcome.value, outcome.reason, shown, lenient)


def _read(gold: Answer, text: str) -> Answer | None:
    """A short piece by its type; `abc` is a product where the gold is `a*b*c`."""
    value = parse_answer(text) if len(text) <= _LONG else None
    if isinstance(value, TextAnswer) and isinstance(gold, FormulaAnswer):
        letters = set(_LETTERS.findall(gold.text))
        plain = re.sub(r"\\[a-zA-Z]+", "", value.text)
        if letters and set(re.findall(r"[^\W\d_]", plain)) <= letters:
            return FormulaAnswer(value.text)
    return value


@lru_cache(maxsize=4096)
def parse_gold(answer: str) -> Answer | None:
    """A gold answer; of a whole solution what it boxes, or states at its end."""
    if "boxed" in answer and (boxes := answer_extraction.final_boxes(answer)):
        return _from_boxes(answer, boxes)[1]
    if "boxed{" in answer and answer_extraction.final_boxes(f"{answer}}}"):
        return parse_gold(f"{answer}}}")  # only its last brace was lost
    if _DASHED.fullmatch(answer.strip()):
        return TextAnswer(answer.strip())  # a date or a score, no subtraction
    value = parse_answer(answer)
    long = len(answer) > _LONG or "\n" in answer
    if (
        isinstance(value, TextAnswer)
        and long
        and (pieces := answer_extraction.final_answers(answer))
    ):
        return _from_marked_piece(FormulaAnswer(""), pieces[-1])[1] or value
    return value


def _strict(gold: Answer, text: str) -> tuple[str, Answer | None]:
    """What the response itself presents as its answer, as text and typed."""
    text = answer_extraction.from_last_mark(text)
    if "box" in text and (boxes := answer_extraction.final_boxes(text)):
        if (later := _after_last_box(gold, text))[1] is not None:
            return later
        return (
            _from_boxes(text, boxes)
            if len(boxes) > 1
            else _from_marked_piece(gold, boxes[0])
        )
    if pieces := answer_extraction.final_answers(text, letter_a=True):
        return _from_marked_piece(gold, pieces[-1])
    line = text.replace("\n", " ") if r"\begin" in text else text
    if len(line) <= _LONG and "\n" not in line:
        value = _read(gold, line)
        if value and not isinstance(value, TextAnswer) and _only(gold, value):
            return line, value
    if isinstance(gold, NumberAnswer):
        return _number(gold, text, marked=False)
    return _closing(text) or _ending(answer_extraction.last_sentence(text))


def _after_last_box(gold: Answer, text: str) -> tuple[str, Answer | None]:
    """The text that a response calls its final answer after its last box."""
    at = text.lower().rfind("final answer")
    if at < 0 or text.rfind("boxed{") > at:
        return "", None
    pieces = answer_extraction.final_answers(text[at:])
    shown, value = _from_marked_piece(gold, pieces[-1]) if pieces else ("", None)
    return ("", None) if isinstance(value, TextAnswer) else (shown, value)


def _from_boxes(text: str, boxes: list[str]) -> tuple[str, Answer | None]:
    r"""Boxes that state one answer together: `$x=\boxed{1}$, $y=\boxed{2}$`."""
    if len(boxes) == 1:
        return boxes[0], parse_answer(boxes[0])
    equations = []
    for box in boxes:
        name = re.search(_BOXED_NAME + re.escape(box), text)
        equations.append(f"{name[1]}={box}" if name and "=" not in box else box)
    shown = "; ".join(equations)
    value = parse_answer(shown)
    return (
        (shown, value)
        if isinstance(value, SetAnswer)
        else (boxes[-1], parse_answer(boxes[-1]))
    )


def _only(gold: Answer, value: Answer) -> bool:
    """Whether a whole response is an answer; `GCD of 6 and 9 is 3` is a sentence."""
    if not isinstance(gold, NumberAnswer):
        return not _WORDY.search(value.text)
    if isinstance(value, NumberAnswer):
        return True
    if _WORD.search(value.text) or "boxed" in value.text:
        return False
    return not _is_unfinished_work(gold, value)


# A sentence with a formula in it, read as one formula.
_WORDY = re.compile(r"(?<![\\a-zA-Z])(?:[Tt]he|is|are|of|we|find|that|so)\b")


def _is_unfinished_work(gold: Answer, value: Answer) -> bool:
    """Whether a piece is unfinished arithmetic: `12 +`, `1 = 2 = 3`."""
    formula = isinstance(gold, NumberAnswer) and isinstance(value, FormulaAnswer)
    return formula and bool(_WORK.fullmatch(value.text))


def _from_marked_piece(gold: Answer, piece: str) -> tuple[str, Answer | None]:
    """A marked piece: as a whole, or the part before its explanation."""
    if len(piece) <= _LONG or isinstance(gold, NumberAnswer):
        for part in dict.fromkeys((piece, _CLAUSE.split(piece)[0])):
            value = _read(gold, part)
            if (
                value is None
                or isinstance(value, TextAnswer)
                or _is_unfinished_work(gold, value)
            ):
                continue
            if _only(gold, value):
                return part, value
    if (
        isinstance(gold, NumberAnswer)
        and (number := _number(gold, piece, marked=True))[1]
    ):
        return number
    inline = _inline(piece)
    if not inline:
        return ("", None) if isinstance(gold, NumberAnswer) else _ending(piece)
    tail = _TAIL.match(_CLAUSE.split(piece)[0])
    last = _inline(tail[1]) if tail else []
    shown = (last or inline)[0]
    return shown, parse_answer(shown)


def _number(
    gold: NumberAnswer, text: str, *, marked: bool
) -> tuple[str, Answer | None]:
    """The number that prose says, with its unit; also one with a decimal comma."""
    if number := numeric.number_in_piece(text, marked=marked):
        if gold.unit or _PERCENT.match(number.tail):
            words = number.tail.split(" ")
            for count in range(len(words), 0, -1):
                value = parse_answer(number.text + " ".join(words[:count]))
                if isinstance(value, NumberAnswer) and (value.unit or value.percent):
                    return value.text, value
        return number.text, parse_answer(number.text)
    if gold.value.denominator == 1:
        return "", None
    passage = text[:_LONG] if marked else answer_extraction.last_sentence(text)[-_LONG:]
    items = numbers_in_text.find_numbers(numbers_in_text.normalize_numbers(passage))
    value = parse_answer(items[-1].text) if items and "," in items[-1].text else None
    if value and decimal_value(value) is not None:
        return items[-1].text, value
    return "", None


def _closing(text: str) -> tuple[str, Answer | None] | None:
    """The formula that a response closes with, also one of several lines."""
    text = text[-3 * _LONG :]
    last = next(reversed(list(_INLINE.finditer(text))), None)
    if last is None or text[last.end() :].strip(" .。*_\n"):
        return None
    shown = next(filter(None, last.groups())).replace("\n", " ").strip()
    value = parse_answer(shown)
    return None if value is None or isinstance(value, TextAnswer) else (shown, value)


def _ending(sentence: str) -> tuple[str, Answer | None]:
    """What a sentence plainly ends with: inline mathematics, or after `is`."""
    if inline := _inline(sentence):
        return inline[-1], parse_answer(inline[-1])
    tail = _TAIL.match(sentence)
    value = parse_answer(tail[1]) if tail and len(tail[1]) <= _LONG else None
    if value is None or isinstance(value, TextAnswer):
        return "", None
    return tail[1], value


def _inline(text: str) -> list[str]:
    return [next(filter(None, groups)) for groups in _INLINE.findall(text)]


def _found_anywhere(gold: Answer, text: str, *, read: str) -> bool:
    """Whether any place where an answer may stand holds the gold.

    What was read with its type and found wanting is not read again.
    """
    if isinstance(gold, NumberAnswer):
        marked = answer_extraction.all_candidates(text)
        numbers = [number.text for number in numeric.candidate_numbers(text, marked)]
        pieces = dict.fromkeys([*marked, *numbers])
        return any(_number_in(gold, p) for p in pieces if not read or p not in read)
    text = text.replace(read, " ") if read else text
    pieces = [
        *answer_extraction.all_candidates(text),
        *_inline(text),
        answer_extraction.last_sentence(text),
    ]
    last = list(dict.fromkeys(p for p in pieces if len(p) <= _LONG))[-_TRIES:]
    for value in map(parse_answer, reversed(last)):
        if value and not isinstance(value, TextAnswer):
            match = compare_answers(gold, value, _compare_formulas)
            if "right" in (match.value, match.lenient):
                return True
    return False


def _number_in(gold: NumberAnswer, piece: str) -> bool:
    value = parse_answer(piece) if len(piece) <= _LONG else None
    if value is None or isinstance(value, TextAnswer):
        number = numeric.number_in_piece(piece, marked=True)
        value = parse_answer(number.text) if number else None
    if not isinstance(value, NumberAnswer):
        return False
    match = same_number(gold, value)
    return "right" in (match.value, match.lenient)


@lru_cache(maxsize=65_536)
def _compare_formulas(gold: str, answer: str) -> AnswerMatch:
    """Two formulas, compared by a worker; results are remembered."""
    reply = pool("math.sympy_worker").ask({"gold": gold, "answer": answer})
    if reply.late or reply.result.startswith("failed"):
        what = f"ran out of time ({CHECK_SECONDS:g} s)" if reply.late else reply.result
        if reply.stage == "gold":
            return AnswerMatch("unknown", f"the checker {what} on the gold")
        return AnswerMatch("wrong", f"the checker {what}")
    if reply.result == "no gold":
        return AnswerMatch("wrong", "another text; the gold is no readable formula")
    return EQUAL if reply.result == "equal" else DIFFERENT
