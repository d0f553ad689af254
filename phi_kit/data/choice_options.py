"""The options of a choice, however a data set writes them, and which one is gold.

An option that is null or empty does not exist. A gold is a letter (or whatever
label the data set gives its options), an option's text, or a place in their list.
Where it could be two of these and they differ, nobody can tell: that is a
question for whoever knows the data, and `answer_is` is its answer.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from .records import normalise_prompt

AnswerIs = Literal["", "letter", "text", "index0", "index1"]
_LABELS = ("label", "labels", "key", "letter", "id")
_TEXTS = ("text", "texts", "value", "content", "option")
_LABEL = re.compile(r"[A-Za-z]|\d{1,2}")
_DRESS = re.compile(r"\\(?:boxed|text|mathrm|mathbf|textbf)\s*|[{}$*`]")
_LABELLED = re.compile(r"\s*\(?([A-Za-z]|\d{1,2})\s*[).:]\s*(.*)", re.DOTALL)


class GoldLabel(NamedTuple):
    """Which option a gold is, or what would have to be known to say so."""

    label: str
    question: str = ""


def read_options(given: Any) -> dict[str, str]:
    """Options by their labels, in order; empty where there are none to read.

    Args:
        given: a list of texts; a mapping of labels to texts; two lists `text` and
            `label` (ARC, OpenBookQA); or a list of mappings, one an option.
    """
    pairs = [(str(label).strip(), text) for label, text in _pairs(given)]
    pairs = [(k.upper() if k.isalpha() else k, v) for k, v in pairs]
    found = {
        k: str(v).strip() for k, v in pairs if _LABEL.fullmatch(k) and _has_text(v)
    }
    return _without_labels(found)


def _has_text(text: Any) -> bool:
    missing = text is None or (isinstance(text, float) and text != text)
    plain = isinstance(text, str | int | float)
    return plain and not missing and bool(str(text).strip())


def _parse_cell(given: Any) -> Any:
    """What a column of a CSV file spells: a list or a mapping, JSON or Python's."""
    if not isinstance(given, str) or given.strip()[:1] not in ("[", "{"):
        return given
    for read in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return read(given.strip())
    return given


def _pairs(given: Any) -> Iterable[tuple[Any, Any]]:
    given = _parse_cell(given)
    if isinstance(given, Mapping):
        texts = next((given[k] for k in _TEXTS if _is_list(given.get(k))), None)
        if texts is None:
            return given.items()
        labels = next((given[k] for k in _LABELS if _is_list(given.get(k))), None)
        return zip(labels or map(_letter, range(len(texts))), texts, strict=False)
    if not isinstance(given, list | tuple):
        return ()
    if given and all(isinstance(one, Mapping) for one in given):
        return [(_first_of(one, _LABELS) or _letter(i), _first_of(one, _TEXTS))
                for i, one in enumerate(given)]  # fmt: skip
    return [(_letter(place), text) for place, text in enumerate(given)]


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _first_of(one: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((one[name] for name in names if name in one), None)


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else ""


def _without_labels(found: dict[str, str]) -> dict[str, str]:
    """`A. Paris` as the text of option A is `Paris`, if all are written so."""
    cut = {}
    for label, text in found.items():
        match = _LABELLED.fullmatch(text)
        if not match or match[1].upper() != label or not match[2].strip():
            return found
        cut[label] = match[2].strip()
    return cut


def format_options(found: Mapping[str, str]) -> str:
    """The options as a prompt shows them, one a line."""
    return "\n".join(f"{label}) {text}" for label, text in found.items())


def options_shown_in(prompt: str, found: Mapping[str, str]) -> bool:
    """Whether a prompt has every option's text in it already."""
    prompt = normalise_prompt(prompt)
    return all(normalise_prompt(text) in prompt for text in found.values())


def gold_label(
    answer: str, given: Any, answer_is: AnswerIs | str = "", *, known: Any = None
) -> GoldLabel:
    """Which option an answer column means.

    Args:
        answer: what stands there.
        given: the options as the data set writes them.
        answer_is: what the answer is, where that was said.
        known: the options as `options` reads them, if that is done already.

    Returns:
        The label, empty where the answer is no option; with a question where
        it may be one of two and nobody said which.
    """
    known = read_options(given) if known is None else known
    bare = _DRESS.sub("", answer).strip()
    by = {
        "letter": _by_label(bare, known),
        "text": _by_text(bare, known),
        "index0": _by_index(bare, given, known, first=0),
        "index1": _by_index(bare, given, known, first=1),
    }
    if answer_is:
        return GoldLabel(by.get(answer_is, ""))
    if by["letter"] and any(label.isdigit() for label in known):
        by["index0"] = by["index1"] = ""  # labels that are numbers leave no doubt
    readings = {how: label for how, label in by.items() if label}
    if len(set(readings.values())) < 2 and not {"index0", "index1"} & set(readings):
        return GoldLabel(next(iter(readings.values()), ""))
    hows = " or ".join(f"{how} ({label})" for how, label in readings.items())
    return GoldLabel("", f"the gold '{bare}' may be {hows}: say answer_is")


def _by_label(bare: str, known: Mapping[str, str]) -> str:
    whole = re.fullmatch(r"\W*([A-Za-z]|\d{1,2})\W*", bare)
    if whole:
        return _known_label(whole[1], known)
    if not (match := _LABELLED.fullmatch(bare)) or not (
        label := _known_label(match[1], known)
    ):
        return ""
    text = _by_text(match[2], known)
    # `B. Rome`, where Rome is option A: the gold contradicts itself.
    return label if text in ("", label) else ""


def _known_label(label: str, known: Mapping[str, str]) -> str:
    label = label.upper() if label.isalpha() else label
    return label if label in known else ""


def _by_text(bare: str, known: Mapping[str, str]) -> str:
    wanted = _plain_text(bare)
    same = [
        label for label, text in known.items() if text and _plain_text(text) == wanted
    ]
    return same[0] if len(same) == 1 else ""


def _plain_text(text: str) -> str:
    return normalise_prompt(text).strip("\"'.!() ") or normalise_prompt(text)


def _by_index(bare: str, given: Any, known: Mapping[str, str], *, first: int) -> str:
    whole = re.fullmatch(r"(\d{1,2})(?:\.0)?", bare)
    if not whole:
        return ""
    labels = [str(label).strip().upper() for label, _ in _pairs(given)]
    place = int(whole[1]) - first
    return _known_label(labels[place], known) if 0 <= place < len(labels) else ""
