"""Which sealed item a prompt overlaps, and in which words.

Five looks, the surest first: the same prompt; an item contained whole; 8 words
in a row as s1 (arXiv 2501.19393) and open-r1 take them; 13 words in a row once
template text is taken out (Phi-4, arXiv 2412.08905, uses 13-grams with a
safelist of common ones); and for short items, which have too few words for
n-grams, a fuzzy match.

Items of a family that a program fills in are another matter: any two share long
pieces and differ in a word, a number or the place of a sign. Of those the whole
counts, or pieces together with all the item's numbers and signs, in their order.

An item of one or two words (`42?`, `2, 4`) stands in other prompts by chance: it
is found only where it is the whole prompt. So is an item of three or four words of
no such family. And where a row drops the mark an item ends in and goes on at once,
it cannot be told from a longer question.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from phi_kit.data.dropped_rows import SealHit
from phi_kit.data.records import Seed, normalise_prompt
from phi_kit.data.tokenize import (
    Tokens,
    contains_run,
    numbers_and_operators,
    signs,
    tokens,
    words,
)

from .contained import ContainedMatcher
from .fuzzy import FuzzyMatcher
from .ngrams import FIRST, NgramIndex
from .templates import Safelist, Signature, Template, TemplateStats

# From this many words on two words may change places and eight in a row are left.
SHORT = 2 * FIRST + 2
WHOLE = 5  # an item of fewer words and no draws is not looked for in longer prompts


class OverlapIndex:
    """An index of sealed items; its size does not depend on what is compared.

    Args:
        items: the sealed items.
        draws: prompts by family, drawn for this only: they show what is
            template text and are never sealed themselves.
    """

    def __init__(self, items: Sequence[Seed], draws: Mapping[str, Sequence[str]]):
        self.items = items
        drawn = {name: list(dict.fromkeys(prompts)) for name, prompts in draws.items()}
        exact = {name: [tokens(p).words for p in d] for name, d in drawn.items()}
        self._drawn = {
            name: TemplateStats(documents) for name, documents in exact.items()
        }
        self._families = [self._drawn.get(item.family) for item in items]
        read = [tokens(item.prompt) for item in items]
        said = [one.words for one in read]
        self._shapes = _templates(items, said, exact)
        # Per item of a filled-in family the numbers a piece must come with.
        self._asked = _required_numbers(said, self._families)
        parts = [words(item.prompt) for item in items]
        everything = (words(p) for prompts in drawn.values() for p in prompts)
        self._ngrams = NgramIndex(
            parts,
            Safelist(parts, everything, n=FIRST),
            families=self._families,
            without={place for place, asked in self._asked.items() if not asked},
        )
        self._exact: dict[str, int] = {}
        for place, item in enumerate(items):
            self._exact.setdefault(normalise_prompt(item.prompt), place)
        self._contained = ContainedMatcher(
            (place, one, self._families[place])
            for place, one in enumerate(read)
            if self._inside(place, one.words)
        )
        self._signatures = self._sign(said)
        self._fuzzy = FuzzyMatcher(
            (place, parts[place], self._families[place])
            for place, item in enumerate(items)
            if item.family not in self._shapes and len(parts[place]) < SHORT
        )

    def _inside(self, place: int, own: Sequence[str]) -> bool:
        # Other items that are long enough show in their n-grams.
        few = self._ngrams.own(place) < FIRST
        return self._families[place] is not None or (few and len(own) >= WHOLE)

    def _sign(
        self, said: Sequence[list[str]]
    ) -> dict[tuple[str, Signature], list[tuple[int, list[str]]]]:
        found = defaultdict(list)
        for place, item in enumerate(self.items):
            if item.family in self._shapes:
                sign = self._shapes[item.family].signature(said[place])
                if len(sign) > 1:
                    found[item.family, sign].append((place, said[place]))
        return dict(found)

    def hit(self, prompt: str) -> SealHit | None:
        """The sealed item a prompt overlaps, or `None`."""
        place = self._exact.get(normalise_prompt(prompt))
        if place is not None:
            return self._hit(place, "exact", prompt)
        parts = words(prompt)
        return next(self._looks(prompt, parts), None)

    def _looks(self, prompt: str, parts: list[str]) -> Iterator[SealHit]:
        row = tokens(prompt)
        yield from self._contained_hits(row)
        for place, how, span in self._ngrams.find(parts):
            if self._has(place, row.words):
                yield self._hit(place, how, span)
        yield from self._asking(row.words)
        for place, span in self._fuzzy.find(parts):
            if signs(row.words) == signs(tokens(self.items[place].prompt).words):
                yield self._hit(place, "short", span)

    def _asking(self, said: list[str]) -> Iterator[SealHit]:
        for family, shape in self._shapes.items():
            sign = shape.signature(said)
            for place, item in self._signatures.get((family, sign), ()):
                if shape.frames(sign, said, item):
                    yield self._hit(place, "short", " ".join(sign))

    def _contained_hits(self, row: Tokens) -> Iterator[SealHit]:
        for place, start, stop in self._contained.find(row):
            first, last = row.places[start][0], row.places[stop - 1][1]
            yield self._hit(place, "contained", row.text[first:last])

    def _has(self, place: int, row: list[str]) -> bool:
        asked = self._asked.get(place)
        if asked is None:
            return True
        return bool(asked) and contains_run(numbers_and_operators(row), asked)

    def _hit(self, place: int, how: str, span: str) -> SealHit:
        item = self.items[place]
        return SealHit(item.id, item.domain, item.family, how, span)


def _required_numbers(
    said: Sequence[Sequence[str]], families: Sequence[TemplateStats | None]
) -> dict[int, tuple[str, ...]]:
    """Numbers and signs of every filled-in item; none where they tell nothing."""
    found = {}
    for place, (own, family) in enumerate(zip(said, families, strict=True)):
        if family:
            numbers = numbers_and_operators(own)
            found[place] = numbers if family.is_distinctive(numbers) else ()
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
