"""Did the response do as it was told? IFEval's instructions, checked by rules.

The 25 kinds of instruction of IFEval (Zhou et al. 2023, arXiv:2311.07911, table 1),
under the ids and arguments of its data set: `Seed.extra` holds
`instruction_id_list` and, in the same order, `kwargs`. A response is right if it
follows all of them. The lenient reading is that paper's *loose* one: without asterisks,
without its first line, without its last, or several of these.

The checks are the kit's own. Sentences are split by its own rule in place of NLTK's,
languages are told by py3langid in place of langdetect: a verdict in a hundred may
differ from IFEval's own code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import product
from typing import Any

from phi_kit.data.records import Seed

from .answer_extraction import sentences
from .base import NO_ANSWER, Verdict, VerdictValue, visible

IDS, ARGUMENTS = "instruction_id_list", "kwargs"
_CONSTRAINED = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
_DIVIDER = re.compile(r"\s?\*\*\*\s?")
Arguments = Mapping[str, Any]
Check = Callable[[str, Arguments], bool]


class UnknownInstructionError(ValueError):
    """An item asks for something that no check knows."""


def verify(seed: Seed, response: str) -> Verdict:
    """Whether a response follows every instruction of its item.

    Returns:
        `unknown` where the item names an instruction that there is no check for.
    """
    text = visible(response)
    try:
        asked = list(_instructions(seed))
    except (UnknownInstructionError, ValueError, TypeError) as error:
        return Verdict("unknown", f"the item's instructions cannot be read: {error}")
    if not text.strip():
        return Verdict("wrong", NO_ANSWER)
    broken = [name for name, given in asked if not _follows(name, given, text)]
    lenient: VerdictValue = "right"
    for name, given in asked:
        if not any(_follows(name, given, variant) for variant in _variants(text)):
            lenient = "wrong"
    if not broken:
        return Verdict("right", "all followed", text.strip()[:200])
    why = f"not followed: {', '.join(broken)}"
    return Verdict("wrong", why, text.strip()[:200], lenient)


def _instructions(seed: Seed) -> Iterator[tuple[str, Arguments]]:
    facts = seed.facts
    names, given = (_listed(facts.get(key)) for key in (IDS, ARGUMENTS))
    if not names or len(names) != len(given):
        raise UnknownInstructionError(f"{len(names)} ids, {len(given)} arguments")
    for name, arguments in zip(names, given, strict=True):
        if name not in CHECKS:
            raise UnknownInstructionError(f"no check for '{name}'")
        told = (arguments or {}).items()
        yield name, {key: value for key, value in told if value is not None}


def _listed(value: Any) -> list[Any]:
    return list(json.loads(value) if isinstance(value, str) else value or [])


def _follows(name: str, given: Arguments, text: str) -> bool:
    return bool(text.strip()) and CHECKS[name](text, given)


def _variants(text: str) -> Iterator[str]:
    """The eight readings of the loose accuracy."""
    lines = text.split("\n")
    for first, last, stars in product((0, 1), repeat=3):
        kept = "\n".join(lines[first : len(lines) - last]).strip()
        yield kept.replace("*", "") if stars else kept


def _compare(count: int, bound: Any, relation: Any) -> bool:
    """Whether a count lies as the item says: `less than`, else `at least`."""
    return count < int(bound) if relation == "less than" else count >= int(bound)


def _times(pattern: str, text: str) -> int:
    return len(re.findall(re.escape(pattern), text, re.IGNORECASE))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _paragraphs(text: str) -> list[str] | None:
    """The parts between dividers `***`; `None` where one within is empty."""
    parts = _DIVIDER.split(text)
    while parts and not parts[-1].strip():
        parts.pop()
    while parts and not parts[0].strip():
        parts.pop(0)
    return parts if all(part.strip() for part in parts) else None


def _count_paragraphs(text: str, given: Arguments) -> bool:
    found = _paragraphs(text)
    return found is not None and len(found) == int(given["num_paragraphs"])


def _first_word(text: str, given: Arguments) -> bool:
    """So many paragraphs, divided by blank lines, the n-th begins with a word."""
    parts = [part for part in re.split(r"\n\n+", text) if part.strip()]
    place = int(given["nth_paragraph"])
    if len(parts) != int(given["num_paragraphs"]) or not 1 <= place <= len(parts):
        return False
    words = _words(parts[place - 1].lower())
    return bool(words) and words[0] == str(given["first_word"]).lower()


def _postscript(text: str, given: Arguments) -> bool:
    marker = str(given["postscript_marker"]).strip()
    letters = [re.escape(part) for part in marker.lower().split(".") if part]
    pattern = r"\.\s?".join(letters) + r"\.?" if "." in marker else re.escape(marker)
    return bool(re.search(pattern, text.lower()))


def _bullets(text: str, given: Arguments) -> bool:
    starred = re.findall(r"^\s*\*[^*].*$", text, re.MULTILINE)
    dashed = re.findall(r"^\s*-.*$", text, re.MULTILINE)
    return len(starred) + len(dashed) == int(given["num_bullets"])


def _highlights(text: str, given: Arguments) -> bool:
    bold = re.findall(r"\*\*[^\n*]+\*\*", text)
    plain = re.findall(r"\*[^\n*]+\*", re.sub(r"\*\*[^\n*]+\*\*", "", text))
    found = [one for one in (*bold, *plain) if one.strip("* ")]
    return len(found) >= int(given["num_highlights"])


def _sections(text: str, given: Arguments) -> bool:
    name = re.escape(str(given["section_spliter"]).strip())
    found = re.findall(rf"\s?{name}\s?\d+\s?", text)
    return len(found) >= int(given["num_sections"])


def _json(text: str, given: Arguments) -> bool:
    bare = text.strip()
    for fence in ("```json", "```Json", "```JSON", "```"):
        bare = bare.removeprefix(fence)
    try:
        json.loads(bare.removesuffix("```").strip())
    except ValueError:
        return False
    return True


def _title(text: str, given: Arguments) -> bool:
    return any(found.strip("<> ") for found in re.findall(r"<<[^\n]+>>", text))


def _two_responses(text: str, given: Arguments) -> bool:
    parts = text.split("******")
    inner = parts[1:-1]
    found = [part.strip() for part in parts if part.strip()]
    if not all(part.strip() for part in inner):
        return False
    return len(found) == 2 and found[0] != found[1]


def _repeats(text: str, given: Arguments) -> bool:
    told = str(given["prompt_to_repeat"]).strip().lower()
    return text.strip().lower().startswith(told)


def _ends_with(text: str, given: Arguments) -> bool:
    ending = str(given["end_phrase"]).strip().lower()
    return text.strip().strip('"').lower().endswith(ending)


def _quoted(text: str, given: Arguments) -> bool:
    bare = text.strip()
    return len(bare) > 1 and bare[0] == bare[-1] == '"'


def _capital_words(text: str, given: Arguments) -> bool:
    found = sum(word.isupper() for word in _words(text))
    return _compare(found, given["capital_frequency"], given.get("capital_relation"))


def _in_language(text: str, given: Arguments) -> bool:
    found = _identifier().classify(text)[0]
    return found == str(given["language"]).partition("-")[0]


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _keywords(text: str, given: Arguments) -> bool:
    return all(_times(str(word), text) for word in given["keywords"])


def _keyword_frequency(text: str, given: Arguments) -> bool:
    found = _times(str(given["keyword"]).strip(), text)
    return _compare(found, given["frequency"], given.get("relation"))


def _forbidden(text: str, given: Arguments) -> bool:
    return not any(
        re.search(rf"\b{re.escape(str(word))}\b", text, re.IGNORECASE)
        for word in given["forbidden_words"]
    )


def _letters(text: str, given: Arguments) -> bool:
    found = text.lower().count(str(given["letter"]).strip().lower())
    return _compare(found, given["let_frequency"], given.get("let_relation"))


def _count_words(text: str, given: Arguments) -> bool:
    return _compare(len(_words(text)), given["num_words"], given.get("relation"))


def _count_sentences(text: str, given: Arguments) -> bool:
    found = [one for one in sentences(text) if re.search(r"\w", one)]
    return _compare(len(found), given["num_sentences"], given.get("relation"))


def _placeholders(text: str, given: Arguments) -> bool:
    return len(re.findall(r"\[[^\[\]]+\]", text)) >= int(given["num_placeholders"])


def _english_case(text: str, wanted: str) -> bool:
    as_wanted = text.isupper() if wanted == "upper" else text.islower()
    return as_wanted and _in_language(text, {"language": "en"})


CHECKS: Mapping[str, Check] = {
    "keywords:existence": _keywords,
    "keywords:frequency": _keyword_frequency,
    "keywords:forbidden_words": _forbidden,
    "keywords:letter_frequency": _letters,
    "language:response_language": _in_language,
    "length_constraints:number_sentences": _count_sentences,
    "length_constraints:number_paragraphs": _count_paragraphs,
    "length_constraints:number_words": _count_words,
    "length_constraints:nth_paragraph_first_word": _first_word,
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:constrained_response": lambda text, _: any(
        choice in text for choice in _CONSTRAINED
    ),
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": _json,
    "detectable_format:title": _title,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": _repeats,
    "startend:end_checker": _ends_with,
    "startend:quotation": _quoted,
    "change_case:capital_word_frequency": _capital_words,
    "change_case:english_capital": lambda text, _: _english_case(text, "upper"),
    "change_case:english_lowercase": lambda text, _: _english_case(text, "lower"),
    "punctuation:no_comma": lambda text, _: "," not in text,
}
