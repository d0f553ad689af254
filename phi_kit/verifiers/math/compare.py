"""Are two typed answers the same? Structure here, formulas by a worker."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from phi_kit.verifiers.base import Outcome

from . import real_sets, units
from .answer_types import (
    Bag,
    Based,
    Equation,
    Formula,
    Group,
    Matrix,
    Number,
    Union,
    Value,
    Words,
)

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
    if isinstance(gold, Bag) != isinstance(found, Bag):
        one = decimal(gold)
        if one is not None and one == decimal(found):
            return EQUAL
    if (named := _named(gold, found, leaf)) is not None:
        return named
    if isinstance(gold, Equation) or isinstance(found, Equation):
        return _equations(gold, found, leaf)
    if isinstance(gold, Number) and isinstance(found, Number):
        return numbers(gold, found)
    if isinstance(gold, Based) or isinstance(found, Based):
        return _based(gold, found)
    if isinstance(gold, Words) or isinstance(found, Words):
        return EQUAL if _words(gold) == _words(found) else OTHER
    if isinstance(gold, Union) or isinstance(found, Union):
        return _unions(gold, found, leaf)
    if isinstance(gold, Matrix) or isinstance(found, Matrix):
        return _matrices(gold, found, leaf)
    if isinstance(gold, Group | Bag) and isinstance(found, Group | Bag):
        return _collections(gold, found, leaf)
    if isinstance(gold, Bag) != isinstance(found, Bag):
        return _alone(gold, found, leaf)
    return _formulas(gold, found, leaf)


def decimal(value: Value) -> Fraction | None:
    """A number, also one with a decimal comma: `2,74`, `1000,99`, `0,111`.

    Three digits behind the comma are thousands, unless a zero stands before it.
    """
    if isinstance(value, Number):
        bare = value.worked_out and not value.unit and not value.percent
        return value.value if bare else None
    if not isinstance(value, Bag) or value.braces or len(value.items) != 2:
        return None
    found = _COMMA.match(value.text)
    if not found or not _MONEY.fullmatch(value.text, found.end()):
        return None
    said = Fraction(found[0].replace(",", "."))
    # `5,0` may be the two numbers 5 and 0; `5,00 €` is a price.
    price = len(value.text) > found.end()
    return said if said.denominator > 1 or price else None


_COMMA = re.compile(r"[-+]?(?:0,\d+|\d+,(?:\d{1,2}|\d{4,}))(?!\d)")
_MONEY = re.compile(r"\s*[$€£¥₽]?\s*")


def _formulas(gold: Value, found: Value, leaf: Leaf) -> Match:
    """Two texts for the algebra system, unless they are of two kinds."""
    kinds = Number | Formula
    if not isinstance(gold, kinds) or not isinstance(found, kinds):
        relations = sum(bool(_RELATION.search(v.text)) for v in (gold, found))
        sets = sum(isinstance(v, Group | Union) for v in (gold, found))
        asked = relations and sets and not _WORDY.search(gold.text + found.text)
        return leaf(gold.text, found.text) if asked else OTHER
    one, other = squeezed(gold.text), squeezed(found.text)
    if one != other and one.casefold() == other.casefold():
        return OTHER  # to math-verify `mW` is `MW` and `A_1` is `a_1`
    # To math-verify `f'` is `f`, and `1:2` a half.
    if any(gold.text.count(mark) != found.text.count(mark) for mark in "':"):
        return OTHER
    # `2x + z = 1` is not its right side; `f(x) < 2` is not a number.
    if bool(_RELATION.search(gold.text)) != bool(_RELATION.search(found.text)):
        return OTHER
    return _measured(gold.text, found.text, leaf)


def _measured(gold: str, found: str, leaf: Leaf) -> Match:
    """Two formulas, perhaps with a unit at their ends; one may leave it off."""
    (one, first), (other, second) = units.trailing(gold), units.trailing(found)
    if first and second:
        return leaf(one, other) if first == second else OTHER
    if (first and len(gold.split()[-1]) > 1) or (second and len(found.split()[-1]) > 1):
        return leaf(one, other)
    return leaf(gold, found)


_RELATION = re.compile(r"[=<>]|\\(?:le|ge|ne|equiv|sim)(?![a-zA-Z])")
_WORDY = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{4,}")


def squeezed(text: str) -> str:
    """A text as it is compared to the letter: no spaces, no leading plus."""
    return re.sub(r"\s+|^\+", "", text)


def _words(value: Value) -> str:
    text = re.sub(r"[^\w\s]", " ", value.text.casefold())
    return re.sub(r"^(?:the|an?)\s+|\s+", " ", text).strip()


def _based(gold: Value, found: Value) -> Match:
    if not isinstance(gold, Based) or not isinstance(found, Based):
        return Match("wrong", "another base")
    same = (gold.digits, gold.base) == (found.digits, found.base)
    return EQUAL if same else OTHER


def _names(value: Value) -> dict[str, Value] | None:
    """The names of an answer with the value of each: `x=1, y=2`, `(x,y)=(1,2)`."""
    if isinstance(value, Equation) and value.left.startswith("("):
        names, items = re.split("[,;]", value.left[1:-1]), value.right
        if isinstance(items, Group | Bag) and len(items.items) == len(names):
            return dict(zip(map(_name, names), items.items, strict=True))
    if isinstance(value, Bag) and all(isinstance(i, Equation) for i in value.items):
        named = {_name(item.left): item.right for item in value.items}
        return named if len(named) == len(value.items) > 1 else None
    return None


def _named(gold: Value, found: Value, leaf: Leaf) -> Match | None:
    """Named values against others: by their names, or by their order."""
    one, other = _names(gold), _names(found)
    if one is None and other is None:
        return None
    if one is not None and other is not None:
        if one.keys() != other.keys():
            return OTHER
        return _all(match(one[name], other[name], leaf) for name in one)
    ours = other is None  # whose names they are
    named, bare = (one, found) if ours else (other, gold)
    if not ours and isinstance(gold, Group) and isinstance(found, Bag):
        named = dict(sorted(named.items()))  # `y=1, x=2` is no (1, 2)
    items = tuple(named.values())
    if not isinstance(bare, Group | Bag) or len(bare.items) != len(items):
        return OTHER
    if isinstance(bare, Group) and bare.ends != "()":
        return OTHER
    numbered = len({re.sub(r"_.*|\d+$", "", name) for name in named}) == 1
    if isinstance(bare, Bag) and (numbered or bare.braces):
        # x_1 and x_2 only count the solutions; in a set p and q lose their order.
        if not numbered:
            return OTHER
        pair = (items, bare.items) if ours else (bare.items, items)
        return _unordered(*pair, leaf)
    pairs = zip(items, bare.items, strict=True)
    return _all(match(*((a, b) if ours else (b, a)), leaf) for a, b in pairs)


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
    """A name as it is compared: `W(n)` is `W(x)`, `f(1)` is not `f(2)`."""
    return re.sub(r"[\\{}\s]|\([a-z]\)$", "", left)


def _unions(gold: Value, found: Value, leaf: Leaf) -> Match:
    one, other = real_sets.of(gold), real_sets.of(found)
    if one is not None and other is not None:
        return EQUAL if one == other else OTHER
    if isinstance(gold, Union) and isinstance(found, Union):
        return _unordered(gold.items, found.items, leaf)
    return _formulas(gold, found, leaf)


def _matrices(gold: Value, found: Value, leaf: Leaf) -> Match:
    one, other = _rows(gold), _rows(found)
    if one is None or other is None:
        both = all(isinstance(value, Matrix | Formula) for value in (gold, found))
        return leaf(_typeset(gold), _typeset(found)) if both else OTHER
    if [len(row) for row in one] != [len(row) for row in other]:
        return OTHER
    return _all(
        match(a, b, leaf)
        for first, second in zip(one, other, strict=True)
        for a, b in zip(first, second, strict=True)
    )


def _rows(value: Value) -> tuple[tuple[Value, ...], ...] | None:
    """The rows of a matrix, also of one written `[[1, 2], [3, 4]]`."""
    if isinstance(value, Matrix):
        return value.rows
    lists = isinstance(value, Group) and (value, *value.items)
    if lists and all(isinstance(i, Group) and i.ends == "[]" for i in lists):
        return tuple(item.items for item in value.items)
    return None


def _typeset(value: Value) -> str:
    return value.text.replace(r"\cr ", r"\\ ")


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
    if isinstance(gold, Bag) and isinstance(found, Bag):
        return _unordered(gold.items, found.items, leaf)
    if len(gold.items) != len(found.items):
        return OTHER
    if isinstance(gold, Group) and isinstance(found, Group):
        if gold.ends != found.ends:
            return Match("wrong", "other brackets")
    else:
        # `1, 2` for `(1, 2)`: brackets left off, the order kept. LaTeX shows
        # nothing of the braces in `{1, 2}`.
        bag, group = (gold, found) if isinstance(gold, Bag) else (found, gold)
        hidden = bag is found and bag.braces == "plain"
        if (bag.braces and not hidden) or group.ends != "()":
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
