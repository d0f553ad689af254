"""Answers with a type: number, interval, set, tuple, equation, formula, words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise

from . import units
from .arith import exact
from .latex import bare, plain


@dataclass(frozen=True)
class Value:
    """An answer; `text` is how it was written, in plain spelling."""

    text: str


@dataclass(frozen=True)
class Number(Value):
    """A number as it is written (`50` for `50%`), with what stands around it."""

    value: Fraction = Fraction(0)
    percent: bool = False
    unit: str = ""
    worked_out: bool = True


@dataclass(frozen=True)
class Group(Value):
    """Brackets that keep an order: a tuple, an interval, a list."""

    ends: str = "()"
    items: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Bag(Value):
    """Items in any order: `{1, 2}`, `1 and 2`, `x = 1 or x = 2`, `±3`."""

    items: tuple[Value, ...] = ()
    braces: bool = False


@dataclass(frozen=True)
class Union(Value):
    """Sets joined by `∪`."""

    items: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Equation(Value):
    """A name with its value: `x = 5`, `f(x) = 2x`."""

    left: str = ""
    right: Value = Value("")


@dataclass(frozen=True)
class Formula(Value):
    """Anything mathematical that only a computer algebra system can compare."""


@dataclass(frozen=True)
class Words(Value):
    """Plain words, compared as words."""


_MONEY = re.compile(r"^([-+]?)\s*(\$|€|£|¥|USD|US\$|EUR)\s*(?=[-+\d.])")
_LEFT = re.compile(
    r"(?:[a-zA-Z]|\\[a-zA-Z]+)(?:_\{?\w+\}?)?(?:'|\([a-zA-Z](?:,\s*[a-zA-Z])*\))?"
)
_AND = re.compile(r"\s*(?:;|,?\s*\b(?:and|or)\b|\\(?:text)?or\b|\\lor\b)\s*")
_LONG_WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}")
_MATH_WORDS = {
    *("sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "sqrt", "max", "min"),
    *("mod", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "infty", "gcd"),
    *("lcm", "det", "lim", "deg", "inf"),
}
_BOUND = r"-?(?:\\infty|\\frac\{-?\d+\}\{\d+\}|\d+(?:\.\d+)?(?:/\d+)?)"
_CHAIN = re.compile(
    rf"(?P<low>{_BOUND})\s*(?P<a>\\le|<=|<)\s*[a-zA-Z]\s*"
    rf"(?P<b>\\le|<=|<)\s*(?P<high>{_BOUND})"
)
_HALF = re.compile(rf"[a-zA-Z]\s*(?P<sign>\\le|\\ge|<=|>=|<|>)\s*(?P<end>{_BOUND})")
_FLIPPED = re.compile(rf"(?P<end>{_BOUND})\s*(?P<sign>\\le|\\ge|<=|>=|<|>)\s*[a-zA-Z]")
_PAIRS = {"(": ")", "[": "]", "{": "}"}


@lru_cache(maxsize=4096)
def parse(text: str) -> Value | None:
    """What a short answer is; `None` where nothing stands.

    Args:
        text: a gold answer, or the piece of a response that states one.
    """
    clean = plain(text)
    if not re.search(r"[\w∅]|\\\w", clean):
        return None
    return _parse(clean, 0)


def _parse(text: str, depth: int) -> Value:
    text = bare(text)
    if depth > 4 or len(text) > 400:
        return Words(text)
    for kind in (_number, _bracketed, _equation, _union, _several, _inequality):
        if (value := kind(text, depth)) is not None:
            return value
    return Words(text) if wordy(text) else Formula(text)


def wordy(text: str) -> bool:
    """Whether a text is prose: it holds a word that mathematics does not know."""
    text = re.sub(r"\\[a-zA-Z]+", " ", text)
    return any(word.lower() not in _MATH_WORDS for word in _LONG_WORD.findall(text))


def _number(text: str, depth: int) -> Number | None:
    if re.match(r"[(\[]", text) and len(split(text[1:-1])) > 1:
        return None
    money = _MONEY.match(text)
    rest = text[: money.start(2)] + text[money.end() :] if money else text
    if found := exact(rest):
        unit = units.canonical(money[2]) if money else ""
        return Number(text, found.value, unit=unit, worked_out=found.worked_out)
    for edge in re.finditer(r"(?<=[\d)}!.])\s*(?=[a-zA-Z%$€£])", rest):
        found = exact(rest[: edge.start()])
        if found is None:
            continue
        percent, after = units.percent(rest[edge.end() :])
        times, after = units.scale(after)
        close = not edge[0] and not percent
        unit = units.unit(after, close=close)
        if unit is not None:
            if money:
                unit = units.canonical(money[2])
            value = found.value * times
            return Number(text, value, percent, unit, found.worked_out)
    return None


def _bracketed(text: str, depth: int) -> Value | None:
    inside = text.replace(r"\{", "{").replace(r"\}", "}")
    opening, closing = inside[:1], inside[-1:]
    if opening not in _PAIRS or closing not in _PAIRS.values() or len(inside) < 3:
        return None
    if not _one_pair(inside):
        return None
    pieces = split(inside[1:-1])
    items = tuple(_parse(piece, depth + 1) for piece in pieces)
    if opening == "{" and closing == "}":
        return Bag(text, items, braces=True)
    if len(items) < 2:
        return _parse(inside[1:-1], depth + 1) if opening + closing == "()" else None
    return Group(text, opening + closing, items)


def _one_pair(text: str) -> bool:
    """Whether the first bracket closes only with the last letter."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0:
            return place == len(text) - 1
    return False


def _equation(text: str, depth: int) -> Value | None:
    sides = re.split(r"(?<![<>!=:])=(?!=)|\\in(?![a-zA-Z])", text)
    if len(sides) < 2 or not all(side.strip() for side in sides):
        return None
    if _AND.search(text) and len(sides) > 2:
        return None  # several equations, not one
    if len(split(text)) > 1 and len(sides) > 2:
        return None
    left = sides[0].strip()
    if _LEFT.fullmatch(left):
        return Equation(text, left.replace(" ", ""), _parse(sides[-1], depth + 1))
    if exact(left):  # a calculation written out: `3 + 4 = 7`
        return _parse(sides[-1], depth + 1)
    return None


def _union(text: str, depth: int) -> Value | None:
    pieces = re.split(r"\\cup(?![a-zA-Z])|(?<=[)\]])\s*U\s*(?=[(\[])", text)
    if len(pieces) < 2:
        return None
    return Union(text, tuple(_parse(piece, depth + 1) for piece in pieces))


def _several(text: str, depth: int) -> Value | None:
    if text.count(r"\pm") == 1 and "," not in text:
        both = [text.replace(r"\pm", sign, 1).strip() for sign in ("", "-")]
        return Bag(text, tuple(_parse(piece, depth + 1) for piece in both))
    if r"\ldots" in text or "..." in text:
        return None
    pieces = [p for part in _AND.split(text) for p in split(part) if p.strip()]
    if len(pieces) < 2:
        return None
    items = tuple(_parse(piece, depth + 1) for piece in pieces)
    if any(isinstance(item, Words) for item in items):
        return None
    return Bag(text, _named(items))


def _named(items: tuple[Value, ...]) -> tuple[Value, ...]:
    """`n = 2, 3, 4` names every item; `x = 1 or x = 2` needs no names."""
    first = items[0]
    if not isinstance(first, Equation):
        return items
    names = {item.left for item in items if isinstance(item, Equation)}
    if len(names) > 1:
        return items
    return tuple(item.right if isinstance(item, Equation) else item for item in items)


def _inequality(text: str, depth: int) -> Value | None:
    if found := _CHAIN.fullmatch(text):
        ends = ("(" if found["a"] == "<" else "[") + (")" if found["b"] == "<" else "]")
        return _interval(text, ends, found["low"], found["high"])
    flip = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le", "<=": ">=", ">=": "<="}
    if found := _HALF.fullmatch(text):
        sign = found["sign"]
    elif found := _FLIPPED.fullmatch(text):
        sign = flip[found["sign"]]
    else:
        return None
    if sign in ("<", "<=", r"\le"):
        ends = "()" if sign == "<" else "(]"
        return _interval(text, ends, r"-\infty", found["end"])
    ends = "()" if sign == ">" else "[)"
    return _interval(text, ends, found["end"], r"\infty")


def _interval(text: str, ends: str, low: str, high: str) -> Group:
    return Group(text, ends, (_parse(low, 1), _parse(high, 1)))


def split(text: str) -> list[str]:
    """The pieces between commas that stand outside brackets.

    A comma inside a number (`1,234`) parts nothing where others have a space.
    """
    commas, depth = [], 0
    for place, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            commas.append(place)
    tight = [c for c in commas if not text[c + 1 : c + 2].isspace()]
    thousands = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
    if len(tight) < len(commas) and all(thousands.match(text, c) for c in tight):
        commas = [c for c in commas if c not in tight]
    edges = [-1, *commas, len(text)]
    return [text[a + 1 : b].strip() for a, b in pairwise(edges)]
