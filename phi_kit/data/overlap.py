"""Which sealed item a prompt overlaps, and in which words.

Five looks, the surest first: the same prompt; an item contained whole; 8 words
in a row as s1 (arXiv 2501.19393) and open-r1 take them; 13 words in a row once
template text is taken out (Phi-4, arXiv 2412.08905, uses 13-grams with a
safelist of common ones); and for short items, which have too few words for
n-grams, a fuzzy match.

Items of a family that a program fills in are another matter: any two share long
pieces and differ in a word or a number. Of those the whole counts, or pieces
together with all the item's numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from .quarantine import Hit
from .records import Seed, normal
from .short import Short
from .template import Safelist, Signature, Template
from .words import figures, grams, words

FIRST, SECOND = 8, 13
WHOLE = 5  # an item of fewer words is not looked for inside longer prompts


class Overlap:
    """An index of sealed items; its size does not depend on what is compared.

    Args:
        items: the sealed items.
        draws: prompts by family, drawn for this only: they show what is
            template text and are never sealed themselves.
    """

    def __init__(self, items: Sequence[Seed], draws: Mapping[str, Sequence[str]]):
        self.items = items
        self._words = [words(item.prompt) for item in items]
        drawn = {
            family: list(map(words, dict.fromkeys(prompts)))
            for family, prompts in draws.items()
        }
        everything = [parts for family in drawn.values() for parts in family]
        self.safe = Safelist(self._words, everything, n=FIRST)
        self._covered = [self.safe.covered(parts) for parts in self._words]
        # Per item the numbers a piece must come with; `None` asks for none.
        self._asked = _asked(items, self._words, drawn)
        self._exact: dict[str, int] = {}
        self._whole: dict[int, int] = {}
        self._lengths: set[int] = set()
        self._first: dict[int, list[int]] = defaultdict(list)
        self._second: dict[int, int] = {}
        for place in range(len(items)):
            self._add(place)
        self._shapes = _templates(items, self._words, drawn)
        self._signatures = self._sign()
        self._short = Short(
            (place, self._words[place])
            for place, item in enumerate(items)
            if item.family not in self._shapes and len(self._words[place]) < SECOND
        )

    def _add(self, place: int) -> None:
        parts, covered = self._words[place], self._covered[place]
        self._exact.setdefault(normal(self.items[place].prompt), place)
        few = len(parts) - sum(covered) < FIRST  # too few for an n-gram
        if len(parts) >= WHOLE and (few or self._asked[place] is not None):
            self._whole.setdefault(hash(tuple(parts)), place)
            self._lengths.add(len(parts))
        for start, gram in enumerate(grams(parts, FIRST)):
            if gram not in self.safe.grams:
                self._first[gram].append(place << 32 | start)
        for gram in grams(_own(parts, covered), SECOND):
            self._second.setdefault(gram, place)

    def _sign(self) -> dict[tuple[str, Signature], int]:
        found: dict[tuple[str, Signature], int] = {}
        for place, item in enumerate(self.items):
            if item.family in self._shapes:
                sign = self._shapes[item.family].signature(self._words[place])
                if len(sign[0]) > 1:
                    found.setdefault((item.family, sign), place)
        return found

    def hit(self, prompt: str) -> Hit | None:
        """The sealed item a prompt overlaps, or `None`."""
        place = self._exact.get(normal(prompt))
        if place is not None:
            return self._hit(place, "exact", prompt)
        parts = words(prompt)
        return next(self._looks(prompt, parts), None) if parts else None

    def _looks(self, prompt: str, parts: list[str]) -> Iterator[Hit]:
        covered = self.safe.covered(parts)
        yield from self._contained(prompt, parts, any(covered))
        yield from self._in_a_row(parts)
        if any(covered):
            yield from self._between(parts, covered)
        yield from self._nearly(parts)

    def _contained(
        self, prompt: str, parts: list[str], template: bool
    ) -> Iterator[Hit]:
        # Only items that n-grams cannot find are here, most of them template text.
        for length in self._lengths:
            if length < FIRST or template:
                for start, gram in enumerate(grams(parts, length)):
                    place = self._whole.get(gram)
                    span = parts[start : start + length]
                    if place is None or self._words[place] != span:
                        continue
                    if self._ends(place, prompt):
                        yield self._hit(place, "contained", " ".join(span))

    def _ends(self, place: int, prompt: str) -> bool:
        # `if you have 3 bees?` does not stand in `if you have 3 bees, 2 ants?`.
        item = self.items[place]
        return item.family not in self._shapes or normal(item.prompt) in normal(prompt)

    def _in_a_row(self, parts: list[str]) -> Iterator[Hit]:
        for start, gram in enumerate(grams(parts, FIRST)):
            for packed in self._first.get(gram, ()):
                place, at = packed >> 32, packed & 0xFFFFFFFF
                left, right = _run(parts, self._words[place], start, at)
                covered = self._covered[place][at - start + left : at - start + right]
                # Template words in the run say nothing: eight others must.
                if len(covered) - sum(covered) >= FIRST and self._has(place, parts):
                    span = " ".join(parts[left:right])
                    yield self._hit(place, "8-gram", span)

    def _between(self, parts: list[str], covered: bytearray) -> Iterator[Hit]:
        own = _own(parts, covered)
        for start, gram in enumerate(grams(own, SECOND)):
            place = self._second.get(gram)
            if place is not None and self._has(place, parts):
                span = " ".join(own[start : start + SECOND])
                yield self._hit(place, "13-gram", span)

    def _has(self, place: int, parts: list[str]) -> bool:
        asked = self._asked[place]
        return asked is None or (bool(asked) and asked <= Counter(figures(parts)))

    def _nearly(self, parts: list[str]) -> Iterator[Hit]:
        for family, shape in self._shapes.items():
            sign = shape.signature(parts)
            place = self._signatures.get((family, sign))
            if place is not None:
                yield self._hit(place, "short", " ".join(sign[0]))
        for place, span in self._short.near(parts):
            yield self._hit(place, "short", span)

    def _hit(self, place: int, how: str, span: str) -> Hit:
        item = self.items[place]
        return Hit(item.id, item.domain, item.family, how, span)


def _asked(
    items: Sequence[Seed],
    parts: Sequence[list[str]],
    drawn: Mapping[str, list[list[str]]],
) -> list[Counter[str] | None]:
    """The numbers that tell each item from others of its filled-in family.

    An empty counter where they tell nothing: fewer than two, or as in more than
    a hundredth of the draws (the kit's own choice).
    """
    shown = {family: Counter(map(figures, d)) for family, d in drawn.items()}
    found: list[Counter[str] | None] = []
    for item, own in zip(items, parts, strict=True):
        numbers, others = figures(own), shown.get(item.family)
        if others is None:
            found.append(None)
        else:
            rare = len(numbers) > 1 and others[numbers] <= others.total() / 100
            found.append(Counter(numbers) if rare else Counter())
    return found


def _templates(
    items: Sequence[Seed],
    parts: Sequence[list[str]],
    drawn: Mapping[str, list[list[str]]],
) -> dict[str, Template]:
    families: dict[str, list[list[str]]] = defaultdict(list)
    for item, own in zip(items, parts, strict=True):
        families[item.family].append(own)
    shapes = {
        family: Template.of([*documents, *drawn.get(family, ())])
        for family, documents in families.items()
    }
    return {family: shape for family, shape in shapes.items() if shape}


def _own(parts: Sequence[str], covered: bytearray) -> list[str]:
    return [word for word, safe in zip(parts, covered, strict=True) if not safe]


def _run(
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
