"""Fuzzy match for short prompts, which share no n-gram once a word is changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from .words import figures, jaccard

# From this Jaccard of words on two short prompts are one. The kit's own choice:
# one word more or less passes from 5 words on, one word replaced from 9 on.
ALIKE = 0.8


class Short:
    """Finds the short items that a prompt nearly equals.

    Two prompts are alike if their numbers and operators are the same in order
    and at least .8 of their words (Jaccard), where a typing error in a word of
    five letters or more does not count.

    Args:
        items: a name and the words of every item.
    """

    def __init__(self, items: Iterable[tuple[int, Sequence[str]]]):
        self._items = dict(items)
        self._counts = Counter(w for parts in self._items.values() for w in set(parts))
        self._longest = max(map(len, self._items.values()), default=0)
        self._by_word: dict[str, list[int]] = defaultdict(list)
        for name, parts in self._items.items():
            for word in self._rare(parts):
                self._by_word[word].append(name)

    def _rare(self, parts: Sequence[str]) -> list[str]:
        # Two sets at Jaccard t share one of their n - ceil(t n) + 1 rarest words
        # (prefix filter, Chaudhuri et al., ICDE 2006); one more for a typing error.
        order = sorted(set(parts), key=lambda word: (self._counts[word], word))
        return order[: len(order) - ceil(ALIKE * len(order)) + 2]

    def near(self, parts: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Name and shared words of every item that is nearly this prompt."""
        if not parts or len(parts) > self._longest / ALIKE:
            return
        names = {
            name for word in self._rare(parts) for name in self._by_word.get(word, ())
        }
        own = figures(parts)
        for name in sorted(names):
            item = self._items[name]
            if own == figures(item) and _alike(parts, item):
                yield name, " ".join(word for word in parts if word in item)


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    mine, theirs = set(one), set(other)
    for word in mine - theirs:
        meant = next((w for w in sorted(theirs - mine) if _typo(word, w)), None)
        if meant:
            mine = (mine - {word}) | {meant}
    return jaccard(mine, theirs) >= ALIKE


def _typo(one: str, other: str) -> bool:
    """Whether words of 5 letters or more are one edit apart, a swap included."""
    if min(len(one), len(other)) < 5 or abs(len(one) - len(other)) > 1:
        return False
    start = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    a, b = one[start:], other[start:]
    swapped = len(a) > 1 and a[1::-1] + a[2:] == b
    return swapped or a[1:] == b[1:] or a[1:] == b or a == b[1:]
