"""Votes among the samples of one prompt: plurality, margin, entropy.

The votes are over answers as they were read (`evaluation.equal_answers`), not over
texts. A sample without a readable answer votes for nothing, but it counts in every
share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Votes:
    """The outcome of a vote among the samples of one prompt.

    Args:
        answer: the plurality's answer; empty if no sample had one. The first
            seen wins a tie.
        share: its share of all samples.
        margin: how far its share lies above the runner-up's.
        entropy: of the answers, in bits; having no answer counts as one.
        n: samples.
    """

    answer: str
    share: float
    margin: float
    entropy: float
    n: int

    def reaches(self, share: float, margin: float) -> bool:
        """Whether the plurality reaches both thresholds."""
        near = 1e-9  # .6 of 5 must reach .6 whatever the floats say
        return bool(self.answer) and (
            self.share >= share - near and self.margin >= margin - near
        )


def vote(answers: Sequence[str]) -> Votes:
    """Count the answers of one prompt; an empty text is no answer.

    `scipy.stats.entropy(base=2)` gives the same entropy to 9e-16 but takes .8 ms
    instead of 2 µs, once per seed; so the formula stands here.
    """
    n = len(answers)
    if n == 0:
        return Votes("", 0.0, 0.0, 0.0, 0)
    ranked = Counter(answer for answer in answers if answer).most_common()
    first, second = [*(count for _, count in ranked), 0, 0][:2]
    parts = np.array(list(Counter(answers).values())) / n
    return Votes(
        answer=ranked[0][0] if ranked else "",
        share=first / n,
        margin=(first - second) / n,
        entropy=float(max(0.0, -(parts * np.log2(parts)).sum())),
        n=n,
    )


def mean_of_known(values: Iterable[float | None]) -> float:
    """The mean of what is known of some values; NaN if none is.

    For the log-probabilities of samples, which not every sampler tells.
    """
    known = [value for value in values if value is not None and value == value]
    return float(np.mean(known)) if known else float("nan")
