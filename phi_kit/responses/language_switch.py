"""Does a response go on in another language or script than it was asked in?

Scripts are told by `unicodedata`, always. Languages written in Latin letters are told
by `py3langid` (BSD, a Naive Bayes model of 4.6 MB, offline), window by window. Of 1,500
GSM8K solutions and 2,000 model answers to such questions none was taken for another
language than English; of 30 short German, French, Spanish, Italian, Portuguese, Dutch
and Polish solutions all were found. Lists of function words, tried on the same texts,
gave 22 false alarms where they found all 30.

Not covered: languages of one script other than Latin (Russian and Ukrainian), and
passages of fewer words than `FEWEST_WORDS`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

WINDOW = 12  # words judged together
FEWEST_WORDS = 6  # of a text that is judged at all
CONFIDENCE = 0.9  # of the model, in a window
# The likely ones among its 139: the fewer there are, the surer it is of each.
LANGUAGES = (
    *("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "no", "fi"),
    *("cs", "ro", "hu", "tr", "id", "vi"),
)
FEWEST_LETTERS = 2  # of another script; a sign in a formula is no change of language
# Programs, formulas and quotations are nobody's language.
_NO_PROSE = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|\\\(.*?\\\)|\\\[.*?\\\]"
    r"|\\[a-zA-Z]+|\"[^\"\n]*\"|“[^”\n]*”|<[^<>\n]{1,40}>",
    re.DOTALL,
)
_WORDS = re.compile(r"[^\W\d_]{2,}(?:['’][^\W\d_]+)?|[^\W\d_]['’][^\W\d_]{2,}")
_GREEK_WORD = re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]{4,}")  # not a letter or three
# Letters of formulas in every language; and scripts that one language mixes.
_EVERYWHERE = ("LATIN", "GREEK", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK")
_TOGETHER = ({"CJK", "HIRAGANA", "KATAKANA"}, {"CJK", "HANGUL"}, {"CJK", "BOPOMOFO"})


def language_switch(text: str, prompt: str, gold: str = "") -> str:
    """The language or script a response changes to, with the words; else nothing.

    What the prompt or the gold answer is written in is no change: a translation has
    to be in another language. Without a prompt long enough to be told, the response's
    own beginning says its language.

    Args:
        text: of a response.
        prompt: of its seed.
        gold: the seed's answer.
    """
    if found := _other_script(text, f"{prompt}\n{gold}"):
        return found
    own = {_language(prose_words(prompt)), _language(prose_words(gold))} - {""}
    for window in _windows(prose_words(text)):
        said = _language(window)
        if said and own and said not in own:
            return f"{said}: {' '.join(window)[:60]!r}"
        own |= {said} - {""}
    return ""


def _other_script(text: str, asked: str) -> str:
    known = {_script(letter) for letter in set(asked)}
    if _GREEK_WORD.search(asked):
        known.add("GREEK")
    for group in _TOGETHER:
        if known & (group - {"CJK"}) or known >= group:
            known |= group
    strange: dict[str, list[str]] = {}
    if "GREEK" not in known and (word := _GREEK_WORD.search(text)):
        return f"Greek: {word[0][:20]!r}"
    for letter in text:
        script = _script(letter)
        if script and script not in known:
            strange.setdefault(script, []).append(letter)
    for script, letters in strange.items():
        if len(letters) >= FEWEST_LETTERS:
            return f"{script.title()}: {''.join(letters)[:20]!r}"
    return ""


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    """The script of a letter, as its Unicode name begins; nothing for other signs."""
    if not letter.isalpha() or unicodedata.category(letter) in ("Lm", "So"):
        return ""
    name = unicodedata.name(letter, "").split(" ")[0]
    if name.startswith("CJK"):
        return "CJK"
    full = unicodedata.normalize("NFKC", letter)
    if name in _EVERYWHERE or full.isascii():
        return ""
    return name


def prose_words(text: str) -> list[str]:
    """The words of a text outside programs, formulas and quotations."""
    return _WORDS.findall(_NO_PROSE.sub(" ", text))


def _windows(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Stretches of `WINDOW` words, each half over the one before."""
    if len(words) <= WINDOW:
        yield words
        return
    for start in range(0, len(words) - WINDOW // 2, WINDOW // 2):
        yield words[start : start + WINDOW]


def _language(words: Sequence[str]) -> str:
    """The language of some words, or nothing where that cannot be told."""
    if len(set(words)) < FEWEST_WORDS:
        return ""
    language, confidence = _told(" ".join(words))
    if confidence < CONFIDENCE:
        return ""
    # Names are foreign everywhere: without them it must look like that as well.
    lower = [word for word in words if word[0].islower()]
    if len(set(lower)) >= FEWEST_WORDS // 2 and _told(" ".join(lower))[0] != language:
        return ""
    return language


@lru_cache(maxsize=4096)
def _told(words: str) -> tuple[str, float]:
    return _identifier().classify(words)


@lru_cache(maxsize=1)
def _identifier():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(LANGUAGES))
    return identifier
