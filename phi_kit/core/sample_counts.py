"""How many samples were asked for, and how many of them had to be paid for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

# Why a sample has no answer (its `finish`), and what that means: nobody can tell
# whether the model would have been right.
UNANSWERED = {
    "filtered": "filtered by the endpoint",
    "refused": "refused by the endpoint",
    "too_long": "too long for the model's context",
    "failed": "no usable reply in any of its tries",
}


@dataclass
class SampleCounts:
    """Samples of a step; `tokens` and `cost` are those of the paid ones.

    `cost` is money, `None` while no price is known. `unanswered` are those asked
    without an answer, by why (see `UNANSWERED`). Scores of given texts are counted as
    samples: `scores` of those asked, `new_scores` of the paid ones.
    """

    asked: int = 0
    from_ledger: int = 0
    paid: int = 0
    tokens: int = 0
    cost: float | None = None
    unanswered: Counter[str] = field(default_factory=Counter)
    scores: int = 0
    new_scores: int = 0

    def add_cached(self, n: int = 1) -> None:
        """Count samples that were paid for earlier."""
        self.asked += n
        self.from_ledger += n

    def add_generated(self, tokens: int, cost: float | None) -> None:
        """Count a sample that a model has drawn just now."""
        self.asked += 1
        self.paid += 1
        self.tokens += tokens
        if cost is not None:
            self.cost = (self.cost or 0.0) + cost

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "asked": self.asked,
            "from_ledger": self.from_ledger,
            "paid": self.paid,
            "paid_tokens": self.tokens,
            "cost": self.cost,
            **({"unanswered": dict(self.unanswered)} if self.unanswered else {}),
        }


# A list of the process, not a context variable: threads count, too.
_OPEN: list[SampleCounts] = []


@contextmanager
def count_samples() -> Iterator[SampleCounts]:
    """Count what is drawn inside the `with` block."""
    counts = SampleCounts()
    _OPEN.append(counts)
    try:
        yield counts
    finally:
        _OPEN[:] = [other for other in _OPEN if other is not counts]


def record_cached(n: int = 1) -> None:
    """Count samples from the ledger wherever somebody counts."""
    for counts in _OPEN:
        counts.add_cached(n)


def record_generated(tokens: int, cost: float | None) -> None:
    """Count a sample that was paid for wherever somebody counts."""
    for counts in _OPEN:
        counts.add_generated(tokens, cost)


def record_scores(found: SampleCounts) -> None:
    """Say wherever somebody counts that these samples were scores."""
    for counts in _OPEN:
        counts.scores += found.asked
        counts.new_scores += found.paid


def record_unanswered(why: str, n: int = 1, *, asked: bool) -> None:
    """Count samples without an answer wherever somebody counts.

    Args:
        why: as `UNANSWERED` names it.
        n: how many.
        asked: they were neither cached nor paid for, so nobody has counted them yet.
    """
    for counts in _OPEN:
        counts.asked += n * asked
        counts.unanswered[why] += n
