"""Responses in the style of the study: one thought, one marked answer at the end.

Models and data sets mark an answer in many ways: a box, `####`, `**Answer:**`, "The
answer is 18." A row teaches one way, so what plainly ends with a marked answer is
rewritten to end with the kit's own line. Nothing is added that was not said.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from phi_kit.core import thinking
from phi_kit.core.answer_style import ANSWER_MARK, Style
from phi_kit.verifiers.answer_extraction import AnswerMark, boxes
from phi_kit.verifiers.answer_extraction import find_marks as _marks
from phi_kit.verifiers.answer_phrases import ANSWER_IS, LEAD_WORDS
from phi_kit.verifiers.math.latex import BOX_COMMAND

MARK_LINE = re.compile(rf"^{ANSWER_MARK}", re.MULTILINE)
# The same mark in other dress: `**Final Answer:** 5`, `### Answer: 5`.
_DRESSED = re.compile(
    r"^[ \t>#*_]*(?:the[ \t]+)?(?:final[ \t]+)?answer[*_]*[ \t]*[:：][*_]*",
    re.MULTILINE | re.IGNORECASE,
)
_HASHES = re.compile(r"^[ \t]*####[ \t]*(?=\S)", re.MULTILINE)
_BOX = re.compile(rf"{BOX_COMMAND}\s*\{{")
_DELIMITERS = re.compile(r"[\s$.,;!)\]\\*_]*")  # what may close a formula after a box
_BARE_LINE = re.compile(r"[\s$\\()\[\]*_.]*")
_LEAD = re.compile(rf"[^\w\n]*{LEAD_WORDS}", re.IGNORECASE)
_SAYS = re.compile(rf"[^\w]*{LEAD_WORDS}{ANSWER_IS}", re.IGNORECASE)
_LONGEST_SAID = 8  # words of an answer that a sentence says
# Marks that a verifier reads as the answer wherever they stand.
_STRONG = ("box", "tag", "json", "hashes", "line", "heading")


class MarkedText(NamedTuple):
    """A text that ends with its marked answer.

    Attributes:
        work: what stands before the mark.
        answer: what is marked.
    """

    work: str
    answer: str


def closing_mark(text: str) -> MarkedText | None:
    """The text's work and answer, if it ends with the kit's own mark."""
    marks = list(MARK_LINE.finditer(text))
    if not marks or not text[marks[-1].end() :].strip():
        return None
    return MarkedText(text[: marks[-1].start()].rstrip(), text[marks[-1].end() :])


def marked(work: str, answer: str, *, below: bool = False) -> str:
    """Work with its answer behind the mark.

    Args:
        work: what leads to the answer.
        answer: the answer; below the mark where it has several lines.
        below: whether it stands there in any case.
    """
    answer = answer.strip("\n").rstrip()
    if below or "\n" in answer:
        return f"{work.rstrip()}\n{ANSWER_MARK}\n{answer}".strip()
    return f"{work.rstrip()}\n{ANSWER_MARK} {answer.strip()}".strip()


def as_written(text: str, style: Style) -> str:
    """A text as the study's style has it, as far as it can be said so.

    `answer` loses mark and thought; `steps` loses its thought; in `think` a text
    without a thought becomes the thought, and its answer the solution.

    Args:
        text: of any source.
        style: of the study.
    """
    if style == "think":
        return _with_thought(text.strip())
    if thinking.written(text):
        text = thinking.visible(text)
    text = _with_one_mark(text.strip())
    if style == "answer" and (parts := closing_mark(text)) and not parts.work:
        return parts.answer.strip()
    return text


def _with_thought(text: str) -> str:
    tags = [tag for tag in thinking.tags(text) if tag.kind in ("open", "close")]
    kinds = [tag.kind for tag in tags]
    if not kinds:
        text = _with_one_mark(text)
        parts = closing_mark(text)
        if parts is None or not parts.work:
            return text
        return thinking.wrapped(parts.work, f"{ANSWER_MARK}{parts.answer}")
    if kinds == ["close"]:  # the prompt had opened the thought
        head, tail = text[: tags[0].begin], text[tags[0].end :]
    elif kinds == ["open", "close"] and not text[: tags[0].begin].strip():
        head, tail = text[tags[0].end : tags[1].begin], text[tags[1].end :]
    else:
        return text
    return thinking.wrapped(head, _with_one_mark(tail.strip()))


def _with_one_mark(text: str) -> str:
    """A text whose plain last answer stands behind the kit's mark."""
    for find in (_dressed, _after_hashes, _in_a_box, _announced):
        if parts := find(text):
            work, answer = parts.work, _bare(parts.answer)
            if find is not _announced:
                work = _said_once(work, answer)
            below = find is _dressed and parts.answer.lstrip(" \t").startswith("\n")
            return marked(work, answer, below=below)
    return text


def _dressed(text: str) -> MarkedText | None:
    found = list(_DRESSED.finditer(text))
    if not found or not text[found[-1].end() :].strip():
        return None
    return MarkedText(text[: found[-1].start()], text[found[-1].end() :])


def _after_hashes(text: str) -> MarkedText | None:
    found = list(_HASHES.finditer(text))
    if not found or "\n" in (answer := text[found[-1].end() :].strip()):
        return None
    return MarkedText(text[: found[-1].start()], answer)


def _in_a_box(text: str) -> MarkedText | None:
    """The one box that a text ends with; the sentence around it stays."""
    found = boxes(text)
    if not found or len(_BOX.findall(text)) != 1:
        return None
    start = _BOX.search(text).start()
    end = text.find(found[0], start) + len(found[0]) + 1
    if not _DELIMITERS.fullmatch(text[end:]):
        return None
    line = text[:start].rpartition("\n")[2]
    if _BARE_LINE.fullmatch(line):
        return MarkedText(_without_last_line(text[:start]), found[0])
    return MarkedText(text[:start] + found[0] + text[end:], found[0])


def _without_last_line(text: str) -> str:
    lines = text.split("\n")[:-1]
    while lines and lines[-1].strip() in ("$$", "\\[", "\\(", "$"):
        lines.pop()
    return "\n".join(lines)


def _announced(text: str) -> MarkedText | None:
    """The answer that the last sentence says, as in "So the answer is 18"."""
    marks = _marks(text)
    if not marks:
        return None
    last = max(marks, key=lambda mark: mark.begin)
    said = last.text.strip()
    if last.kind not in ("is", "line", "heading", "tag") or len(said.split()) > (
        _LONGEST_SAID
    ):
        return None
    rest = text[last.begin :].partition(said)[2]
    if said.startswith("not ") or not re.fullmatch(r"(?:\W|</[\w -]+>)*", rest):
        return None
    head, _, line = text[: last.begin].rpartition("\n")
    if _LEAD.fullmatch(line):
        return MarkedText(head, said.strip(" .*_"))
    return MarkedText(text, said.strip(" .*_"))


def _bare(answer: str) -> str:
    """An answer without a box, bold or a full stop around it."""
    said = answer.strip("\n").rstrip()
    if "\n" in said:
        return said
    said = said.strip()
    if said.count("**") == 1:
        said = said.removesuffix("**").rstrip()  # the mark stood in the same bold
    if bold := re.fullmatch(r"(\*\*|__)(.+?)\1\.?", said):
        said = bold[2].strip()
    found = boxes(said)
    box = _BOX.search(said)
    if len(found) == 1 and box and _BARE_LINE.fullmatch(said[: box.start()]):
        begin = said.find(found[0], box.end())
        if _DELIMITERS.fullmatch(said[begin + len(found[0]) + 1 :]):
            said = found[0]
    plain = re.search(r"\\[a-zA-Z]", said) is None or "$" in said or "\\(" in said
    return said if plain else f"${said}$"


def _said_once(work: str, answer: str) -> str:
    """Work without a further mark of the same answer at its end."""
    again = _dressed(work) or _after_hashes(work) or _in_a_box(work.rstrip())
    if again and _bare(again.answer) == answer:
        return again.work
    return work


def style_fault(text: str, style: Style, *, gold: str = "", free: bool = False) -> str:
    """How a text is not in the style, in a few words; nothing if it is.

    Args:
        text: of a response.
        style: of the study.
        gold: the seed's answer; its lines say how many an answer may have.
        free: whether an answer is a text of the model's own, of any length.
    """
    opening = [tag for tag in thinking.tags(text) if not tag.fenced]
    if style != "think":
        if opening:
            return "it holds a thought"
        return "" if style == "answer" else _steps_fault(text, gold=gold, free=free)
    if [tag.kind for tag in opening] != ["open", "close"]:
        return "it has not exactly one closed thought"
    begin, end = opening
    if text[: begin.begin].strip():
        return "it begins before its thought"
    if not re.search(r"\w", text[begin.end : end.begin]):
        return "its thought is empty"
    return _steps_fault(text[end.end :], gold=gold, free=free, bare=True)


def _steps_fault(text: str, *, gold: str, free: bool, bare: bool = False) -> str:
    """What is wrong with steps and their answer; `bare` where steps may be missing."""
    parts = closing_mark(text)
    if parts is None:
        return "it does not end with a marked answer"
    if MARK_LINE.search(parts.work):
        return "it marks more than one answer"
    if any(_is_strong(mark, parts.work) for mark in _marks(parts.work)):
        return "it marks more than one answer"
    if boxes(parts.answer):
        return "its answer is not bare"
    if not bare and not _has_step(parts):
        return "it has no step before its answer"
    if not free and _goes_on(parts.answer, gold):
        return "it goes on after its answer"
    return ""


def _is_strong(mark: AnswerMark, text: str) -> bool:
    """Whether a mark is more than a sentence that says the answer."""
    return mark.kind in _STRONG and not _SAYS.match(text[mark.begin :])


def _has_step(parts: MarkedText) -> bool:
    """Whether any line says more than what the answer is."""
    answer = parts.answer.strip(" \n`")
    for line in parts.work.splitlines():
        begin = _LEAD.match(line).end()
        stated = _marks(line)
        if stated and stated[0].begin <= begin:
            continue
        # `0 + 0 = 0` is a step, `0` is the answer said early.
        said = re.sub(r"[\W_]+", "", line[begin:])
        if said and said != re.sub(r"[\W_]+", "", answer):
            return True
    return False


def _goes_on(answer: str, gold: str) -> bool:
    """Whether more follows than the answer that the mark announces."""
    first, _, rest = answer.partition("\n")
    if first.strip():
        return bool(rest.strip())
    body = rest.strip("\n").rstrip()
    if fence := re.match(r"(```+|~~~+)", body):
        return not body.endswith(fence[1]) or body.count(f"\n{fence[1]}") != 1
    lines = [line for line in body.splitlines() if line.strip()]
    golden = [line for line in gold.splitlines() if line.strip()]
    return len(lines) > max(1, len(golden))
