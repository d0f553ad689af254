"""Near-duplicates: MinHash-LSH finds candidates, exact Jaccard confirms them."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable

from .tokenize import (
    is_number_or_operator,
    jaccard,
    numbers_and_operators,
    shingles,
    words,
)

# 16 bands of 5 rows: a pair at Jaccard .8 becomes a candidate with probability
# 1 - (1 - .8^5)^16 = .998 (Leskovec, Rajaraman, Ullman, Mining of Massive
# Datasets, 3.4.2), one at .5 with .40 (kit default).
BANDS, ROWS = 16, 5


def _hash_shingle(shingle: str) -> int:
    # Not Python's own hash: a candidate must be one in every process.
    return zlib.crc32(shingle.encode("utf-8", "surrogatepass"))


class NearDuplicateIndex:
    """Remembers prompts and names the first near-duplicate of a new one.

    Only prompts with the same numbers and operators are compared: `12 apples`
    and `13 apples` are different questions however alike they look. So are two
    that differ in nothing but the order of their numbers.

    Args:
        threshold: exact Jaccard of character 5-shingles from which on a prompt
            is a near-duplicate. .8 is the kit default (open pipelines lie
            between .7 and .8: https://arxiv.org/abs/2107.06499 uses .8).
    """

    def __init__(self, threshold: float = 0.8):
        self.threshold = threshold
        self._prompts: list[str] = []
        self._bands: dict[int, list[int]] = defaultdict(list)

    def find_duplicate(
        self, prompt: str, asks_the_same: Callable[[str], bool] = lambda _: True
    ) -> str | None:
        """An earlier prompt this one nearly equals; it is remembered if none is.

        `None` means that the prompt is new.

        Args:
            prompt: the new one.
            asks_the_same: has the last word on an earlier prompt that looks like
                it: two questions with different answers are two questions.
        """
        parts = words(prompt)
        own = shingles(prompt)
        keys = _band_keys(own, numbers_and_operators(parts))
        near = {place for key in keys for place in self._bands.get(key, ())}
        for place in sorted(near):
            other = self._prompts[place]
            alike = jaccard(own, shingles(other)) >= self.threshold
            same = alike and _same_numbers(parts, words(other))
            if same and asks_the_same(other):
                return other
        self._prompts.append(prompt)
        for key in keys:
            self._bands[key].append(len(self._prompts) - 1)
        return None


def _same_numbers(one: list[str], other: list[str]) -> bool:
    mine, theirs = numbers_and_operators(one), numbers_and_operators(other)
    if sorted(mine) != sorted(theirs):
        return False
    said = [word for word in one if not is_number_or_operator(word)]
    # Whole sentences may move; but the same sentence about other places of
    # its numbers (`12 - 7`, `7 - 12`) asks something else.
    return mine == theirs or said != [w for w in other if not is_number_or_operator(w)]


def _band_keys(parts: Iterable[str], numbers: tuple[str, ...]) -> list[int]:
    from datasketch import MinHash

    sketch = MinHash(num_perm=BANDS * ROWS, hashfunc=_hash_shingle)
    sketch.update_batch(list(parts))
    values, same = sketch.hashvalues, tuple(sorted(numbers))
    return [
        hash((band, same, values[band * ROWS : (band + 1) * ROWS].tobytes()))
        for band in range(BANDS)
    ]
