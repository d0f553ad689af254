"""Fuzzy match for short prompts, which share no n-gram once a word is changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from phi_kit.data.tokenize import jaccard, numbers_and_operators

from .templates import TemplateStats

# From this Jaccard of words on two short prompts are one (kit default):
# one word more or less passes from 5 words on, one word replaced from 9 on.
ALIKE = 0.8


class FuzzyMatcher:
    """Finds the short items that a prompt nearly equals.

    Two prompts are alike if their numbers and operators are the same in order
    and at least .8 of their words (Jaccard), where a typing error in a word of
    five letters or more does not count. A number belongs to the words beside it:
    where there is one, no shared words but neighbours change places (`4 cm in
    mm` is not `4 mm in cm`). Of what a program filled in, every word has to be there.

    Args:
        items: name and words of every item, and what draws of its family show.
    """

    def __init__(
        self, items: Iterable[tuple[int, Sequence[str], TemplateStats | None]]
    ):
        self._items: dict[int, Sequence[str]] = {}
        self._drawn: dict[int, TemplateStats | None] = {}
        for name, parts, family in items:
            self._items[name], self._drawn[name] = parts, family
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

    def find(self, parts: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Name and shared words of every item that is nearly this prompt."""
        if not parts or len(parts) > self._longest / ALIKE:
            return
        names = {
            name for word in self._rare(parts) for name in self._by_word.get(word, ())
        }
        own = numbers_and_operators(parts)
        for name in sorted(names):
            item, family = self._items[name], self._drawn[name]
            if own == numbers_and_operators(item) and _alike(
                _correct_typos(parts, item), item, family
            ):
                yield name, " ".join(word for word in parts if word in item)


def _correct_typos(parts: Sequence[str], item: Sequence[str]) -> list[str]:
    """The words with typing errors mended, as the item has them."""
    theirs = sorted(set(item) - set(parts))
    known = set(item)
    return [
        word if word in known else next((w for w in theirs if _is_typo(word, w)), word)
        for word in parts
    ]


def _alike(
    one: Sequence[str], other: Sequence[str], family: TemplateStats | None
) -> bool:
    mine, theirs = set(one), set(other)
    if jaccard(mine, theirs) < ALIKE:
        return False
    if family and any(family.is_filled_in(word) for word in mine ^ theirs):
        return False
    if not numbers_and_operators(other):
        return True
    shared = mine & theirs
    first, second = (
        [word for word in dict.fromkeys(parts) if word in shared]
        for parts in (one, other)
    )
    return _same_order(first, second)


def _same_order(one: list[str], other: list[str]) -> bool:
    """Whether only neighbours have changed places."""
    place = 0
    while place < len(one):
        if one[place] == other[place]:
            place += 1
        elif one[place : place + 2] == other[place : place + 2][::-1]:
            place += 2
        else:
            return False
    return True


def _is_typo(one: str, other: str) -> bool:
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
