"""Template text: what stands in many prompts and so proves nothing.

"State the final answer to the following arithmetic problem:" stands in every
item of a family. An n-gram of it is no sign that a test item has leaked.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from phi_kit.data.tokenize import (
    is_number_or_operator,
    ngram_hashes,
    numbers_and_operators,
)

# Template text occurs in two independent draws of a family, or in this many of
# the sealed items and this share of them (kit defaults).
IN_DRAWS, IN_ITEMS, SHARE = 2, 5, 0.01


class Safelist:
    """The n-grams of template text.

    Args:
        items: words of every sealed item.
        draws: words of items drawn from the domains' families for this only.
        n: length of the n-grams.
    """

    def __init__(
        self, items: Sequence[Sequence[str]], draws: Iterable[Sequence[str]], *, n: int
    ):
        self.n = n
        often = max(IN_ITEMS, math.ceil(SHARE * len(items)))
        self.grams = _frequent_ngrams(items, n, often) | _frequent_ngrams(
            draws, n, IN_DRAWS
        )

    def covered(self, parts: Sequence[str]) -> bytearray:
        """1 for each word that stands in template text, else 0."""
        mask = bytearray(len(parts))
        if self.grams:
            for start, gram in enumerate(ngram_hashes(parts, self.n)):
                if gram in self.grams:
                    mask[start : start + self.n] = b"\1" * self.n
        return mask


def _frequent_ngrams(
    documents: Iterable[Sequence[str]], n: int, often: int
) -> set[int]:
    counts: Counter[int] = Counter()
    for parts in documents:
        counts.update(set(ngram_hashes(parts, n)))
    return {gram for gram, count in counts.items() if count >= often}


# Words of a question that say nothing where a calculation says everything; none of
# one letter, which could be a variable.
_FILLERS = {
    *("the", "please", "what", "whats", "is"),
    *("compute", "calculate", "evaluate", "solve", "find"),
}
_OPERATORS = set("+-*/×÷^%")
Signature = tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """The words that all items of a family share, with how often each stands.

    What is left of an item without them is what it asks: its `signature`.
    """

    words: Mapping[str, int]

    @classmethod
    def of(cls, documents: Sequence[Sequence[str]]) -> Template | None:
        """The template of a family, or `None` if its items share too little.

        A word belongs to it if 95 % of the items have it equally often. Fewer
        than 8 items, or fewer than 4 such words, are no template (kit defaults).
        """
        if len(documents) < 8:
            return None
        inside = Counter(pair for parts in documents for pair in Counter(parts).items())
        shared = {
            word: times
            for (word, times), n in inside.items()
            # Figures are what is filled in, even where every item has a `+`.
            if n >= 0.95 * len(documents)
            and (word == "=" or not is_number_or_operator(word))
        }
        return cls(shared) if len(shared) >= 4 else None

    def signature(self, parts: Sequence[str]) -> Signature:
        """The words beyond the template, in order; nothing if that says too little.

        Half the template has to be there, and none of its words more often than
        in the items: it would be filled in as well, at a place that counts. A
        calculation asks the same in any frame: `What is 3 + 4?`, `Add: 3 + 4`.
        """
        said = set(parts)
        half = 2 * len(said & self.words.keys()) >= len(self.words)
        if not half and not self._calculates(said):
            return ()
        own = tuple(word for word in parts if word not in self.words)
        if self._calculates(said):
            return tuple(word for word in own if word not in _FILLERS)
        counts = Counter(word for word in parts if word in self.words)
        return () if counts - Counter(self.words) else own

    def frames(
        self, sign: Signature, parts: Sequence[str], item: Sequence[str]
    ) -> bool:
        """Whether a prompt with an item's signature asks what the item asks.

        Unless it is a calculation, its template words come in the item's order.
        """
        rest = iter(item)
        return self._calculates(set(parts)) or all(word in rest for word in parts)

    def _calculates(self, said: Set[str]) -> bool:
        beyond = (word for word in said if word not in self.words)
        return not _OPERATORS.isdisjoint(said) and all(
            is_number_or_operator(word) or word in _FILLERS for word in beyond
        )


# Shares of a family's draws (kit defaults). A word in fewer than RARE
# is filled in; one equally often in MOST of them is template. An end is open, so
# that more could follow, if the draws end in more words than ENDS of their number.
RARE, MOST, ENDS = 0.1, 0.95, 0.05
UNSEEN = 0.01  # more new words than this to be expected: any word may be filled in
TELLING = 0.01  # numbers in more of the draws than this tell no item from another


class TemplateStats:
    """The draws of one family, counted.

    Args:
        documents: the words, numbers and signs of each draw.
    """

    def __init__(self, documents: Sequence[Sequence[str]]):
        self._n = len(documents)
        self._having = Counter(w for parts in documents for w in set(parts))
        times = Counter(pair for parts in documents for pair in Counter(parts).items())
        # Template: so many times in nearly every draw.
        self._fixed = {word for (word, _), n in times.items() if n >= MOST * self._n}
        self._numbers = Counter(map(numbers_and_operators, documents))
        # The chance that a further word is one not seen yet is about the share of
        # those seen once (Good, Biometrika 40, 1953).
        seen = Counter(
            {w: n for w, n in self._having.items() if not is_number_or_operator(w)}
        )
        self.takes_any_word = list(seen.values()).count(1) > UNSEEN * seen.total()
        said = [parts for parts in documents if parts]
        self.open_start = len({parts[0] for parts in said}) > ENDS * self._n
        self.open_end = len({parts[-1] for parts in said}) > ENDS * self._n

    def is_filled_in(self, word: str) -> bool:
        """Whether a word is one that is filled in, not one of a wording."""
        return self._having[word] < RARE * self._n

    def is_slot_value(self, word: str) -> bool:
        """Whether a word is seen in the draws and not always template."""
        return word in self._having and word not in self._fixed

    def has_seen(self, word: str) -> bool:
        """Whether a word is seen in the draws."""
        return word in self._having

    def is_distinctive(self, numbers: tuple[str, ...]) -> bool:
        """Whether these numbers and signs, in order, tell an item from others."""
        several = sum(word[0].isdigit() for word in numbers) > 1
        return several and self._numbers[numbers] <= TELLING * self._n
