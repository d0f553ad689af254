"""Finds the answer in a response: boxes, tags, announcements, the last sentence.

Every verifier finds candidate texts here and reads them by rules of its own. An
announcement may be written in any of the languages of `answer_phrases`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from phi_kit.core import thinking

from .answer_phrases import (
    ANSWER_IS,
    ANSWER_IS_NOT,
    ANSWER_NAME,
    LEAD_WORDS,
    NEGATION,
    SENTENCE_ENDING,
    may_name_answer,
)
from .math.latex import BOX_COMMAND

_BOX = re.compile(rf"{BOX_COMMAND}\s*(\{{|[^\s{{}}\\$]+)")
_TAG = re.compile(
    r"<(answer|final[ _-]?answer)\b[^<>]*>(.*?)</\1\s*>", re.IGNORECASE | re.DOTALL
)
# `{"answer": "C"}`, one key of several. Not parsed as JSON: models write LaTeX
# into it with single backslashes, and single quotes around it.
_JSON = re.compile(
    r"""[{,]\s*(["'])(?:(?:final|correct)[ _]?)?answer\1\s*:\s*"""
    r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\\n]|\\.)*'(?=\s*[,}])|\[[^\]]*\]|[^\s,}"'\[]+)""",
    re.IGNORECASE | re.DOTALL,
)
# `#### 5`; below a heading `#### Answer` the next line. `#### Step 2` marks nothing.
_HASHES = re.compile(
    r"####[ \t]*"
    r"(?!(?:step|part|case|method|solution|explanation|check)[ \t]*(?:[\d:*\n]|\Z))"
    rf"(?:{LEAD_WORDS}{ANSWER_NAME}[*_]*[ \t]*(?:[:：][*_]*[ \t]*\n?|\n)\s*)?(\S.*)",
    re.IGNORECASE,
)
_CLOSED = r"(?:\*+|__?(?=\s))?"  # the end of `**Answer:**`; `_init_` begins with none
# `Answer: 5`, `**Final Answer:** 5`, `✅ Final answer is 5`, `Ответ: 5`, on a line
# of its own. The piece is the next line, where the answer stands below.
_LINE = re.compile(
    rf"(?:^|\n)[^\w\n]*{LEAD_WORDS}(?:{ANSWER_IS}(?:[*_]*[ \t]*[:：]{_CLOSED})?|"
    rf"{ANSWER_NAME}[ \t]*[*_\])]*[ \t]*(?:[:：=→]|[-=]+>|[–—-](?=\s)){_CLOSED})"
    r"[ \t]*(?:\n\s*)?(\S.*)",
    re.IGNORECASE,
)
# A heading without a colon and the answer below it: `### Final Answer`. A line
# that merely breaks after the word begins in lower case and has no such signs.
_HEADING = re.compile(
    rf"(?:^|\n)(?=[^\w\n]*[#*_>\[✅]|[ \t]*(?-i:[^\W\d_a-z]))[^\w\n]*"
    rf"{LEAD_WORDS}{ANSWER_NAME}"
    r"[ \t]*[*_\]#]*[ \t]*\n\s*(?!(?:is|to|of|was|for|that|which|and|or)\b)(\S.*)",
    re.IGNORECASE,
)
_TO = r"\banswer[ \t]+to[ \t][^.\n]{1,60}?[ \t]+is\b"
_IS = re.compile(
    rf"(?:{ANSWER_IS}|{_TO})(?:[*_]*[ \t]*[:：]{_CLOSED})?\s*(\S.*)", re.IGNORECASE
)
_DENIED = re.compile(rf"{ANSWER_IS_NOT}[ \t]*(\S.*)", re.IGNORECASE)
_DENIES = re.compile(rf"{NEGATION}\s*(?=\w)", re.IGNORECASE)
# A solution of several lines, up to the response's end.
_SOLVED = re.compile(
    rf"(?:^|\n)[^\w\n]*{LEAD_WORDS}(?:{ANSWER_NAME}|solution)[^\w:：]*"
    r"(?:is\b[ \t]*[:：]?|[:：])"
    r"(?:\*\*|__)?[ \t:]*\n?(.+)",
    re.IGNORECASE | re.DOTALL,
)
_LETTER_A = re.compile(r"(?:^|\n)[ \t]*A:[ \t]*(\S.*)")  # GSM8K-style transcripts
_PATTERNS = {
    "tag": _TAG, "json": _JSON, "hashes": _HASHES, "letter": _LETTER_A,
    "line": _LINE, "heading": _HEADING, "is": _IS,
}  # fmt: skip
_NAMED_KINDS = ("line", "heading", "is")  # those that need the answer's name
# What nothing but a final answer is marked with.
_FINAL_KINDS = ("tag", "hashes", "line", "heading")
_LEAD = re.compile(LEAD_WORDS, re.IGNORECASE)
_MAX_NESTING = 20
# A full stop ends a sentence only before a space: `3.5` holds none.
SENTENCE_BREAK = re.compile(r"(?<=[.!?؟])\s+|(?<=[。！？।])\s*|\n+")
# What opens a block whose first line says nothing, and what closes it.
_DISPLAY = re.compile(r"(\$\$|\\\[|```)\w*\s*$")
_CLOSES = {"$$": "$$", "\\[": "\\]", "```": "```"}
_HOPE_IT_IS_CORRECT = re.compile(
    r"[.\s]*\bI hope (?:it|this) is correct\.?\s*$", re.IGNORECASE
)
# The line that ends worked steps, also in other dress: `**Final Answer:** 5`.
_LAST_MARK = re.compile(
    r"^[ \t>#*_]*(?:(?:the|my|final)[ \t]+)*answer[*_]*[ \t]*[:：][*_]*",
    re.MULTILINE | re.IGNORECASE,
)
_FENCED = re.compile(r"^[ \t>]*(```+|~~~+).*\n(?:.*\n)*?[ \t>]*\1", re.MULTILINE)
_TAIL = re.compile(SENTENCE_ENDING, re.IGNORECASE)
# Between two boxes that are parts of one answer: `, y =`, `and the height is`.
_BETWEEN_PARTS = re.compile(
    r"[\s$\\()\[\]]*(?:[,;&，、]\s*)?(?:\b(?:and|or|und|oder|et|ou|y|o|e|и|или)\b|和|或)?"
    r"(?:[^\s.!?;=≈。][^.!?;\n=≈。]{0,40}(?:=|\\in|:)?)?[\s$\\(\[]*",
    re.IGNORECASE,
)
# What shows that a further box is another version of the one before.
_NEW_VERSION = re.compile(
    r"\b(?:then|so|thus|hence|therefore|wait|no|not|instead|actually|rather|wrong|"
    r"which|because|since|simplif\w*|equal\w*|approx\w*|gives?|first|finally|but|"
    r"correct\w*|becomes?|i\.?e)\b|≈|\\approx|\\(?:R|Longr)ightarrow|\\implies|\\to\b|→",
    re.IGNORECASE,
)


class AnswerMark(NamedTuple):
    """A piece of a response that is announced as its answer.

    Attributes:
        kind: how it is announced: `box`, `tag`, `json`, `hashes`, `line`, `heading`, …
        begin: the index in the text at which the mark begins.
        text: the piece.
    """

    kind: str
    begin: int
    text: str


def boxes(text: str) -> list[str]:
    r"""The content of each `\boxed{…}`, braces matched, nested boxes unwrapped.

    A box that never closes (a truncated response) holds no answer.
    """
    return [inside for _, _, inside in _boxed(text)] if "box" in text else []


def _boxed(text: str) -> Iterator[tuple[int, int, str]]:
    """Each closed box: where it begins and ends, and its content."""
    begin = unclosed = 0
    while match := _BOX.search(text, begin):
        begin = match.end()
        end = _closing_brace(text, begin) if match[1] == "{" else begin
        if end is None:
            unclosed += 1
            if unclosed == _MAX_NESTING:  # bounds the time for a loop of broken boxes
                return
            continue
        inside = text[begin:end] if match[1] == "{" else match[1]
        begin = end + (match[1] == "{")
        yield match.start(), begin, _innermost(inside)


def _innermost(inside: str) -> str:
    for _ in range(_MAX_NESTING):
        match = _BOX.search(inside)
        if match is None or match[1] != "{":
            break
        end = _closing_brace(inside, match.end())
        if end is None:
            break
        inside = inside[match.end() : end]
    return inside.strip()


def _closing_brace(text: str, begin: int) -> int | None:
    depth = 1
    for index in range(begin, len(text)):
        letter = text[index]
        if letter in "{}" and text[index - 1] != "\\":
            depth += 1 if letter == "{" else -1
            if not depth:
                return index
    return None


def final_boxes(text: str) -> list[str]:
    r"""The boxes that state the answer together: the last one, or its parts.

    `x=\boxed{1}`, `y=\boxed{2}` in one sentence are two parts of one answer. A
    box after another sentence, or after a word such as "then" or "wait", takes
    the place of the one before.
    """
    parts: list[str] = []
    before = 0
    for begin, end, inside in _boxed(text) if "box" in text else ():
        between = text[before:begin]
        if _NEW_VERSION.search(between) or not _BETWEEN_PARTS.fullmatch(between):
            parts = []
        parts.append(inside)
        before = end
    return list(dict.fromkeys(parts))


def ends_inside_box(text: str) -> bool:
    r"""Whether a response ends inside a `\boxed{`: its content may be incomplete."""
    last = text.rfind("boxed{")
    return last >= 0 and _closing_brace(text, last + len("boxed{")) is None


def find_marks(text: str, *, letter_a: bool = False) -> list[AnswerMark]:
    """Every mark of a visible response, the strongest kind first, each in order.

    Args:
        text: the visible response.
        letter_a: whether a line `A: 26` is a mark (never where A is a choice).
    """
    marks = [AnswerMark("box", at, inside) for at, _, inside in _boxed(text)]
    called = may_name_answer(text)
    for kind, pattern in _PATTERNS.items():
        if kind == "letter" and not letter_a:
            continue
        if kind in _NAMED_KINDS and not called:
            continue
        for match in pattern.finditer(text):
            piece = _announced_text(kind, match, text)
            # One that ends inside a box may go on: it is not the answer yet.
            if piece and not ends_inside_box(piece):
                marks.append(AnswerMark(kind, match.start(), piece))
    stated = [mark for mark in marks if mark.kind == "is"]
    for match in _DENIED.finditer(text) if called else ():
        stated.append(AnswerMark("is", match.start(), f"not {match[1].strip()}"))
    stated.sort(key=lambda mark: mark.begin)
    return [mark for mark in marks if mark.kind != "is"] + stated


def _announced_text(kind: str, match: re.Match[str], text: str) -> str:
    piece = match[match.lastindex].strip()
    if kind == "tag":
        return piece
    if kind == "json":
        return _unquoted(piece)
    if opened := _DISPLAY.fullmatch(piece):  # the formula stands on the next lines
        begin = match.end()
        end = text.find(_CLOSES[opened[1]], begin)
        piece = text[begin : len(text) if end < 0 else end].strip()
    bare = piece.lstrip("*_ ")
    if kind != "is" and (inner := _IS.match(bare, _LEAD.match(bare).end())):
        piece = inner[1]  # `Answer: the answer is 5`
    piece = _HOPE_IT_IS_CORRECT.sub("", piece)
    if denied := _DENIES.match(piece):
        piece = f"not {piece[denied.end() :]}"
    return piece if piece.isascii() else _TAIL.sub(r"\1", piece)


def _unquoted(value: str) -> str:
    if value[:1] not in "\"'":
        return value
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), value[1:-1])
    return re.sub(r"""\\(["'\\/])""", r"\1", plain).strip()


def last_mark(text: str) -> tuple[int, int] | None:
    """Where the last line `Answer:` of a visible response begins, and its mark ends.

    Steps before it may hold boxes, words, letters and answers that were given up; it
    has the last word. A mark inside a block of code is text, and so is one that
    nothing follows.
    """
    found = [m for m in _LAST_MARK.finditer(text) if text[m.end() :].strip()]
    if found and ("```" in text or "~~~" in text):
        blocks = [block.span() for block in _FENCED.finditer(text)]
        found = [m for m in found if not any(a < m.start() < b for a, b in blocks)]
    return found[-1].span() if found else None


def from_last_mark(text: str) -> str:
    """A visible response from its last line `Answer:` on; without one, all of it."""
    found = last_mark(text)
    return text[found[0] :] if found else text


def after_last_mark(text: str) -> str | None:
    """What follows the last line `Answer:`; `None` where no line is one."""
    if (found := last_mark(text)) is None:
        return None
    first, newline, rest = text[found[1] :].partition("\n")
    return f"{first.lstrip()}{newline}{rest}" if first.strip() else rest


def final_answers(text: str, *, letter_a: bool = False) -> list[str]:
    """The answers announced by the strongest kind of mark, in their order."""
    marks = find_marks(text, letter_a=letter_a)
    return [mark.text for mark in marks if mark.kind == marks[0].kind]


def marked_answer(solution: str) -> str:
    """The final answer that a worked solution marks, or an empty text.

    A box, a tag, `####` or a line `Answer:`. Marks in a thought do not count, and a
    sentence that the answer is this or that marks none: it may say so on the way.
    """
    text = thinking.visible(solution)
    if ends_inside_box(text):
        return ""
    if parts := final_boxes(text):
        return ", ".join(parts)
    marks = [mark for mark in find_marks(text) if mark.kind in _FINAL_KINDS]
    found = [mark.text for mark in marks if mark.kind == marks[0].kind]
    return found[-1].strip("*_` ").removesuffix(".") if found else ""


def all_candidates(text: str) -> list[str]:
    """All answers announced by any kind of mark, for the lenient reading."""
    return [mark.text for mark in find_marks(text, letter_a=True)]


def after_first_mark(text: str) -> str:
    """The text after the first announcing line: a solution of several lines."""
    if match := _SOLVED.search(text):
        return match[1]
    return ""


def sentences(text: str) -> list[str]:
    """The sentences of a response; a line end ends one, too."""
    return [piece for piece in map(str.strip, SENTENCE_BREAK.split(text)) if piece]


def last_sentence(text: str) -> str:
    """The sentence a response ends on, or an empty text."""
    return next(reversed(sentences(text)), "")
