"""Template text: what stands in many prompts and so proves nothing.

"State the final answer to the following arithmetic problem:" stands in every
item of a family. An n-gram of it is no sign that a test item has leaked.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .words import grams, is_figure

# Template text occurs in two independent draws of a family, or in this many of
# the sealed items and this share of them. The kit's own choices.
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
        self.grams = _common(items, n, often) | _common(draws, n, IN_DRAWS)

    def covered(self, parts: Sequence[str]) -> bytearray:
        """1 for each word that stands in template text, else 0."""
        mask = bytearray(len(parts))
        if self.grams:
            for start, gram in enumerate(grams(parts, self.n)):
                if gram in self.grams:
                    mask[start : start + self.n] = b"\1" * self.n
        return mask


def _common(documents: Iterable[Sequence[str]], n: int, often: int) -> set[int]:
    counts: Counter[int] = Counter()
    for parts in documents:
        counts.update(set(grams(parts, n)))
    return {gram for gram, count in counts.items() if count >= often}


# Words of a question that say nothing where numbers say everything.
_FILLERS = {
    *("a", "an", "the", "please", "what", "whats", "s", "is"),
    *("compute", "calculate", "evaluate", "solve", "find"),
}
Signature = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Template:
    """The words that all items of a family share, with how often each stands.

    What is left of an item without them is what it asks: its `signature`.
    """

    words: Mapping[str, int]

    @classmethod
    def of(cls, documents: Sequence[Sequence[str]]) -> Template | None:
        """The template of a family, or `None` if its items share too little.

        A word belongs to it if 95 % of the items have it. Fewer than 8 items,
        or fewer than 4 such words, are no template. The kit's own choices.
        """
        if len(documents) < 8:
            return None
        counts = [Counter(parts) for parts in documents]
        inside = Counter(word for count in counts for word in count)
        shared = {
            word: min(count[word] for count in counts if word in count)
            for word, n in inside.items()
            # Figures are what is filled in, even where every item has a `+`.
            if n >= 0.95 * len(documents) and (word == "=" or not is_figure(word))
        }
        return cls(shared) if len(shared) >= 4 else None

    def signature(self, parts: Sequence[str]) -> Signature:
        """The words beyond the template in order, and template words too many.

        In arithmetic, where only figures are left, filler words do not count:
        `What is 3 + 4?` asks what `Calculate 3 + 4.` asks.
        """
        own = tuple(word for word in parts if word not in self.words)
        counts = Counter(word for word in parts if word in self.words)
        excess = sorted((counts - Counter(self.words)).elements())
        said = tuple(word for word in own if word not in _FILLERS)
        if said and all(map(is_figure, said)):
            return said, ()
        return own, tuple(excess)
