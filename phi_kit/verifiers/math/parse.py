"""Answers with a type: number, interval, set, tuple, equation, formula, words."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

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
from .exact_arithmetic import parse_exact
from .latex import normalize_answer, strip_wrappers

_MONEY = re.compile(
    r"^([-+]?)\s*((?:US|AU?|CA?|NZ|HK|R)?\$|[€£¥₹₽₩]|USD|EUR|GBP|Rs\.?)\s*(?=[-+\d.])"
)
_ABOUT = re.compile(
    r"^(?:=|\\approx|\\sim|~|about\b|approximately\b|approx\b\.?|roughly\b)\s*(?=\S)",
    re.IGNORECASE,
)
# What may stand alone before an equals sign and be left off: `x`, `f(2)`, `AB`,
# `\angle ABC`, `S_{ABC} : S`. A product such as `2x` or `xy` may not.
_NAME = (
    r"(?:(?!\\(?:sin|cos|tan|log|ln|exp|sqrt|frac|sum|int|prod|lim|pi|infty)(?![a-z]))"
    r"(?:\\(?:angle|triangle|overline|vec|overrightarrow|bar|hat)\s*\{?\s*[a-zA-Z]+\s*\}?"
    r"|\\[a-zA-Z]+|[A-Z]{2,}|[a-zA-Z])(?:_\{[^{}]*\}|_\w)?'*"
    r"(?:\(-?[\w\s,.\\{}]*\))?)"
)
_SIDE = rf"(?:m\s*)?(?:\|\s*{_NAME}\s*\||{_NAME})"
_RATIO = rf"\\frac\{{\s*{_SIDE}\s*\}}\{{\s*{_SIDE}\s*\}}"
_LEFT = re.compile(rf"(?:{_RATIO}|{_SIDE}(?:\s*:\s*{_SIDE})*)\s*")
_NAMES = re.compile(rf"\(\s*{_NAME}(?:\s*[,;]\s*{_NAME})+\s*\)\s*")
_LONG_WORD = re.compile(r"(?<![\\a-zA-Z])[^\W\d_]{3,}|[\u0400-\u052f\u0590-\uffdc]+")
_MATH_WORDS = {
    *("sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "sqrt", "max", "min"),
    *("mod", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "infty", "gcd"),
    *("lcm", "det", "lim", "deg", "inf"),
}
_BASES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
_BASES |= {"eight": 8, "nine": 9, "ten": 10, "twelve": 12, "sixteen": 16}
_BASED = re.compile(
    r"\(?(-?[0-9][0-9A-Fa-f]*|[A-F]{2,}|[A-F]+\d[0-9A-F]*)\)?\s*"
    r"(?:_\{?\s*\(?\s*(\w+)\s*\)?\s*\}?|,?\s*\(?(?:in )?base[ -]?(\w+)\)?)"
)
_EMPTY = re.compile(
    r"\\emptyset|\\?\{\s*\\?\}|(?:the )?(?:empty set|null set)|no (?:real )?solutions?",
    re.IGNORECASE,
)
_ENVIRONMENT = re.compile(
    r"(?:[(\[]\s*)?\\begin\{(?P<kind>[pbB]?(?:small)?matrix|array)\}"
    r"(?P<columns>\s*\{[lcr| ]*\})?(?P<body>.*)\\end\{(?P=kind)\}\s*[)\]]?"
)
_REALS = re.compile(
    r"\\mathbb\{R\}|(?:the set of )?all (?:real numbers|reals)|"
    r"(?:all|every|any) real(?: number| value)?s?(?: (?:of )?\w)?",
    re.IGNORECASE,
)
_WITHOUT = re.compile(
    r"(?:\\mathbb\{R\}|\(-\s*\\infty\s*,\s*\+?\\infty\s*\))\s*(?:\\setminus|-)\s*"
    r"\\?\{(.*?)\\?\}"
)
_BARE_UNION = re.compile(r"(?<=[)\]}])\s*(?:U|∪|union)\s*(?=[(\[{\\])")
_RELATION = re.compile(r"(?:\\(?:le|ge|ne)(?![a-zA-Z])|<|>)")
_EXCLUDED = re.compile(r"(?:(?!\\ne)[^<>=])*\\ne (?!.*\\ne)[^<>=a-zA-Z]*")
_BELOW, _ABOVE = ("<", r"\le"), (">", r"\ge")
_FLIP = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le", r"\ne": r"\ne"}
# What ranges over an interval; what a bound of one may not hold.
_RANGED = re.compile(
    r"(?:[a-zA-Z]|\\[a-z]+)(?<!\\pi)(?<!\\infty)(?:_\{?\w\}?)?(?:\([a-z]\))?"
)
_FREE = re.compile(r"(?<![\\a-zA-Z])(?!e\b)[a-zA-Z](?![a-zA-Z])|[|=<>]")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_BUILDER = re.compile(r"\s*[a-z]\s*(?:\\in\s*\\mathbb\{R\}\s*)?(?:\\mid|\||:)\s*(.+)")
# Prime signs and letters close to a number make it another one.
_EDGE = re.compile(r"(?<=[\d)}!.])\s*(?=[^\W\d_]|[%$€£¥₹₽₩¢])")

# The words that separate the items of a list.
AND_WORDS = re.compile(
    r"\s*(?:,?\s*\b(?:and|or|und|oder|et|ou)(?=\b|\d)|(?<=[\d)}\]])or(?=[\w(\\])|"
    r"\\(?:text)?or\b|\\lor\b|\\vee\b|\\land\b|\\wedge\b|(?:,\s*)?(?:或|和|или|и)(?!\w))\s*"
)
OR_WORDS = re.compile(
    r"\bor\b|(?<=[\d)}\]])or(?=[\w(\\])|\\lor\b|\\vee\b|或|\bили\b|\boder\b"
)
_EQUALS = re.compile(r"(?<![<>!=:])=(?!=)|\\in(?![a-zA-Z])")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_OPENING, _CLOSING = "([{", ")]}"


@lru_cache(maxsize=4096)
def parse_answer(text: str) -> Answer | None:
    """A short answer with its type; `None` for an empty one.

    Args:
        text: a gold answer, or the piece of a response that states one.
    """
    clean = normalize_answer(text)
    if not re.search(r"\w|\\\w|\{", clean):
        return None
    return parse_normalized(clean, 0)


def parse_normalized(text: str, depth: int) -> Answer:
    """A normalized text with its type, inside `depth` others."""
    text = strip_wrappers(text)
    if depth > 4 or len(text) > 400:
        return TextAnswer(text)
    if not depth:
        text = _ABOUT.sub("", text)
    for kind in _KINDS:
        if (value := kind(text, depth)) is not None:
            return value
    prose = is_prose(text) and is_prose(units.split_trailing_unit(text)[0])
    return TextAnswer(text) if prose else FormulaAnswer(text)


def is_prose(text: str) -> bool:
    """Whether a text is prose: it holds a word that mathematics does not know."""
    text = re.sub(r"\\(?:(?:begin|end)\{\w+\}|[a-zA-Z]+)", " ", text)
    return any(word.lower() not in _MATH_WORDS for word in _LONG_WORD.findall(text))


def _number(text: str, depth: int) -> NumberAnswer | None:
    if re.match(r"[(\[]", text) and len(split_list(text[1:-1])) > 1:
        return None
    money = _MONEY.match(text)
    rest = text[: money.start(2)] + text[money.end() :] if money else text
    sign = money[2][-1] if money and "$" in money[2] else money[2] if money else ""
    coin = units.canonical_unit(sign.strip(".")) if money else ""
    if number := parse_exact(rest):
        return NumberAnswer(text, number.value, unit=coin, worked_out=number.worked_out)
    for edge in _EDGE.finditer(rest):
        number = parse_exact(rest[: edge.start()])
        if number is None:
            continue
        close = not edge[0]
        percent, after = units.read_percent(rest[edge.end() :])
        times, after = units.read_scale(after, close=close)
        unit = units.unit_name(after, close=close and not percent and times == 1)
        if unit is not None:
            value = number.value * times
            return NumberAnswer(text, value, percent, coin or unit, number.worked_out)
    return None


def _based(text: str, depth: int) -> Answer | None:
    match = _BASED.fullmatch(text)
    if not match:
        return None
    name = (match[2] or match[3]).lower()
    base = _BASES.get(name) or (int(name) if name.isdecimal() and len(name) < 3 else 0)
    digits = match[1].upper()
    if not 2 <= base <= 36 or not digits:
        return None
    if base == 10 and digits.lstrip("-").isdecimal():
        return _number(digits, depth)
    return BasedNumber(text, digits.lstrip("0") or "0", base)


def _empty(text: str, depth: int) -> SetAnswer | None:
    return SetAnswer(text, (), "set") if _EMPTY.fullmatch(text) else None


def _matrix(text: str, depth: int) -> MatrixAnswer | None:
    match = _ENVIRONMENT.fullmatch(text)
    if not match or r"\begin" in match["body"]:
        return None
    body = re.sub(r"\\hline", " ", match["body"]).strip().removesuffix(r"\cr").strip()
    rows = [
        tuple(parse_normalized(cell.strip(), depth + 1) for cell in row.split("&"))
        for row in re.split(r"\\cr(?![a-zA-Z])", body)
    ]
    if not body or len({len(row) for row in rows}) > 1:
        return None
    return MatrixAnswer(text, tuple(rows))


def _bracketed(text: str, depth: int) -> Answer | None:
    inside = text.replace(r"\{", "{").replace(r"\}", "}")
    opening, closing = inside[:1], inside[-1:]
    if opening not in _BRACKETS or closing not in _BRACKETS.values():
        return None
    if len(inside) < 3 or not is_one_bracket(inside):
        return None
    built = _BUILDER.fullmatch(inside[1:-1]) if opening == "{" else None
    if built and isinstance(
        value := parse_normalized(built[1], depth + 1), SequenceAnswer | UnionAnswer
    ):
        return value
    items = tuple(
        parse_normalized(piece, depth + 1) for piece in split_list(inside[1:-1])
    )
    if opening == "{" and closing == "}":
        braces = "set" if text.startswith("\\") else "plain"
        return SetAnswer(text, _either(items), braces)
    if len(items) < 2:
        return (
            parse_normalized(inside[1:-1], depth + 1)
            if opening + closing == "()"
            else None
        )
    return SequenceAnswer(text, opening + closing, items)


def _equation(text: str, depth: int) -> Answer | None:
    sides = equation_sides(text)
    if len(sides) < 2 or not all(sides):
        return None
    if len(sides) > 2 and (AND_WORDS.search(text) or len(split_list(text)) > 1):
        return None  # several equations, not one
    if _LEFT.fullmatch(sides[0]) or _NAMES.fullmatch(sides[0]):
        return EquationAnswer(
            text, sides[0].replace(" ", ""), parse_normalized(sides[-1], depth + 1)
        )
    if parse_exact(sides[0]):  # a calculation written out: `3 + 4 = 7`
        last = parse_normalized(sides[-1], depth + 1)
        return last if isinstance(last, NumberAnswer) else None
    return None


def _several(text: str, depth: int) -> Answer | None:
    if text.count(r"\pm") == 1 and "," not in text and not AND_WORDS.search(text):
        both = [text.replace(r"\pm", sign, 1).strip() for sign in ("", "-")]
        return SetAnswer(
            text, tuple(parse_normalized(piece, depth + 1) for piece in both)
        )
    if r"\ldots" in text or "..." in text or r"\begin" in text:
        return None
    if _EXCLUDED.fullmatch(text):
        return None
    pieces = list_items(text)
    if len(pieces) < 2:
        return None
    items = tuple(parse_normalized(piece, depth + 1) for piece in pieces)
    if any(isinstance(item, TextAnswer) for item in items):
        return None
    joined = real_sets.join_conditions(text, items, either=bool(OR_WORDS.search(text)))
    if joined is not None:
        return joined
    return SetAnswer(text, _named(_either(items)))


def _named(items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """`n = 2, 3, 4` names every item; `x = 1 or x = 2` needs no names."""
    first = items[0]
    if not isinstance(first, EquationAnswer):
        return items
    names = {item.left for item in items if isinstance(item, EquationAnswer)}
    if len(names) > 1:
        return items
    return tuple(
        item.right if isinstance(item, EquationAnswer) else item for item in items
    )


def _either(items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    r"""`-2, 1 \pm \sqrt{5}` lists three numbers."""
    flat: list[Answer] = []
    for item in items:
        inner = item.right if isinstance(item, EquationAnswer) else item
        if r"\pm" not in item.text or not isinstance(inner, SetAnswer) or inner.braces:
            flat.append(item)
        elif inner is item:
            flat += inner.items
        else:
            flat += [EquationAnswer(each.text, item.left, each) for each in inner.items]
    return tuple(flat)


def _line(text: str, depth: int) -> Answer | None:
    """The real line, and the line without some of its points."""
    if _REALS.fullmatch(text):
        return real_sets.answer_of(text, real_sets.REALS)
    match = _WITHOUT.fullmatch(text)
    if not match:
        return None
    points = [parse_normalized(piece, depth + 1) for piece in split_list(match[1])]
    return _holes(text, points)


def _holes(text: str, points: list[Answer]) -> Answer | None:
    if not all(isinstance(point, NumberAnswer) for point in points):
        return None
    return real_sets.answer_of(
        text, real_sets.reals_without([point.value for point in points])
    )


def _union(text: str, depth: int) -> Answer | None:
    pieces = [
        p for part in split_at_command(text, r"\cup") for p in _BARE_UNION.split(part)
    ]
    if len(pieces) < 2:
        return None
    items = tuple(parse_normalized(piece, depth + 1) for piece in pieces)
    if all(isinstance(item, SetAnswer) and item.braces for item in items):
        return SetAnswer(
            text, tuple(member for item in items for member in item.items), "set"
        )
    if any(isinstance(item, TextAnswer | FormulaAnswer) for item in items):
        return None
    return UnionAnswer(text, items)


def _inequality(text: str, depth: int) -> Answer | None:
    signs = _RELATION.findall(text)
    sides = [side.strip() for side in _RELATION.split(text)]
    if len(signs) == 2 and _RANGED.fullmatch(sides[1]):
        low, _, high = sides
        if signs[0] in _ABOVE and signs[1] in _ABOVE:
            low, high, signs = high, low, [_FLIP[signs[1]], _FLIP[signs[0]]]
        if not all(sign in _BELOW for sign in signs):
            return None
        ends = ("(" if signs[0] == "<" else "[") + (")" if signs[1] == "<" else "]")
        return _interval(text, ends, low, high)
    if len(signs) != 1:
        return None
    (sign,) = signs
    if _RANGED.fullmatch(sides[1]) and not _RANGED.fullmatch(sides[0]):
        sides, sign = sides[::-1], _FLIP[sign]
    if not _RANGED.fullmatch(sides[0]):
        return None
    if sign == r"\ne":
        return _holes(
            text, [parse_normalized(piece, depth + 1) for piece in split_list(sides[1])]
        )
    if sign in _BELOW:
        return _interval(text, "()" if sign == "<" else "(]", r"-\infty", sides[1])
    return _interval(text, "()" if sign == ">" else "[)", sides[1], r"\infty")


def _interval(text: str, ends: str, low: str, high: str) -> SequenceAnswer | None:
    items = (parse_normalized(low, 1), parse_normalized(high, 1))
    if any(
        not isinstance(i, NumberAnswer | FormulaAnswer) or _FREE.search(i.text)
        for i in items
    ):
        return None
    return SequenceAnswer(text, ends, items)


def is_one_bracket(text: str) -> bool:
    """Whether the first bracket closes only with the last letter."""
    depth = 0
    for index, letter in enumerate(text):
        depth += (letter in _OPENING) - (letter in _CLOSING)
        if depth == 0:
            return index == len(text) - 1
    return False


def _top(text: str, letter: str) -> list[int]:
    """Where a letter stands outside all brackets."""
    positions, depth = [], 0
    for index, character in enumerate(text):
        depth += (character in _OPENING) - (character in _CLOSING)
        if character == letter and depth == 0:
            positions.append(index)
    return positions


def split_list(text: str) -> list[str]:
    """The pieces between semicolons, or commas, that stand outside brackets.

    A comma inside a number (`1,234`) parts nothing where others have a space.
    """
    marks = _top(text, ";")
    if not marks:
        marks = _top(text, ",")
        tight = [m for m in marks if not text[m + 1 : m + 2].isspace()]
        if len(tight) < len(marks) and all(_THOUSANDS.match(text, m) for m in tight):
            marks = [m for m in marks if m not in tight]
    edges = [-1, *marks, len(text)]
    return [text[a + 1 : b].strip() for a, b in pairwise(edges)]


def split_at_command(text: str, command: str) -> list[str]:
    """The pieces between a LaTeX command that stands outside brackets."""
    depth, begin, pieces = 0, 0, []
    for index, letter in enumerate(text):
        depth += (letter in _OPENING) - (letter in _CLOSING)
        after = text[index + len(command) : index + len(command) + 1]
        if depth == 0 and text.startswith(command, index) and not after.isalpha():
            pieces.append(text[begin:index])
            begin = index + len(command)
    return [*pieces, text[begin:]]


def equation_sides(text: str) -> list[str]:
    r"""The sides of an equation: between `=`, or `\in`, outside brackets."""
    edges, depth, at = [], 0, 0
    for match in _EQUALS.finditer(text):
        between = text[at : match.start()]
        depth += sum(
            (character in _OPENING) - (character in _CLOSING) for character in between
        )
        at = match.start()
        if depth == 0:
            edges.append(match.span())
    begins = [0, *(end for _, end in edges)]
    ends = [*(begin for begin, _ in edges), len(text)]
    return [text[a:b].strip() for a, b in zip(begins, ends, strict=True)]


def list_items(text: str) -> list[str]:
    """The items of a list: `2, 3 and 4`, `p=5, q=2; p=7, q=2`."""
    outer = split_list(text) if _top(text, ";") else AND_WORDS.split(text)
    if len(outer) > 1 and all("=" in piece and "," in piece for piece in outer):
        return outer  # `x=1, y=2 or x=3, y=4` are two pairs
    if _top(text, ";"):
        return [piece for piece in outer if piece]
    return [piece for part in outer for piece in split_list(part) if piece.strip()]


_KINDS = (
    *(_empty, _number, _based, _matrix, _line, _bracketed, _union),
    *(_equation, _several, _inequality),
)
