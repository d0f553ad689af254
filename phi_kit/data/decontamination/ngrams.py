"""Pieces that a prompt and a sealed item share: n words in a row, in two passes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from math import log

from phi_kit.data.tokenize import (
    contains_run,
    is_number_or_operator,
    ngram_hashes,
    numbers_and_operators,
)

from .templates import Safelist, TemplateStats

FIRST, SECOND = 8, 13
# The rest are kit defaults. Numbers and single letters stand in a row by
# chance (`A 1 B 2 C 3 D 4`): eight words in a row need this many others among them,
# and fewer numbers than this are found among more numbers by chance.
PROPER = 3
# So do the everyday words of a benchmark (`how many hours a week does he spend`, in
# two of 2,000 GSM8K questions): fewer words than this tell something only if they
# are rare among the items, or the item's numbers come with them.
LONG = 10
# How rare: the mean of -log(share of items with the word), as part of the greatest
# possible. The 23 runs of 8 or 9 words that pairs of 2,000 GSM8K questions share have
# .19 to .37; eight words that no other item has, 1.
RARE = 0.4


class NgramIndex:
    """Finds the items with which a prompt shares words in a row.

    Args:
        items: the words of every item.
        safe: n-grams of template text.
        families: by item, what draws of its family show; `None` if there are none.
        without: items whose pieces tell nothing.
    """

    def __init__(
        self,
        items: Sequence[Sequence[str]],
        safe: Safelist,
        *,
        families: Sequence[TemplateStats | None],
        without: Container[int] = (),
    ):
        self._items, self._safe, self._families = items, safe, families
        self._covered = [safe.covered(parts) for parts in items]
        self._having = Counter(word for parts in items for word in set(parts))
        self._first: dict[int, list[int]] = defaultdict(list)
        self._second: dict[int, int] = {}
        for place, parts in enumerate(items):
            if place in without:
                continue
            for start, gram in enumerate(ngram_hashes(parts, FIRST)):
                if gram not in safe.grams:
                    self._first[gram].append(place << 32 | start)
            for gram in ngram_hashes(_uncovered(parts, self._covered[place]), SECOND):
                self._second.setdefault(gram, place)

    def own(self, place: int) -> int:
        """How many words of an item are not template text."""
        return len(self._items[place]) - sum(self._covered[place])

    def find(self, parts: Sequence[str]) -> Iterator[tuple[int, str, str]]:
        """Item, which pass found it, and the words, for every shared piece."""
        covered = self._safe.covered(parts)
        for place, span in self._in_a_row(parts, covered):
            yield place, f"{FIRST}-gram", span
        if any(covered):
            for place, span in self._between(_uncovered(parts, covered)):
                yield place, f"{SECOND}-gram", span

    def _in_a_row(
        self, parts: Sequence[str], covered: Sequence[int]
    ) -> Iterator[tuple[int, str]]:
        for start, gram in enumerate(ngram_hashes(parts, FIRST)):
            for packed in self._first.get(gram, ()):
                place, at = packed >> 32, packed & 0xFFFFFFFF
                left, right = _shared_run(parts, self._items[place], start, at)
                theirs = self._covered[place][at - start + left :]
                # Template words of both say nothing: eight others must.
                both = map(int.__and__, covered[left:right], theirs)
                own = _uncovered(parts[left:right], both)
                if self._says(own, place) and (
                    len(own) >= LONG or self._rare(own) or self._counts(parts, place)
                ):
                    yield place, " ".join(parts[left:right])

    def _says(self, own: Sequence[str], place: int) -> bool:
        proper = [
            word for word in own if len(word) > 1 and not is_number_or_operator(word)
        ]
        family = self._families[place]
        if family:
            return (
                len(proper) >= FIRST and sum(map(family.is_filled_in, proper)) >= PROPER
            )
        return len(own) >= SECOND or (len(own) >= FIRST and len(proper) >= PROPER)

    def _rare(self, own: Sequence[str]) -> bool:
        most = log(len(self._items))  # of a word that one item has
        told = [most - log(self._having[word]) for word in set(own)]
        return sum(told) >= RARE * most * len(told)

    def _counts(self, parts: Sequence[str], place: int) -> bool:
        asked, own = (
            numbers_and_operators(self._items[place]),
            numbers_and_operators(parts),
        )
        return bool(asked) and (
            own == asked or (len(asked) >= PROPER and contains_run(own, asked))
        )

    def _between(self, own: Sequence[str]) -> Iterator[tuple[int, str]]:
        for start, gram in enumerate(ngram_hashes(own, SECOND)):
            place = self._second.get(gram)
            if place is not None:
                piece = own[start : start + SECOND]
                if self._says(piece, place):
                    yield place, " ".join(piece)


def _uncovered(parts: Sequence[str], covered: Iterable[int]) -> list[str]:
    return [word for word, safe in zip(parts, covered, strict=True) if not safe]


def _shared_run(
    row: Sequence[str], item: Sequence[str], start: int, at: int
) -> tuple[int, int]:
    """The longest run of equal words around `row[start]` = `item[at]`."""
    left, right = start, start
    while left and left - start + at and row[left - 1] == item[left - start + at - 1]:
        left -= 1
    room = len(item) - at + start
    while right < min(len(row), room) and row[right] == item[right - start + at]:
        right += 1
    return left, right
