"""Compares two typed answers: their structure here, their formulas by a worker."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from phi_kit.verifiers.base import VerdictValue

from . import real_sets, units
from .answer_types import (
    Answer,
    BasedNumber,
    EquationAnswer,
    FormulaAnswer,
    MatrixAnswer,
    NumberAnswer,
    SequenceAnswer,
    SetAnswer,
    TextAnswer,
    UnionAnswer,
)

# A decimal stands for a fraction that never ends if it has this many right
# digits. Math-Verify rounds to 6 decimals; the kit counts significant digits.
STRICT_DIGITS, LENIENT_DIGITS = 6, 3


@dataclass(frozen=True)
class AnswerMatch:
    """The outcome of a comparison, strict and lenient, with its reason."""

    value: VerdictValue
    reason: str
    lenient: VerdictValue | None = None


EQUAL = AnswerMatch("right", "equal")
DIFFERENT = AnswerMatch("wrong", "another answer")
# Compares two formulas as texts: gold first.
CompareFormulas = Callable[[str, str], AnswerMatch]


def compare_answers(
    gold: Answer, answer: Answer, compare_formulas: CompareFormulas
) -> AnswerMatch:
    """Compare two answers by their types, both directions treated alike."""
    if without_spaces(gold.text) == without_spaces(answer.text):
        return EQUAL
    if isinstance(gold, SetAnswer) != isinstance(answer, SetAnswer):
        number = decimal_value(gold)
        if number is not None and number == decimal_value(answer):
            return EQUAL
    if (by_name := _named(gold, answer, compare_formulas)) is not None:
        return by_name
    if isinstance(gold, EquationAnswer) or isinstance(answer, EquationAnswer):
        return _equations(gold, answer, compare_formulas)
    if isinstance(gold, NumberAnswer) and isinstance(answer, NumberAnswer):
        return compare_numbers(gold, answer)
    if isinstance(gold, BasedNumber) or isinstance(answer, BasedNumber):
        return _based(gold, answer)
    if isinstance(gold, TextAnswer) or isinstance(answer, TextAnswer):
        return EQUAL if _words(gold) == _words(answer) else DIFFERENT
    if isinstance(gold, UnionAnswer) or isinstance(answer, UnionAnswer):
        return _unions(gold, answer, compare_formulas)
    if isinstance(gold, MatrixAnswer) or isinstance(answer, MatrixAnswer):
        return _matrices(gold, answer, compare_formulas)
    if isinstance(gold, SequenceAnswer | SetAnswer) and isinstance(
        answer, SequenceAnswer | SetAnswer
    ):
        return _collections(gold, answer, compare_formulas)
    if isinstance(gold, SetAnswer) != isinstance(answer, SetAnswer):
        return _single_item(gold, answer, compare_formulas)
    return _formulas(gold, answer, compare_formulas)


def decimal_value(value: Answer) -> Fraction | None:
    """A number, also one with a decimal comma: `2,74`, `1000,99`, `0,111`.

    Three digits behind the comma are thousands, unless a zero stands before it.
    """
    if isinstance(value, NumberAnswer):
        bare = value.worked_out and not value.unit and not value.percent
        return value.value if bare else None
    if not isinstance(value, SetAnswer) or value.braces or len(value.items) != 2:
        return None
    match = _COMMA.match(value.text)
    if not match or not _MONEY.fullmatch(value.text, match.end()):
        return None
    number = Fraction(match[0].replace(",", "."))
    # `5,0` may be the two numbers 5 and 0; `5,00 €` is a price.
    is_price = len(value.text) > match.end()
    return number if number.denominator > 1 or is_price else None


_COMMA = re.compile(r"[-+]?(?:0,\d+|\d+,(?:\d{1,2}|\d{4,}))(?!\d)")
_MONEY = re.compile(r"\s*[$€£¥₽]?\s*")


def _formulas(
    gold: Answer, answer: Answer, compare_formulas: CompareFormulas
) -> AnswerMatch:
    """Two texts for the algebra system, unless they are of two kinds."""
    kinds = NumberAnswer | FormulaAnswer
    if not isinstance(gold, kinds) or not isinstance(answer, kinds):
        relations = sum(bool(_RELATION.search(v.text)) for v in (gold, answer))
        sets = sum(isinstance(v, SequenceAnswer | UnionAnswer) for v in (gold, answer))
        comparable = relations and sets and not _WORDY.search(gold.text + answer.text)
        return compare_formulas(gold.text, answer.text) if comparable else DIFFERENT
    one, other = without_spaces(gold.text), without_spaces(answer.text)
    if one != other and one.casefold() == other.casefold():
        return DIFFERENT  # to math-verify `mW` is `MW` and `A_1` is `a_1`
    # To math-verify `f'` is `f`, and `1:2` a half.
    if any(gold.text.count(mark) != answer.text.count(mark) for mark in "':"):
        return DIFFERENT
    # `2x + z = 1` is not its right side; `f(x) < 2` is not a number.
    if bool(_RELATION.search(gold.text)) != bool(_RELATION.search(answer.text)):
        return DIFFERENT
    return _measured(gold.text, answer.text, compare_formulas)


def _measured(gold: str, answer: str, compare_formulas: CompareFormulas) -> AnswerMatch:
    """Two formulas, perhaps with a unit at their ends; one may leave it off."""
    (one, first), (other, second) = (
        units.split_trailing_unit(gold),
        units.split_trailing_unit(answer),
    )
    if first and second:
        return compare_formulas(one, other) if first == second else DIFFERENT
    if (first and len(gold.split()[-1]) > 1) or (
        second and len(answer.split()[-1]) > 1
    ):
        return compare_formulas(one, other)
    return compare_formulas(gold, answer)


_RELATION = re.compile(r"[=<>]|\\(?:le|ge|ne|equiv|sim)(?![a-zA-Z])")
_WORDY = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{4,}")


def without_spaces(text: str) -> str:
    """A text as it is compared to the letter: no spaces, no leading plus."""
    return re.sub(r"\s+|^\+", "", text)


def _words(value: Answer) -> str:
    text = re.sub(r"[^\w\s]", " ", value.text.casefold())
    return re.sub(r"^(?:the|an?)\s+|\s+", " ", text).strip()


def _based(gold: Answer, answer: Answer) -> AnswerMatch:
    if not isinstance(gold, BasedNumber) or not isinstance(answer, BasedNumber):
        return AnswerMatch("wrong", "another base")
    same = (gold.digits, gold.base) == (answer.digits, answer.base)
    return EQUAL if same else DIFFERENT


def _names(value: Answer) -> dict[str, Answer] | None:
    """The names of an answer with the value of each: `x=1, y=2`, `(x,y)=(1,2)`."""
    if isinstance(value, EquationAnswer) and value.left.startswith("("):
        names, items = re.split("[,;]", value.left[1:-1]), value.right
        if isinstance(items, SequenceAnswer | SetAnswer) and len(items.items) == len(
            names
        ):
            return dict(zip(map(_name, names), items.items, strict=True))
    if isinstance(value, SetAnswer) and all(
        isinstance(i, EquationAnswer) for i in value.items
    ):
        values = {_name(item.left): item.right for item in value.items}
        return values if len(values) == len(value.items) > 1 else None
    return None


def _named(
    gold: Answer, answer: Answer, compare_formulas: CompareFormulas
) -> AnswerMatch | None:
    """Named values against others: by their names, or by their order."""
    one, other = _names(gold), _names(answer)
    if one is None and other is None:
        return None
    if one is not None and other is not None:
        if one.keys() != other.keys():
            return DIFFERENT
        return _all(
            compare_answers(one[name], other[name], compare_formulas) for name in one
        )
    ours = other is None  # whose names they are
    named, bare = (one, answer) if ours else (other, gold)
    if not ours and isinstance(gold, SequenceAnswer) and isinstance(answer, SetAnswer):
        named = dict(sorted(named.items()))  # `y=1, x=2` is no (1, 2)
    items = tuple(named.values())
    if not isinstance(bare, SequenceAnswer | SetAnswer) or len(bare.items) != len(
        items
    ):
        return DIFFERENT
    if isinstance(bare, SequenceAnswer) and bare.ends != "()":
        return DIFFERENT
    numbered = len({re.sub(r"_.*|\d+$", "", name) for name in named}) == 1
    if isinstance(bare, SetAnswer) and (numbered or bare.braces):
        # x_1 and x_2 only count the solutions; in a set p and q lose their order.
        if not numbered:
            return DIFFERENT
        pair = (items, bare.items) if ours else (bare.items, items)
        return _unordered(*pair, compare_formulas)
    pairs = zip(items, bare.items, strict=True)
    return _all(
        compare_answers(*((a, b) if ours else (b, a)), compare_formulas)
        for a, b in pairs
    )


def _equations(
    gold: Answer, answer: Answer, compare_formulas: CompareFormulas
) -> AnswerMatch:
    if isinstance(gold, EquationAnswer) and isinstance(answer, EquationAnswer):
        if _name(gold.left) != _name(answer.left):
            return DIFFERENT
        return compare_answers(gold.right, answer.right, compare_formulas)
    one, other = (gold, answer) if isinstance(gold, EquationAnswer) else (answer, gold)
    # `x = 5` and `5` are one answer; `x = 5` and `x + y = 5` are not.
    if isinstance(other, FormulaAnswer) and "=" in other.text:
        return compare_formulas(gold.text, answer.text)
    if one is gold:
        return compare_answers(gold.right, answer, compare_formulas)
    return compare_answers(gold, answer.right, compare_formulas)


def _name(left: str) -> str:
    """A name as it is compared: `W(n)` is `W(x)`, `f(1)` is not `f(2)`."""
    return re.sub(r"[\\{}\s]|\([a-z]\)$", "", left)


def _unions(
    gold: Answer, answer: Answer, compare_formulas: CompareFormulas
) -> AnswerMatch:
    one, other = real_sets.spans_of(gold), real_sets.spans_of(answer)
    if one is not None and other is not None:
        return EQUAL if one == other else DIFFERENT
    if isinstance(gold, UnionAnswer) and isinstance(answer, UnionAnswer):
        return _unordered(gold.items, answer.items, compare_formulas)
    return _formulas(gold, answer, compare_formulas)


def _matrices(
    gold: Answer, answer: Answer, compare_formulas: CompareFormulas
) -> AnswerMatch:
    one, other = _rows(gold), _rows(answer)
    if one is None or other is None:
        both = all(
            isinstance(value, MatrixAnswer | FormulaAnswer) for value in (gold, answer)
        )
        return compare_formulas(_typeset(gold), _typeset(answer)) if both else DIFFERENT
    if [len(row) for row in one] != [len(row) for row in other]:
        return DIFFERENT
    return _all(
        compare_answers(a, b, compare_formulas)
        for first, second in zip(one, other, strict=True)
        for a, b in zip(first, second, strict=True)
    )


def _rows(value: Answer) -> tuple[tuple[Answer, ...], ...] | None:
    """The rows of a matrix, also of one written `[[1, 2], [3, 4]]`."""
    if isinstance(value, MatrixAnswer):
        return value.rows
    lists = isinstance(value, SequenceAnswer) and (value, *value.items)
    if lists and all(isinstance(i, SequenceAnswer) and i.ends == "[]" for i in lists):
        return tuple(item.items for item in value.items)
    return None


def _typeset(value: Answer) -> str:
    return value.text.replace(r"\cr ", r"\\ ")


def compare_numbers(gold: NumberAnswer, answer: NumberAnswer) -> AnswerMatch:
    """Exact fractions; percent, units and endless decimals by stated rules."""
    if gold.unit and answer.unit and gold.unit != answer.unit:
        return AnswerMatch(
            "wrong", f"another unit: {answer.unit} instead of {gold.unit}"
        )
    if any(_equal(a, b) for a, b in _value_pairs(gold, answer)):
        if gold.worked_out and not answer.worked_out:
            return AnswerMatch("wrong", "not worked out", "right")
        return EQUAL
    if any(
        equal_when_rounded(a, b, STRICT_DIGITS) for a, b in _value_pairs(gold, answer)
    ):
        return AnswerMatch("right", "equal when rounded")
    if any(
        equal_when_rounded(a, b, LENIENT_DIGITS) for a, b in _value_pairs(gold, answer)
    ):
        return AnswerMatch("wrong", "rounded too early", "right")
    return DIFFERENT


def _equal(a: Fraction, b: Fraction) -> bool:
    return a == b


def _value_pairs(
    gold: NumberAnswer, answer: NumberAnswer
) -> list[tuple[Fraction, Fraction]]:
    """The pairs of values that may be compared, percent signs considered."""
    if gold.percent == answer.percent:
        return [(gold.value, answer.value)]
    if gold.percent:
        return [(gold.value, answer.value), (gold.value / 100, answer.value)]
    pairs = [(gold.value, answer.value / 100)]
    # A question for a percentage often has its gold without the sign; a gold
    # such as 0.5 is a share, and `0.5 %` is another number.
    if gold.value.denominator == 1 or abs(gold.value) > 1:
        pairs.append((gold.value, answer.value))
    return pairs


def equal_when_rounded(a: Fraction, b: Fraction, digits: int) -> bool:
    """Whether one is an endless fraction and the other its decimal."""
    for endless, decimal in ((a, b), (b, a)):
        if _ends(endless.denominator) or not _ends(decimal.denominator):
            continue
        places = _places(decimal.denominator)
        if places == 0 or decimal == 0:
            continue
        if abs(decimal) * 10**places < 10 ** (digits - 1):
            continue
        if round(endless * 10**places) == decimal * 10**places:
            return True
    return False


def _ends(denominator: int) -> bool:
    """Whether a fraction with this denominator has a finite decimal."""
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1


def _places(denominator: int) -> int:
    places = 0
    while 10**places % denominator and places < 60:
        places += 1
    return places


def _collections(
    gold: SequenceAnswer | SetAnswer,
    answer: SequenceAnswer | SetAnswer,
    compare_formulas: CompareFormulas,
) -> AnswerMatch:
    if isinstance(gold, SetAnswer) and isinstance(answer, SetAnswer):
        return _unordered(gold.items, answer.items, compare_formulas)
    if len(gold.items) != len(answer.items):
        return DIFFERENT
    if isinstance(gold, SequenceAnswer) and isinstance(answer, SequenceAnswer):
        if gold.ends != answer.ends:
            return AnswerMatch("wrong", "other brackets")
    else:
        # `1, 2` for `(1, 2)`: brackets left off, the order kept. LaTeX shows
        # nothing of the braces in `{1, 2}`.
        items, sequence = (
            (gold, answer) if isinstance(gold, SetAnswer) else (answer, gold)
        )
        hidden = items is answer and items.braces == "plain"
        if (items.braces and not hidden) or sequence.ends != "()":
            return DIFFERENT
    return _all(
        compare_answers(a, b, compare_formulas)
        for a, b in zip(gold.items, answer.items, strict=True)
    )


def _all(matches) -> AnswerMatch:
    worst = EQUAL
    for each in matches:
        if each.value == "right":
            worst = worst if worst is not EQUAL or each is EQUAL else each
            continue
        if each.lenient != "right" or each.value == "unknown":
            return each
        worst = each
    return worst


def _unordered(
    gold: tuple[Answer, ...],
    answer: tuple[Answer, ...],
    compare_formulas: CompareFormulas,
) -> AnswerMatch:
    """Each gold item needs its own partner; equality lets us take the first."""
    gold, answer = _distinct(gold), _distinct(answer)
    if len(gold) != len(answer):
        return DIFFERENT
    rest = list(answer)
    best: list[AnswerMatch] = []
    for item in gold:
        for index, other in enumerate(rest):
            each = compare_answers(item, other, compare_formulas)
            if each.value == "unknown":
                return each
            if "right" in (each.value, each.lenient):
                best.append(each)
                del rest[index]
                break
        else:
            return DIFFERENT
    return _all(best)


def _distinct(items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    return tuple({without_spaces(item.text): item for item in items}.values())


def _single_item(
    gold: Answer, answer: Answer, compare_formulas: CompareFormulas
) -> AnswerMatch:
    """A set of one is its element."""
    items, other = (gold, answer) if isinstance(gold, SetAnswer) else (answer, gold)
    if len(items.items) != 1:
        return DIFFERENT
    return (
        compare_answers(gold, items.items[0], compare_formulas)
        if items is answer
        else compare_answers(items.items[0], other, compare_formulas)
    )
