"""Where a list of answers parts: commas, semicolons, `and`, outside brackets."""

from __future__ import annotations

import re
from itertools import pairwise

AND_WORDS = re.compile(
    r"\s*(?:,?\s*\b(?:and|or|und|oder|et|ou)(?=\b|\d)|(?<=[\d)}\]])or(?=[\w(\\])|"
    r"\\(?:text)?or\b|\\lor\b|\\vee\b|\\land\b|\\wedge\b|(?:,\s*)?(?:或|和|или|и)(?!\w))\s*"
)
OR_WORDS = re.compile(
    r"\bor\b|(?<=[\d)}\]])or(?=[\w(\\])|\\lor\b|\\vee\b|或|\bили\b|\boder\b"
)
_EQUALS = re.compile(r"(?<![<>!=:])=(?!=)|\\in(?![a-zA-Z])")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_OPEN, _CLOSE = "([{", ")]}"


def is_one_bracket(text: str) -> bool:
    """Whether the first bracket closes only with the last letter."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if depth == 0:
            return place == len(text) - 1
    return False


def _top(text: str, letter: str) -> list[int]:
    """Where a letter stands outside all brackets."""
    found, depth = [], 0
    for place, each in enumerate(text):
        depth += (each in _OPEN) - (each in _CLOSE)
        if each == letter and depth == 0:
            found.append(place)
    return found


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
    depth, begin, found = 0, 0, []
    for place, letter in enumerate(text):
        depth += (letter in _OPEN) - (letter in _CLOSE)
        after = text[place + len(command) : place + len(command) + 1]
        if depth == 0 and text.startswith(command, place) and not after.isalpha():
            found.append(text[begin:place])
            begin = place + len(command)
    return [*found, text[begin:]]


def equation_sides(text: str) -> list[str]:
    r"""The sides of an equation: between `=`, or `\in`, outside brackets."""
    edges, depth, at = [], 0, 0
    for found in _EQUALS.finditer(text):
        between = text[at : found.start()]
        depth += sum((each in _OPEN) - (each in _CLOSE) for each in between)
        at = found.start()
        if depth == 0:
            edges.append(found.span())
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
