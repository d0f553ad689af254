"""Faults that are planted on purpose, to see what the checks of a study catch."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace

from phi_kit.core.rng import rng

from .records import TRUE_GOLD, Seed, same_answer

_LENDERS = 50  # items at the stream's head whose golds are lent to others (kit default)


def plant_wrong_golds(
    stream: Iterator[Seed], share: float, *labels: object
) -> Iterator[Seed]:
    """The items of a family, a share of them with the gold of another one.

    They come at even distances, so that any limit cuts the same share; where the
    first one stands is drawn. The gold is another answer than the item's own: an item
    that nobody can lend one keeps its own.

    Args:
        stream: of one family, with true golds.
        share: of the items, from 0 to 1.
        labels: of the randomness, such as the study's seed and the family's name.
    """
    head = list(itertools.islice(stream, _LENDERS))
    answers = list(dict.fromkeys(seed.answer for seed in head))
    begin = rng(*labels, "wrong golds").random()
    for n, seed in enumerate(itertools.chain(head, stream)):
        if int(begin + (n + 1) * share) == int(begin + n * share):
            yield seed
            continue
        others = [other for other in answers if not same_answer(other, seed.answer)]
        if not others:
            yield seed
            continue
        lent = others[int(rng(*labels, "wrong gold", n).integers(len(others)))]
        extra = json.dumps(seed.facts | {TRUE_GOLD: seed.answer})
        yield replace(seed, answer=lent, extra=extra)
