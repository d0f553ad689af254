"""What items drawn from a family show of how a program fills it in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from phi_kit.data.tokenize import figures, is_figure

# Shares of a family's draws, all the kit's own choices. A word in fewer than RARE
# is filled in; one equally often in MOST of them is template. An end is open, so
# that more could follow, if the draws end in more words than ENDS of their number.
RARE, MOST, ENDS = 0.1, 0.95, 0.05
UNSEEN = 0.01  # more new words than this to be expected: any word may be filled in
TELLING = 0.01  # numbers in more of the draws than this tell no item from another


class Drawn:
    """The draws of one family, counted.

    Args:
        documents: the words, numbers and signs of each draw.
    """

    def __init__(self, documents: Sequence[Sequence[str]]):
        self._n = len(documents)
        self._having = Counter(w for parts in documents for w in set(parts))
        times = Counter(pair for parts in documents for pair in Counter(parts).items())
        # Template: so many times in nearly every draw.
        self._fixed = {word for (word, _), n in times.items() if n >= MOST * self._n}
        self._numbers = Counter(map(figures, documents))
        # The chance that a further word is one not seen yet is about the share of
        # those seen once (Good, Biometrika 40, 1953).
        seen = Counter({w: n for w, n in self._having.items() if not is_figure(w)})
        self.any_word = list(seen.values()).count(1) > UNSEEN * seen.total()
        said = [parts for parts in documents if parts]
        self.open_start = len({parts[0] for parts in said}) > ENDS * self._n
        self.open_end = len({parts[-1] for parts in said}) > ENDS * self._n

    def rare(self, word: str) -> bool:
        """Whether a word is one that is filled in, not one of a wording."""
        return self._having[word] < RARE * self._n

    def fills(self, word: str) -> bool:
        """Whether a word is seen in the draws and not always template."""
        return word in self._having and word not in self._fixed

    def knows(self, word: str) -> bool:
        """Whether a word is seen in the draws."""
        return word in self._having

    def telling(self, numbers: tuple[str, ...]) -> bool:
        """Whether these numbers and signs, in order, tell an item from others."""
        several = sum(word[0].isdigit() for word in numbers) > 1
        return several and self._numbers[numbers] <= TELLING * self._n
