"""One of an item's own letters; without choices yes or no, true or false.

A letter is an answer only where the grammar says so: in a box, after a mark,
alone, or at the plain end of the last sentence. The `a` of "a car" and the
`I` of "I think" never are (lm-eval PR #4188, openbench #348).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from phi_kit.data.records import Seed, normal

from . import marks
from .base import NO_ANSWER, NO_GOLD, Case, Value, Verdict, compare, visible
from .latex import plain

_PAIRS = ({"yes", "no"}, {"true", "false"})
_LINES = re.compile(r"^\s*\(?([A-Z])[).:]\s+(\S.*)$", re.MULTILINE)
_INLINE = re.compile(r"\(([A-Z])\)\s*([^()\n]+)")
_HEDGE = re.compile(r"^\W*\(?[A-Z]\)?\W*(?:\bor\b|/|\band\b|&)\W*\(?[A-Z]\)?\b")
_BEFORE = r"(?:\b(?:option|choice|letter|answer)\s+)?[\s(\[{*_\"'`“‘$]*"
_AFTER = r"[)\]}*_\"'`”’$]*"
# What may follow a letter that is also an English word.
_GOES_ON = r"(?=\s*(?:[.,;:)\]\-–—!]|$|\n|because\b|since\b|as\b|due\b|given\b|for\b))"
_NEGATED = re.compile(r"\b(?:not|never|cannot|isn['’]t|\w+n['’]t)\s+(\w+)")
_EITHER = re.compile(r"\b(?:yes|no|true|false)\W+or\b")
_CHOOSE = (
    r"(?i:is|be|choose|chose|pick|picked|select|selected|with|for|option|choice|letter"
    r"|therefore|thus|hence|so|answer|correct:?)"
)


def choices(seed: Seed) -> Mapping[str, str]:
    """The item's letters with their texts: from `extra`, else from its prompt.

    Without either the letters run from A to D, further if the gold lies there.
    """
    given = seed.facts.get("choices") if len(seed.extra) > 2 else None
    if isinstance(given, Mapping):
        named = {str(key).strip().upper(): str(text) for key, text in given.items()}
        return {key: text for key, text in named.items() if len(key) == 1}
    if isinstance(given, list):
        return {chr(65 + place): str(text) for place, text in enumerate(given)}
    for shape in (_LINES, _INLINE):
        found = _from_a(shape.findall(seed.prompt))
        if len(found) > 1:
            return found
    last = max("D", _bare_letter(seed.answer) or "D")
    return {chr(code): "" for code in range(ord("A"), ord(last) + 1)}


def _from_a(listed: list[tuple[str, str]]) -> dict[str, str]:
    """The last run A, B, C … of a prompt: examples before it have their own."""
    starts = [place for place, (letter, _) in enumerate(listed) if letter == "A"]
    found: dict[str, str] = {}
    for letter, text in listed[starts[-1] :] if starts else ():
        if letter != chr(65 + len(found)):
            break
        found[letter] = text.strip()
    return found


def _bare_letter(text: str) -> str:
    found = re.fullmatch(r"\W*([A-Za-z])\W*", plain(text))
    return found[1].upper() if found else ""


def verify(seed: Seed, response: str) -> Verdict:
    """Compare the letter (or the word) a response chooses with the gold one."""
    words = next((p for p in _PAIRS if seed.answer.strip().lower() in p), None)
    if words and "choices" not in seed.extra:
        return _word(seed.answer.strip().lower(), words, visible(response))
    known = choices(seed)
    gold = _gold(seed.answer, known)
    if not gold:
        return Verdict("unknown", NO_GOLD)
    text = visible(response)
    found = strict(text, known)
    lenient: Value = "wrong"
    if found != gold and _lenient(text, known) == gold:
        lenient = "right"
    if not found:
        return Verdict("wrong", NO_ANSWER, "", lenient)
    return compare(gold, found, shown=found, lenient=lenient)


def _gold(answer: str, known: Mapping[str, str]) -> str:
    letter = _bare_letter(answer)
    if letter in known:
        return letter
    found = re.match(r"\s*\(?([A-Z])[).:]\s", answer)
    if found and found[1] in known:
        return found[1]
    return _by_text(answer, known)


def strict(text: str, known: Mapping[str, str]) -> str:
    """The letter a visible response chooses, or an empty text."""
    if pieces := marks.marked(text):
        boxed = "boxed" in text and bool(marks.boxes(text))
        return _read(pieces[-1], known, alone=boxed)
    if letter := _alone(text, known):
        return letter
    if letter := _by_text(text, known):
        return letter
    return _ending(marks.last_sentence(text), known)


def _read(piece: str, known: Mapping[str, str], *, alone: bool = False) -> str:
    """The letter right after a mark, or the choice whose text stands there."""
    if _HEDGE.match(piece):
        return ""
    piece = plain(piece) if "\\" in piece else piece
    if letter := _alone(piece, known):
        return letter
    if found := _by_text(piece, known):
        return found
    if alone:
        return ""
    letters = re.escape("".join(known))
    found = re.match(rf"{_BEFORE}([{letters}]){_AFTER}(?![\w'’])", piece)
    if not found:
        lower = letters.lower()
        found = re.match(rf"{_BEFORE}([{lower}]){_AFTER}(?=[.):,;]|\s*$)", piece)
    if not found:
        return ""
    letter, rest = found[1].upper(), piece[found.end(1) :]
    wrapped = rest[:1] in tuple(")]}*_\"'`.:,;")
    if letter in "AI" and not wrapped and not re.match(_GOES_ON, rest):
        return letter if known[letter] and _starts(rest, known[letter]) else ""
    return letter


def _starts(rest: str, choice: str) -> bool:
    return normal(rest).startswith(normal(choice))


def _alone(text: str, known: Mapping[str, str]) -> str:
    """The letter of a response that is one, or that opens as `B.` or `(B)`."""
    if (letter := _bare_letter(text)) in known and len(text) < 40:
        return letter
    opened = re.match(r"[\s*_`\"]*(\(?)([A-Z])([).:\]])[*_`\"]*(?=\s|$)", text)
    lines = {letter for letter, _ in _LINES.findall(text)}
    if opened and opened[2] in known and len(lines & set(known)) < 2:
        return opened[2]
    first = text.split("\n", 1)[0]
    if first != text and len(first) < 20 and (letter := _bare_letter(first)) in known:
        return letter
    return ""


def _by_text(text: str, known: Mapping[str, str]) -> str:
    """The one choice whose text the whole piece is."""
    wanted = _bare(text)
    found = [k for k, choice in known.items() if choice and _bare(choice) == wanted]
    return found[0] if len(found) == 1 and wanted else ""


def _bare(text: str) -> str:
    return normal(plain(text)).strip("\"'`*_.!() ")


def _ending(sentence: str, known: Mapping[str, str]) -> str:
    letters = re.escape("".join(known))
    shape = rf"\b{_CHOOSE}[\s,:]*{_BEFORE}([{letters}]){_AFTER}[.!\s]*$"
    if (found := re.search(shape, sentence, re.DOTALL)) and not _HEDGE.search(sentence):
        two = rf"\b[{letters}]\)?\s*(?:or|and|/)\s*\(?[{letters}]\b"
        return "" if re.search(two, sentence) else found[1]
    tail = re.search(r"\bis:?\s+(.+)$", sentence, re.DOTALL)
    return _by_text(tail[1], known) if tail else ""


def _lenient(text: str, known: Mapping[str, str]) -> str:
    """The last letter that is no word of a sentence, else the one text named."""
    for piece in reversed(marks.everywhere(text)):
        if _HEDGE.match(piece):
            return ""
        if letter := _read(piece, known):
            return letter
    letters = re.escape("".join(known))
    found = [
        match[1]
        for match in re.finditer(rf"(?<!not )(?<![\w'’])([{letters}])(?![\w'’])", text)
        if match[1] not in "AI" or not re.match(r"\s+[a-z]", text[match.end() :])
    ]
    if found:
        return found[-1]
    body = f" {_bare(text)} "
    named = [k for k, c in known.items() if c and f" {_bare(c)} " in body]
    return named[0] if len(named) == 1 else ""


def _word(gold: str, pair: set[str], text: str) -> Verdict:
    """The response must name the gold word and not the other one."""
    found = _named(text, pair)
    pieces = marks.marked(text)
    if len(found) != 1 and pieces:
        found = _named(pieces[-1], pair)
    shown = found.pop() if len(found) == 1 else None
    lenient: Value = "wrong"
    if shown != gold:
        opened = re.match(r"\W*(\w+)\W*(?:[.,!:;]|$)", text)
        ends = (opened[1] if opened else "", marks.last_sentence(text))
        if any(_named(end, pair) == {gold} for end in ends):
            lenient = "right"
    return compare(gold, shown, shown=shown or "", lenient=lenient)


def _named(text: str, pair: set[str]) -> set[str]:
    lower = text.lower()
    if _EITHER.search(lower):
        return set()
    denied = set(_NEGATED.findall(lower))
    return (set(re.findall(r"[a-z]+", lower)) & pair) - denied


_FOUR = {"choices": {"A": "Paris", "B": "Rome", "C": "Berlin", "D": "a car"}}
_TEN = {"choices": {letter: f"item {letter.lower() * 2}" for letter in "ABCDEFGHIJ"}}
CASES = (
    Case("B", "B", "right", extra=_FOUR),
    Case("B", "(B)", "right", extra=_FOUR),
    Case("B", "**B**", "right", extra=_FOUR),
    Case("B", "b.", "right", extra=_FOUR),
    Case("B", r"\boxed{B}", "right", extra=_FOUR),
    Case("B", r"$\boxed{\text{(B)}}$", "right", extra=_FOUR),
    Case("B", "The answer is B because a car moves.", "right", extra=_FOUR,
         about="lm-eval PR #4188"),
    Case("A", "The answer is B because a car moves.", "wrong", extra=_FOUR,
         about="lm-eval PR #4188"),
    Case("B", "I would pick B — a safe choice.", "wrong", "right", extra=_FOUR,
         about="lm-eval PR #4188"),
    Case("A", "I would pick B — a safe choice.", "wrong", extra=_FOUR),
    Case("A", "Answer seems to be hard. A car is needed.", "wrong", extra=_FOUR,
         about="openbench #348"),
    Case("A", "The calculated answer is 11.\n\nAnswer seems to be A.\n\nAnswer: A",
         "right", extra=_FOUR, about="openbench #348"),
    Case("I", "The answer is C because I computed it.", "wrong", extra=_TEN,
         about="omlx PR #3668"),
    Case("C", "The answer is C because I computed it.", "right", extra=_TEN),
    Case("I", "I think it is hard", "wrong", extra=_TEN),
    Case("A", "A perfect answer cannot be found.", "wrong", extra=_FOUR,
         about="MMLU-Pro #7"),
    Case("B", "The answer is B. Note that A is a common distractor.", "right",
         extra=_FOUR, about="omlx PR #3668"),
    Case("C", "Answer: A\nNo, wait.\nAnswer: C", "right", extra=_FOUR,
         about="simple-evals #33"),
    Case("B", "The answer is B or C", "wrong", extra=_FOUR),
    Case("B", "Rome", "right", extra=_FOUR),
    Case("B", "The capital is Rome.", "right", extra=_FOUR),
    Case("B", "It is not Rome but Paris", "wrong", extra=_FOUR),
    Case("B", "A. Paris\nB. Rome\nC. Berlin\nD. a car", "wrong", extra=_FOUR),
    Case("Rome", "(B)", "right", extra=_FOUR),
    Case("B", "E", "wrong", extra=_FOUR),
    Case("B", "<think>B</think>C", "wrong", extra=_FOUR),
    Case("B", "<think>so B", "wrong", extra=_FOUR),
    Case("yes", "Yes.", "right"),
    Case("yes", "No", "wrong"),
    Case("yes", "yes or no", "wrong"),
    Case("true", "That is not true", "wrong"),
    Case("", "B", "unknown", extra=_FOUR),
    Case("B", "", "wrong", extra=_FOUR),
)  # fmt: skip
