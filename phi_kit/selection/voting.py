"""Votes among the samples of one prompt: equal answers, plurality, entropy.

The votes are over answers as they were read, not over texts: "7" and "It is 7."
are one answer. A sample without a readable answer votes for nothing, but it
counts in every share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from phi_kit.data.records import Seed, normalise_prompt
from phi_kit.data.verdict import Verifier
from phi_kit.verifiers import exact
from phi_kit.verifiers.base import visible
from phi_kit.verifiers.math import numeric

if TYPE_CHECKING:
    import pandas as pd

RIGHT = "(right)"  # no answer reads like this: it is what the verifier calls right


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


def judged_answers(samples: pd.DataFrame) -> list[str]:
    """The answers of samples that were held against a gold.

    Args:
        samples: rows of `ask`.

    Returns:
        `RIGHT` for each right one, however it is written; else the answer that
        was read, numbers in one form; empty where none was read.
    """
    pairs = zip(samples.verdict, samples.extracted, strict=True)
    return [
        RIGHT if verdict == "right" else _canonical(text) for verdict, text in pairs
    ]


def _canonical(text: str) -> str:
    value = numeric.parse_number(text) if text else None
    return normalise_prompt(text) if value is None else str(value)


def grouped_answers(seed: Seed, texts: Sequence[str], verifier: Verifier) -> list[str]:
    """The answers of samples that there is no gold for.

    The domain's own verifier decides which are equal: two samples agree if one
    is right by the other's answer. So `1/2` and `0.5` are one answer where the
    domain says so, and a domain of one's own needs nothing more.

    Args:
        seed: what was asked; its answer is not looked at.
        texts: the samples.
        verifier: the domain's.

    Returns:
        For each sample the first spelling of its answer, empty without one.
    """
    known: list[str] = []
    found = []
    for text in texts:
        same = [a for a in known if verifier(replace(seed, answer=a), text).right]
        answer = same[0] if same else _first_reading(seed, text, verifier)
        if answer and not same:
            known.append(answer)
        found.append(answer)
    return found


def _first_reading(seed: Seed, text: str, verifier: Verifier) -> str:
    """A reading of the sample's answer by which the sample itself is right."""
    read = verifier(replace(seed, answer=""), text).extracted.strip(" .")
    stated = exact.stated_answer(visible(text)).strip(" .")
    for answer in dict.fromkeys((read, stated, exact.normalized_answer(stated))):
        if answer and verifier(replace(seed, answer=answer), text).right:
            return answer
    return ""
