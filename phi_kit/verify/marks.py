"""Where an answer stands in a response: boxes, marks, the last sentence."""

from __future__ import annotations

import re

_BOX = re.compile(r"\\f?boxed\s*(\{|[^\s{}\\$]+)")
# `#### 5`; below a heading `#### Answer` the next line. `#### Step 2` marks nothing.
_HASHES = re.compile(
    r"####[ \t]*"
    r"(?!(?:step|part|case|method|solution|explanation|check)[ \t]*(?:[\d:*\n]|\Z))"
    r"(?:(?:the[ \t]+)?(?:final[ \t]+)?answer[*_]*[ \t]*(?::[*_]*[ \t]*\n?|\n)\s*)?"
    r"(\S.*)",
    re.IGNORECASE,
)
# `Answer: 5`, `**Final Answer:** 5`, `✅ Final answer is 5`, on a line of its own.
# The second piece is the next line, where the answer stands below its heading.
_LINE = re.compile(
    r"(?:^|\n)[^\w\n]*(?:the[ \t]+)?(?:(?:final|correct|right)[ \t]+)?answer[ \t]*"
    r"[*_]*[ \t]*(?:is\b[ \t]*:?|[:：=])[*_]*[ \t]*(?:\n\s*)?(\S.*)",
    re.IGNORECASE,
)
_IS = re.compile(
    r"\banswer(?:[ \t]+to[ \t][^.\n]{1,60}?)?[ \t]+is\b[ \t]*:?[ \t]*(\S.*)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
_LETTER_A = re.compile(r"(?:^|\n)[ \t]*A:[ \t]*(\S.*)")  # GSM8K-style transcripts
_DEEP = 20
# A full stop ends a sentence only before a space: `3.5` holds none.
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def boxes(text: str) -> list[str]:
    r"""What stands in each `\boxed{…}`, braces matched, nested boxes unwrapped.

    A box that never closes (a truncated response) holds no answer.
    """
    found, begin, open_ended = [], 0, 0
    while match := _BOX.search(text, begin):
        begin = match.end()
        end = _closing(text, begin) if match[1] == "{" else begin
        if end is None:
            open_ended += 1
            if open_ended == _DEEP:  # a loop of broken boxes costs no minutes
                break
            continue
        inside = text[begin:end] if match[1] == "{" else match[1]
        found.append(_innermost(inside))
        begin = end
    return found


def _innermost(inside: str) -> str:
    for _ in range(_DEEP):
        match = _BOX.search(inside)
        if match is None or match[1] != "{":
            break
        end = _closing(inside, match.end())
        if end is None:
            break
        inside = inside[match.end() : end]
    return inside.strip()


def _closing(text: str, begin: int) -> int | None:
    depth = 1
    for place in range(begin, len(text)):
        letter = text[place]
        if letter in "{}" and text[place - 1] != "\\":
            depth += 1 if letter == "{" else -1
            if not depth:
                return place
    return None


def marked(text: str, *, letter_a: bool = False) -> list[str]:
    """The pieces that the strongest kind of mark announces, in their order.

    Args:
        text: the visible response.
        letter_a: whether a line `A: 26` is a mark (never where A is a choice).
    """
    if "boxed" in text and (found := boxes(text)):
        return found
    kinds = [_HASHES, _LINE, _IS]
    if "<" in text:
        kinds.insert(0, _TAG)
    if letter_a:
        kinds.insert(2, _LETTER_A)
    for kind in kinds:
        if found := kind.findall(text):
            return [piece.strip() for piece in found]
    return []


def everywhere(text: str) -> list[str]:
    """Every piece that any kind of mark announces, for the lenient reading."""
    found = boxes(text)
    for kind in (_TAG, _HASHES, _LINE, _LETTER_A, _IS):
        found += [piece.strip() for piece in kind.findall(text)]
    return found


def sentences(text: str) -> list[str]:
    """The sentences of a response; a line end ends one, too."""
    return [piece for piece in map(str.strip, _SENTENCE.split(text)) if piece]


def last_sentence(text: str) -> str:
    """The sentence a response ends on, or an empty text."""
    return next(reversed(sentences(text)), "")
