"""Which samples of one prompt say the same: "7" and "It is 7." are one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from phi_kit.data.records import Seed, normalise_prompt
from phi_kit.data.verdict import Verifier
from phi_kit.verifiers import exact
from phi_kit.verifiers.base import visible
from phi_kit.verifiers.math import numeric

from .metrics.scores import majority

if TYPE_CHECKING:
    import pandas as pd

RIGHT = "(right)"  # no answer reads like this: it is what the verifier calls right


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


def voted_answers(
    seed: Seed, samples: pd.DataFrame, verifier: Verifier | None = None
) -> list[str]:
    """What each sample of an item votes for: equal answers are one, however written.

    Right ones are equal to the gold and so to each other. Of the others two are equal
    if the verifier finds one right by the other; where it cannot say (programs), or
    none is given, if they read alike.

    Args:
        seed: the item.
        samples: its rows of `ask`.
        verifier: the domain's.
    """
    votes = judged_answers(samples)
    wrong = [place for place, vote in enumerate(votes) if vote and vote != RIGHT]
    if verifier is None or len(wrong) < 2:
        return votes
    texts = samples.text.tolist()
    grouped = grouped_answers(seed, [texts[place] for place in wrong], verifier)
    for place, answer in zip(wrong, grouped, strict=True):
        votes[place] = answer or votes[place]
    return votes


def majority_is_right(
    seed: Seed, samples: pd.DataFrame, verifier: Verifier | None = None
) -> float:
    """maj@k of one item: 1 if most of its readable answers are the right one, else 0.

    The first seen wins a tie.
    """
    return float(majority(voted_answers(seed, samples, verifier)) == RIGHT)
