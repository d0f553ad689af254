"""Are two typed answers the same? Structure here, formulas by a worker."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from .base import Value as Outcome
from .typed import Bag, Equation, Formula, Group, Number, Union, Value, Words

# A decimal stands for a fraction that never ends if it has this many right
# digits. Math-Verify rounds to 6 decimals; the kit counts significant digits.
STRICT_DIGITS, LENIENT_DIGITS = 6, 3


@dataclass(frozen=True)
class Match:
    """The outcome of a comparison, strict and lenient, with its reason."""

    value: Outcome
    reason: str
    lenient: Outcome | None = None


EQUAL = Match("right", "equal")
OTHER = Match("wrong", "another answer")
# Compares two formulas as texts: gold first.
Leaf = Callable[[str, str], Match]


def match(gold: Value, found: Value, leaf: Leaf) -> Match:
    """Compare two answers by their types, both directions treated alike."""
    if squeezed(gold.text) == squeezed(found.text):
        return EQUAL
    if isinstance(gold, Equation) or isinstance(found, Equation):
        return _equations(gold, found, leaf)
    if isinstance(gold, Number) and isinstance(found, Number):
        return numbers(gold, found)
    if isinstance(gold, Words) or isinstance(found, Words):
        return EQUAL if _words(gold) == _words(found) else OTHER
    if isinstance(gold, Union) and isinstance(found, Union):
        return _unordered(gold.items, found.items, leaf)
    if isinstance(gold, Group | Bag) and isinstance(found, Group | Bag):
        return _collections(gold, found, leaf)
    if isinstance(gold, Bag) != isinstance(found, Bag):
        return _alone(gold, found, leaf)
    if isinstance(gold, Number | Formula) and isinstance(found, Number | Formula):
        if _other_unit(gold.text, found.text):
            return OTHER
        return leaf(gold.text, found.text)
    return OTHER


def _other_unit(gold: str, found: str) -> bool:
    """Whether only the case of a unit differs: to math-verify `mW` is `MW`."""
    same = gold.casefold() == found.casefold()
    return same and bool(re.fullmatch(r"[-+]?[\d.,/ ]+[a-zA-Zµ]{2,}", gold))


def squeezed(text: str) -> str:
    """A text as it is compared to the letter: no spaces, no leading plus."""
    return re.sub(r"\s+|^\+", "", text)


def _words(value: Value) -> str:
    text = re.sub(r"[^\w\s]", " ", value.text.casefold())
    return re.sub(r"^(?:the|an?)\s+|\s+", " ", text).strip()


def _equations(gold: Value, found: Value, leaf: Leaf) -> Match:
    if isinstance(gold, Equation) and isinstance(found, Equation):
        if _name(gold.left) != _name(found.left):
            return OTHER
        return match(gold.right, found.right, leaf)
    one, other = (gold, found) if isinstance(gold, Equation) else (found, gold)
    # `x = 5` and `5` are one answer; `x = 5` and `x + y = 5` are not.
    if isinstance(other, Formula) and "=" in other.text:
        return leaf(gold.text, found.text)
    if one is gold:
        return match(gold.right, found, leaf)
    return match(gold, found.right, leaf)


def _name(left: str) -> str:
    return re.sub(r"[\\{}]|\(.*\)$", "", left)


def numbers(gold: Number, found: Number) -> Match:
    """Exact fractions; percent, units and endless decimals by stated rules."""
    if gold.unit and found.unit and gold.unit != found.unit:
        return Match("wrong", f"another unit: {found.unit} instead of {gold.unit}")
    if any(_equal(a, b) for a, b in _faces(gold, found)):
        if gold.worked_out and not found.worked_out:
            return Match("wrong", "not worked out", "right")
        return EQUAL
    if any(rounded(a, b, STRICT_DIGITS) for a, b in _faces(gold, found)):
        return Match("right", "equal when rounded")
    if any(rounded(a, b, LENIENT_DIGITS) for a, b in _faces(gold, found)):
        return Match("wrong", "rounded too early", "right")
    return OTHER


def _equal(a: Fraction, b: Fraction) -> bool:
    return a == b


def _faces(gold: Number, found: Number) -> list[tuple[Fraction, Fraction]]:
    """The pairs of values that may be compared, percent signs considered."""
    if gold.percent == found.percent:
        return [(gold.value, found.value)]
    if gold.percent:
        return [(gold.value, found.value), (gold.value / 100, found.value)]
    pairs = [(gold.value, found.value / 100)]
    # A question for a percentage often has its gold without the sign; a gold
    # such as 0.5 is a share, and `0.5 %` is another number.
    if gold.value.denominator == 1 or abs(gold.value) > 1:
        pairs.append((gold.value, found.value))
    return pairs


def rounded(a: Fraction, b: Fraction, digits: int) -> bool:
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


def _collections(gold: Group | Bag, found: Group | Bag, leaf: Leaf) -> Match:
    if len(gold.items) != len(found.items):
        return OTHER
    if isinstance(gold, Bag) and isinstance(found, Bag):
        return _unordered(gold.items, found.items, leaf)
    if isinstance(gold, Group) and isinstance(found, Group):
        if gold.ends != found.ends:
            return Match("wrong", "other brackets")
    else:
        # `1, 2` for `(1, 2)`: brackets left off, the order kept.
        bag, group = (gold, found) if isinstance(gold, Bag) else (found, gold)
        if bag.braces or group.ends != "()":
            return OTHER
    return _all(match(a, b, leaf) for a, b in zip(gold.items, found.items, strict=True))


def _all(matches) -> Match:
    worst = EQUAL
    for each in matches:
        if each.value == "right":
            worst = worst if worst is not EQUAL or each is EQUAL else each
            continue
        if each.lenient != "right" or each.value == "unknown":
            return each
        worst = each
    return worst


def _unordered(gold: tuple[Value, ...], found: tuple[Value, ...], leaf: Leaf) -> Match:
    """Each gold item needs its own partner; equality lets us take the first."""
    gold, found = _distinct(gold), _distinct(found)
    if len(gold) != len(found):
        return OTHER
    rest = list(found)
    best: list[Match] = []
    for item in gold:
        for place, other in enumerate(rest):
            each = match(item, other, leaf)
            if each.value == "unknown":
                return each
            if "right" in (each.value, each.lenient):
                best.append(each)
                del rest[place]
                break
        else:
            return OTHER
    return _all(best)


def _distinct(items: tuple[Value, ...]) -> tuple[Value, ...]:
    return tuple({squeezed(item.text): item for item in items}.values())


def _alone(gold: Value, found: Value, leaf: Leaf) -> Match:
    """A set of one is its element."""
    bag, other = (gold, found) if isinstance(gold, Bag) else (found, gold)
    if len(bag.items) != 1:
        return OTHER
    return (
        match(gold, bag.items[0], leaf)
        if bag is found
        else match(bag.items[0], other, leaf)
    )
