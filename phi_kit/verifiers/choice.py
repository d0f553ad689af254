"""One of an item's own letters; without choices yes or no, true or false.

A letter is an answer only where the grammar says so: in a box, after a mark,
alone, or at the plain end of the last sentence. The `a` of "a car" and the
`I` of "I think" never are (lm-eval PR #4188, openbench #348).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from phi_kit.data.choice_options import GoldLabel, gold_label, read_options
from phi_kit.data.records import Seed, normalise_prompt
from phi_kit.verifiers.math.latex import normalize_answer

from . import answer_extraction, yes_no
from .base import (
    NO_ANSWER,
    UNREADABLE_GOLD,
    Verdict,
    VerdictValue,
    compare_parsed,
    visible,
)

_LISTED = re.compile(r"^\s*\(?([A-Z])[).:]\s+(\S.*)$", re.MULTILINE)
_NUMBERED = re.compile(r"^\s*\(?(\d{1,2})[).:]\s+(\S.*)$", re.MULTILINE)
_INLINE = re.compile(r"\(([A-Z])\)\s*([^()\n]+)")
_BEFORE = r"(?:\b(?:option|choice|letter|answer|选项|选)\s*)?[\s(\[{*_\"'`“‘$]*"
_AFTER = r"[)\]}*_\"'`”’$]*"
# No letter of an alphabet goes on behind a label; a Chinese word may.
_END = r"(?![A-Za-z0-9_'’\u00c0-\u024f\u0370-\u052f])"
# What may follow a letter that is also an English word.
_GOES_ON = (
    r"(?=\s*(?:[.,;:)\]\-–—!。，]|$|\n|because\b|since\b|as\b|due\b|given\b|for\b"
    r"|[\u3040-\u9fff]))"
)
_CHOOSE = (
    r"(?i:is|be|choose|chose|pick|picked|select|selected|with|for|option|choice|letter"
    r"|therefore|thus|hence|so|answer|correct:?)"
)
_WIDE = str.maketrans(
    {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    | {chr(0x2460 + n): str(n + 1) for n in range(9)}
)
_HEDGED = "?"  # what a mark says that names two options, or denies one

Options = Mapping[str, str]


def choices(seed: Seed) -> Options:
    """The item's labels with their texts: from `extra`, else from its prompt.

    Without either the letters run from A to D, further if the gold lies there.
    """
    stated = seed.facts.get("choices") if len(seed.extra) > 2 else None
    if stated is not None:
        return read_options(stated)
    for shape, first in ((_LISTED, "A"), (_INLINE, "A"), (_NUMBERED, "1")):
        options = _from(first, shape.findall(seed.prompt))
        if len(options) > 1:
            return options
    last = max("D", _bare_letter(seed.answer) or "D")
    return {chr(code): "" for code in range(ord("A"), ord(last) + 1)}


def _from(first: str, listed: list[tuple[str, str]]) -> dict[str, str]:
    """The last run A, B, C … of a prompt: examples before it have their own."""
    starts = [index for index, (label, _) in enumerate(listed) if label == first]
    options: dict[str, str] = {}
    for label, text in listed[starts[-1] :] if starts else ():
        if label != (chr(65 + len(options)) if first == "A" else str(1 + len(options))):
            break
        options[label] = text.strip()
    return options


def _bare_letter(text: str) -> str:
    match = re.fullmatch(r"\W*([A-Za-z])\W*", normalize_answer(text))
    return match[1].upper() if match else ""


def _bare_label(text: str, options: Options) -> str:
    """The label that a piece is, whatever stands around it."""
    match = re.fullmatch(r"\W*([A-Za-z]|\d{1,2})\W*", normalize_answer(text))
    label = match[1].upper() if match else ""
    return label if label in options else ""


def verify(seed: Seed, response: str) -> Verdict:
    """Compare the option (or the word) a response chooses with the gold one."""
    if yes_no.is_yes_no(seed.answer) and "choices" not in seed.extra:
        return yes_no.verify(seed, response)
    options = choices(seed)
    gold = gold_of(seed, options)
    if not gold.label:
        return Verdict("unknown", gold.question or UNREADABLE_GOLD)
    text = visible(response).translate(_WIDE)
    label = strict_label(text, options)
    lenient: VerdictValue = "wrong"
    if label != gold.label and _lenient_label(text, options) == gold.label:
        lenient = "right"
    if not label:
        return Verdict("wrong", NO_ANSWER, "", lenient)
    return compare_parsed(gold.label, label, shown=label, lenient=lenient)


def gold_of(seed: Seed, options: Options) -> GoldLabel:
    """Which of the item's options its gold is."""
    facts = seed.facts if len(seed.extra) > 2 else {}
    answer_kind = str(facts.get("answer_is") or "")
    stated_options = facts.get("choices", options)
    return gold_label(
        normalize_answer(seed.answer), stated_options, answer_kind, known=options
    )


def strict_label(text: str, options: Options) -> str:
    """The label a visible response chooses, or an empty text.

    The places are tried in order; one that says two things ends the search.
    """
    text = answer_extraction.from_last_mark(text)
    for read in (_announced, _whole, _last_line, _said_correct, _last_word):
        if (label := read(text, options)) is not None:
            return label
    return _ending(answer_extraction.last_sentence(text), options)


def _whole(text: str, options: Options) -> str | None:
    return _alone(text, options) or _by_text(text, options) or None


def _last_word(text: str, options: Options) -> str | None:
    """The label that the last sentence is: `A? No. B.`."""
    statements = [
        sentence
        for sentence in answer_extraction.sentences(text)
        if not sentence.endswith("?")
    ]
    bare = {
        label for sentence in statements if (label := _bare_label(sentence, options))
    }
    return (
        bare.pop() if len(bare) == 1 and _bare_label(statements[-1], options) else None
    )


def _announced(text: str, options: Options) -> str | None:
    """What the marks choose; `None` where none of them can be read.

    Of a box, a tag or a line `Answer:` the last one counts that holds an option:
    a box may hold a formula on the way. A sentence "the answer is" comes second.
    """
    read = [
        (mark, _of_mark(mark, options)) for mark in answer_extraction.find_marks(text)
    ]
    strong = [
        (mark.begin, label) for mark, label in read if mark.kind != "is" and label
    ]
    weak = [(mark.begin, label) for mark, label in read if mark.kind == "is" and label]
    for kind in (strong, weak):
        if kind:
            label = max(kind)[1]
            return "" if label == _HEDGED else label
    return None


def _of_mark(mark: answer_extraction.AnswerMark, options: Options) -> str:
    return _read(mark.text, options, alone=mark.kind == "box")


def _read(piece: str, options: Options, *, alone: bool = False) -> str:
    """The label right after a mark, or the option whose text stands there."""
    if _hedges(piece, options):
        return _HEDGED
    piece = normalize_answer(piece) if "\\" in piece else piece
    if label := _alone(piece, options) or _by_text(piece, options):
        return label
    if alone:
        return ""
    labels = _any(options)
    match = re.match(rf"{_BEFORE}({labels}){_AFTER}{_END}", piece)
    if not match:
        match = re.match(rf"{_BEFORE}({labels.lower()}){_AFTER}(?=[.):,;]|\s*$)", piece)
    if not match:
        return ""
    label, rest = match[1].upper(), piece[match.end(1) :]
    wrapped = rest[:1] in tuple(")]}*_\"'`.:,;")
    if label in "AI" and not wrapped and not re.match(_GOES_ON, rest):
        return label if options[label] and _starts(rest, options[label]) else ""
    if label.isdigit() and re.match(r"[.,:/]?\d|\s*[-+*/×=^%°]", rest):
        return ""
    return label


def _any(options: Options) -> str:
    return f"(?:{'|'.join(sorted(map(re.escape, options), key=len, reverse=True))})"


def _hedges(piece: str, options: Options) -> bool:
    """Whether a piece names two options, or denies the one it names."""
    letter = rf"\(?{_any(options)}\)?{_END}"
    glue = r"\W*(?:\b(?:or|and|und|oder|ou|et|o|y|nor)\b|[/&]|或|和|または|또는)"
    listed = rf"[,;、]\s*(?:(?:or|and)\s+)?{letter}(?=\W*(?:$|[,;.]|\b(?:or|and)\b))"
    begins = rf"\W*(?:either\W+|option\W+|both\W+)?{letter}"
    if re.match(r"\W*(?:not|neither|none|never)\b", piece, re.IGNORECASE):
        return True
    return bool(re.match(rf"{begins}{glue}\W*(?:{letter}|\w+)", piece)) or bool(
        re.match(rf"{begins}\W*?{listed}", piece)
    )


def _starts(rest: str, choice: str) -> bool:
    return normalise_prompt(rest).startswith(normalise_prompt(choice))


def _alone(text: str, options: Options) -> str:
    """The label of a response that is one, or that opens as `B.` or `(B)`."""
    if (label := _bare_label(text, options)) and len(text) < 40:
        return label
    opened = re.match(r"[\s*_`\"]*\(?([A-Z]|\d{1,2})[).:\]][)*_`\"]*(?=\s|$)", text)
    if opened and opened[1] in options and not _lists(text, options):
        return opened[1]
    first = text.split("\n", 1)[0]
    if first != text and len(first) < 20 and (label := _bare_label(first, options)):
        return label if len(_bare_lines(text, options)) == 1 else ""
    return ""


def _lists(text: str, options: Options) -> bool:
    """Whether a response lists the options again, and so chooses none by that."""
    labels = {
        label for shape in (_LISTED, _NUMBERED) for label, _ in shape.findall(text)
    }
    return len(labels & set(options)) > 1


def _bare_lines(text: str, options: Options) -> set[str]:
    lines = (line for line in text.splitlines() if len(line) < 20)
    return {label for line in lines if (label := _bare_label(line, options))}


def _last_line(text: str, options: Options) -> str | None:
    """The label that the last line is, `None` where it is something else."""
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    if len(lines[-1]) < 20 and (label := _bare_label(lines[-1], options)):
        return label if len(_bare_lines(text, options)) == 1 else ""
    match = re.fullmatch(r"\W*([A-Z]|\d{1,2})\W{1,4}(.+)", normalize_answer(lines[-1]))
    if match and match[1] in options and not _lists(text, options):
        return match[1] if _by_text(match[2], options) == match[1] else None
    return None


def _by_text(text: str, options: Options) -> str:
    """The one option whose text the whole piece is."""
    wanted = _bare(text)
    labels = [k for k, choice in options.items() if choice and _bare(choice) == wanted]
    return labels[0] if len(labels) == 1 and wanted else ""


def _bare(text: str) -> str:
    return normalise_prompt(normalize_answer(text)).strip("\"'`*_.!() ")


def _said_correct(text: str, options: Options) -> str | None:
    """The option that a response calls correct, as in `Option C is correct`.

    `None` where it calls none so; empty where it calls two so.
    """
    letter, right = f"({_any(options)})", r"(?:correct|right|best|true)"
    shapes = (
        rf"(?:(?<![\w'’])(?i:option|choice|answer|letter|statement)\s+|^|(?<=[.:!;,]\s)"
        rf"|(?<=\n)|(?i:\b(?:so|thus|hence|therefore|that),?\s))[\s*_(\[\"'`]*{letter}{_AFTER}"
        rf"(?:\s+\([^()\n]*\))?\s+(?:is|must\s+be)\s+(?:(?:the|clearly|therefore|thus)\s+)*"
        rf"{right}\b(?!\s+(?:if|only|when|unless))",
        rf"(?i:\b{right}\s+(?:option|choice|letter|one)\s*(?:is|:|would\s+be)\s*)"
        rf"[\s*_(\[\"'`]*(?i:option\s+)?{letter}{_AFTER}{_END}",
        rf"(?i:\b(?:I|I'd|I’d|I'll|we|let's)\s+(?:would\s+|will\s+)?"
        rf"(?:choose|select|pick|go\s+with)\s+)(?i:option\s+)?[\s*_(\[\"'`]*{letter}{_AFTER}"
        r"(?=\s*[.,;:!\n]|\s*$)",
        rf"(?i:\bmy\s+(?:choice|pick|selection)\s*(?:is|:)\s*)[\s*_(\[]*{letter}{_AFTER}{_END}",
        rf"(?:故选|应选|应该选|所以选|因此选|答案选|选择|選擇|选)[:：\s(（]*{letter}{_END}",
        rf"选项\s*{letter}\s*(?:是|为)?\s*(?:正确|对)",
    )
    labels: set[str] = set()
    for shape in shapes:
        for match in re.finditer(shape, text, re.MULTILINE):
            labels.add(match[1])
            if _hedges(text[match.start(1) :], options):
                return ""
    if not labels:
        return None
    return labels.pop() if len(labels) == 1 else ""


def _ending(sentence: str, options: Options) -> str:
    labels = _any(options)
    shape = rf"\b{_CHOOSE}[\s,:]*{_BEFORE}({labels}){_AFTER}[.!\s]*$"
    if match := re.search(shape, sentence, re.DOTALL):
        two = rf"(?<!\w){labels}\)?\s*(?:or|and|/)\s*\(?{labels}(?!\w)"
        denied = re.search(r"\b(?:not|n['’]t|never)\b|n['’]t\b", sentence)
        return "" if denied or re.search(two, sentence) else match[1]
    tail = re.search(r"\bis:?\s+(.+)$", sentence, re.DOTALL)
    return _by_text(tail[1], options) if tail else ""


def _lenient_label(text: str, options: Options) -> str:
    """The last label that is no word of a sentence, else the one text named."""
    for piece in reversed(answer_extraction.all_candidates(text)):
        if label := _read(piece, options):
            return "" if label == _HEDGED else label
    labels = list(_named(text, options))
    if labels:
        return labels[-1]
    body = f" {_bare(text)} "
    matching = [k for k, c in options.items() if c and f" {_bare(c)} " in body]
    return matching[0] if len(matching) == 1 else ""


def _named(text: str, options: Options) -> Iterator[str]:
    for match in re.finditer(rf"(?<!not )(?<![\w'’])({_any(options)}){_END}", text):
        if match[1] not in "AI" or not re.match(r"\s+[a-z]", text[match.end() :]):
            yield match[1]
