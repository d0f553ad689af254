"""A prompt as words and figures: what overlap and likeness are measured on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .records import normal

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
    found = _WORD.findall(normal(prompt.translate(_SIGNS)))
    return [w.replace(",", "") if "," in w else w for w in found]


def is_figure(word: str) -> bool:
    """Whether a word is a number or an operator."""
    return not word[0].isalpha()


def figures(parts: Sequence[str]) -> tuple[str, ...]:
    """The numbers and operators among words, in order."""
    return tuple(word for word in parts if is_figure(word))


def grams(parts: Sequence[str], n: int) -> Iterator[int]:
    """A 64-bit hash of every n words in a row, by place; of this process only."""
    for start in range(len(parts) - n + 1):
        yield hash(tuple(parts[start : start + n]))


def shingles(prompt: str, n: int = 5) -> set[str]:
    """Every n characters in a row of a prompt, spaces single, in one case.

    Five characters are about one word: fine enough for prompts of one
    sentence, where n-grams of words leave almost nothing to compare.
    """
    text = normal(prompt)
    return {text[i : i + n] for i in range(max(len(text) - n + 1, 1))}


def jaccard(one: set[str], other: set[str]) -> float:
    """Shared part of two sets; 1 for two empty ones."""
    union = len(one | other)
    return len(one & other) / union if union else 1.0
