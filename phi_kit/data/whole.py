"""Items that stand whole inside a longer prompt, and where they end there.

`if you have 3 bees?` stands in `if you have 3 bees, 2 ants?` word for word, and
still the two ask different things. So what stands beside the item's words must not
go on with it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from .drawn import Drawn
from .words import Tokens, grams, is_figure

ANCHOR = 3  # an item of fewer words is found as a whole prompt only
PHRASE = 4  # words that are looked at to tell whether they are of the family
_STOP = re.compile(r"[.?!\u3002\uff1f\uff01]|\n\s*\n")
_BEFORE = re.compile(r"[.:?!\n]")


class Whole:
    """Finds the items whose words stand in a row in a prompt.

    Each is looked up by its rarest three words in a row.

    Args:
        items: a name and the words of every item.
    """

    def __init__(self, items: Iterable[tuple[int, Sequence[str]]]):
        first: dict[tuple[str, ...], int] = {}
        for name, parts in items:
            if len(parts) >= ANCHOR:
                first.setdefault(tuple(parts), name)
        self._items = {name: list(parts) for parts, name in first.items()}
        counts = Counter(g for p in self._items.values() for g in grams(p, ANCHOR))
        self._anchors: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for name, parts in self._items.items():
            hashes = list(grams(parts, ANCHOR))
            at = min(range(len(hashes)), key=lambda place: counts[hashes[place]])
            self._anchors[hashes[at]].append((name, at))

    def inside(self, parts: Sequence[str]) -> Iterator[tuple[int, int, int]]:
        """Name, start and stop of every item that stands in these words."""
        if not self._anchors:
            return
        for place, gram in enumerate(grams(parts, ANCHOR)):
            for name, at in self._anchors.get(gram, ()):
                item, start = self._items[name], place - at
                if start >= 0 and parts[start : start + len(item)] == item:
                    yield name, start, start + len(item)


def stands_alone(
    row: Tokens, start: int, stop: int, *, item: str, family: Drawn | None
) -> bool:
    """Whether nothing beside an item's words goes on with it.

    Args:
        row: the prompt it stands in.
        start: the first word that is the item's.
        stop: the word behind its last.
        item: the item's own prompt.
        family: what draws of its family show; `None` if there are none.
    """
    return _starts(row, start, family) and _ends(row, stop, item.strip(), family)


def _starts(row: Tokens, start: int, family: Drawn | None) -> bool:
    if not start or _BEFORE.search(_gap(row, start)):
        return True
    before, own = row.words[start - 1], row.words[start]
    if is_figure(before):
        return not is_figure(own)
    return not (family and family.open_start and family.fills(before))


def _ends(row: Tokens, stop: int, item: str, family: Drawn | None) -> bool:
    if stop == len(row.words) or row.words[stop - 1] == "=" or _stops(row, stop):
        return True
    if "\n" in _gap(row, stop) and "\n" not in item:
        return True  # a board has more lines, a sum has not
    if is_figure(row.words[stop]):
        return (
            family is not None
            and not family.open_end
            and not is_figure(row.words[stop - 1])
        )
    marked = _STOP.search(item[-1]) is not None
    if family is None:  # it ends in the row as it ends itself
        return not marked
    if not family.open_end:
        return True
    return not (_of(family, row, stop) or (marked and family.any_word))


def _of(family: Drawn, row: Tokens, start: int) -> bool:
    """Whether a family has the words that follow, up to the end of a sentence."""
    if not family.fills(row.words[start]):
        return False
    for place in range(start, min(start + PHRASE, len(row.words))):
        if place > start and _stops(row, place):
            break
        if not family.knows(row.words[place]):
            return False
    return True


def _stops(row: Tokens, place: int) -> bool:
    """Whether a sentence ends before a word, by a mark or an empty line."""
    if _STOP.search(_gap(row, place)):
        return True
    after = row.places[place][1]
    return row.words[place] in ".?!" and row.text[after : after + 1].strip() == ""


def _gap(row: Tokens, place: int) -> str:
    """The text between a word and the one before it."""
    return row.text[row.places[place - 1][1] : row.places[place][0]]
