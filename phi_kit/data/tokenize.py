"""A prompt as words and figures: what overlap and likeness are measured on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .records import fold_case, normalise_prompt

# A character of Chinese or Japanese, a number, a word, an operator. A hyphen
# inside a word is no operator: `well-known` is two words.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]"
    r"|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
    r"|[^\W\d_]+"
    r"|[+*/^=<>%×÷]|-(?=\s*[\d(])|(?<=\s)-(?=\s)"
)
_SIGNS = str.maketrans({"−": "-", "–": "-", "’": "'", "\u00b7": "*"})


def words(prompt: str) -> list[str]:
    """Words, numbers and operators of a prompt, in order, in one case.

    Punctuation is left out; `1,000` and `1000` are one number.
    """
    found = _WORD.findall(normalise_prompt(prompt.translate(_SIGNS)))
    return [w.replace(",", "") if "," in w else w for w in found]


# Quotes and backticks, which come and go with the markup.
_QUOTES = re.compile("[\"'`\u201c\u201d\u2018\u2019]")
# Behind a word or a bracket a mark ends something; anywhere else it may be content,
# as the full stops of a board are.
_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]|\d+(?:\.\d+)?|[^\W\d_]+"
    r"|(?P<end>(?<=[\w)\]}%])[.,:;!?]+(?=[\s)\]}]|$)|(?<=[^\W\d_])-(?=[^\W\d_]))"
    r"|[^\s\w,\u2014]|_"
)
_CALCULATES = re.compile(r"[\d+*^=<>%×÷_|\[\]{}-]")


class Tokens(NamedTuple):
    """A prompt with every sign that may be content.

    Args:
        words: words, numbers and signs, in order, in one case.
        text: what they were read from, with the prompt's own lines.
        places: from where to where each word stands in `text`.
    """

    words: list[str]
    text: str
    places: list[tuple[int, int]]


def tokens(prompt: str) -> Tokens:
    """Words, numbers and signs in order; punctuation is left out.

    Finer than `words`: the empty fields of a board and the brackets of a program
    count. Quotes, commas, marks that end something, and brackets that no
    calculation needs (`(GCD)`, `A)`) do not.
    """
    text = _QUOTES.sub("", fold_case(prompt.translate(_SIGNS)))
    bare = _plain_brackets(text)
    found = [
        match
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "end" and match.start() not in bare
    ]
    return Tokens([m[0] for m in found], text, [m.span() for m in found])


def _plain_brackets(text: str) -> set[int]:
    """Places of the round brackets that hold mere words or have no other half."""
    opened: list[int] = []
    found: set[int] = set()
    for bracket in re.finditer(r"[()]", text):
        place = bracket.start()
        if bracket[0] == "(":
            opened.append(place)
        elif not opened:
            found.add(place)
        elif not _CALCULATES.search(text, opened[-1], place):
            found |= {opened.pop(), place}
        else:
            opened.pop()
    return found.union(opened)


def is_number_or_operator(word: str) -> bool:
    """Whether a word is a number or an operator."""
    return not word[0].isalpha()


def numbers_and_operators(parts: Sequence[str]) -> tuple[str, ...]:
    """The numbers and operators among words, in order."""
    return tuple(word for word in parts if is_number_or_operator(word))


# Signs that come and go with the way something is written down.
_WRITTEN = set(".:;!?()-*$&~/")


def signs(parts: Sequence[str]) -> tuple[str, ...]:
    """The signs among `tokens` that a board or a drawing is made of, in order."""
    return tuple(w for w in parts if not w[0].isalnum() and w not in _WRITTEN)


def contains_run(whole: Sequence[str], part: Sequence[str]) -> bool:
    """Whether words stand in a row among others."""
    n = len(part)
    return any(whole[at : at + n] == part for at in range(len(whole) - n + 1))


def ngram_hashes(parts: Sequence[str], n: int) -> Iterator[int]:
    """A 64-bit hash of every n words in a row, by place; of this process only."""
    for start in range(len(parts) - n + 1):
        yield hash(tuple(parts[start : start + n]))


def shingles(prompt: str, n: int = 5) -> set[str]:
    """Every n characters in a row of a prompt, spaces single, in one case.

    Five characters are about one word: fine enough for prompts of one
    sentence, where n-grams of words leave almost nothing to compare.
    """
    text = normalise_prompt(prompt)
    return {text[i : i + n] for i in range(max(len(text) - n + 1, 1))}


def jaccard(one: set[str], other: set[str]) -> float:
    """Shared part of two sets; 1 for two empty ones."""
    union = len(one | other)
    return len(one & other) / union if union else 1.0
