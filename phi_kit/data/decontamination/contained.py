"""Items that stand whole inside a longer prompt, and where they end there.

`if you have 3 bees?` stands in `if you have 3 bees, 2 ants?` word for word, and
still the two ask different things. So what stands beside the item's words must not
go on with it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from phi_kit.data.tokenize import Tokens, is_number_or_operator, ngram_hashes

from .templates import TemplateStats

ANCHOR = 3  # an item of fewer words is found as a whole prompt only
PHRASE = 4  # words that are looked at to tell whether they are of the family
_STOP = re.compile(r"[.?!\u3002\uff1f\uff01]|\n\s*\n")
_BEFORE = re.compile(r"[.:?!\n]")


@dataclass(frozen=True)
class ContainedItem:
    """What is looked for.

    Args:
        words: its words, numbers and signs.
        family: what draws of its family show; `None` if there are none.
        marked: whether a mark ends it.
        lines: whether it has several.
    """

    words: list[str]
    family: TemplateStats | None
    marked: bool
    lines: bool

    @classmethod
    def of(cls, said: Tokens, family: TemplateStats | None) -> ContainedItem:
        """An item as it is looked for."""
        end = said.text[said.places[-1][1] :]
        lines = "\n" in said.text.strip()
        return cls(said.words, family, _STOP.search(end.rstrip()) is not None, lines)


class ContainedMatcher:
    """Finds the items whose words stand in a row in a prompt.

    Each is looked up by its rarest three words in a row.

    Args:
        items: a name, the words, and what draws of its family show, of every item.
    """

    def __init__(self, items: Iterable[tuple[int, Tokens, TemplateStats | None]]):
        self._items = {
            name: ContainedItem.of(said, family)
            for name, said, family in items
            if len(said.words) >= ANCHOR
        }
        hashes = {
            n: list(ngram_hashes(i.words, ANCHOR)) for n, i in self._items.items()
        }
        counts = Counter(gram for own in hashes.values() for gram in own)
        self._anchors: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for name, own in hashes.items():
            at = min(range(len(own)), key=lambda place: counts[own[place]])
            self._anchors[own[at]].append((name, at))

    def find(self, row: Tokens) -> list[tuple[int, int, int]]:
        """Name, start and stop of every item that stands in a prompt.

        The longest first: an item may hold a shorter one.
        """
        if not self._anchors:
            return []
        found = (
            (name, start, stop)
            for name, start, stop in self._matches(row.words)
            if _stands_alone(row, start, stop, self._items[name])
        )
        return sorted(found, key=lambda one: one[1] - one[2])

    def _matches(self, parts: list[str]) -> Iterator[tuple[int, int, int]]:
        for place, gram in enumerate(ngram_hashes(parts, ANCHOR)):
            for name, at in self._anchors.get(gram, ()):
                item, start = self._items[name].words, place - at
                if start >= 0 and parts[start : start + len(item)] == item:
                    yield name, start, start + len(item)


def _stands_alone(row: Tokens, start: int, stop: int, item: ContainedItem) -> bool:
    """Whether nothing beside an item's words goes on with it."""
    return _starts_alone(row, start, item.family) and _ends_alone(row, stop, item)


def _starts_alone(row: Tokens, start: int, family: TemplateStats | None) -> bool:
    if not start or _BEFORE.search(_gap(row, start)):
        return True
    before, own = row.words[start - 1], row.words[start]
    if is_number_or_operator(before):
        return not is_number_or_operator(own)
    return not (family and family.open_start and family.is_slot_value(before))


def _ends_alone(row: Tokens, stop: int, item: ContainedItem) -> bool:
    if (
        stop == len(row.words)
        or row.words[stop - 1] == "="
        or _sentence_ends(row, stop)
    ):
        return True
    if "\n" in _gap(row, stop) and not item.lines:
        return True  # a board has more lines, a sum has not
    family = item.family
    if is_number_or_operator(row.words[stop]):
        return (
            family is not None
            and not family.open_end
            and not is_number_or_operator(row.words[stop - 1])
        )
    if family is None:  # it ends in the row as it ends itself
        return not item.marked
    if not family.open_end:
        return True
    return not (
        _continues_family(family, row, stop) or (item.marked and family.takes_any_word)
    )


def _continues_family(family: TemplateStats, row: Tokens, start: int) -> bool:
    """Whether a family has the words that follow, up to the end of a sentence."""
    if not family.is_slot_value(row.words[start]):
        return False
    for place in range(start, min(start + PHRASE, len(row.words))):
        if place > start and _sentence_ends(row, place):
            break
        if not family.has_seen(row.words[place]):
            return False
    return True


def _sentence_ends(row: Tokens, place: int) -> bool:
    """Whether a sentence ends before a word, by a mark or an empty line."""
    if _STOP.search(_gap(row, place)):
        return True
    after = row.places[place][1]
    return row.words[place] in ".?!" and row.text[after : after + 1].strip() == ""


def _gap(row: Tokens, place: int) -> str:
    """The text between a word and the one before it."""
    return row.text[row.places[place - 1][1] : row.places[place][0]]
