"""What the samples of one prompt answer, equal answers under one name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from phi_kit.data.records import Seed, normal
from phi_kit.verifiers import exact, numeric
from phi_kit.verifiers.base import Verifier, visible

if TYPE_CHECKING:
    import pandas as pd

RIGHT = "(right)"  # no answer reads like this: it is what the verifier calls right


def judged(samples: pd.DataFrame) -> list[str]:
    """The answers of samples that were held against a gold.

    Args:
        samples: rows of `asking.ask`.

    Returns:
        `RIGHT` for each right one, however it is written; else the answer that
        was read, numbers in one form; empty where none was read.
    """
    pairs = zip(samples.verdict, samples.extracted, strict=True)
    return [RIGHT if verdict == "right" else _plain(text) for verdict, text in pairs]


def _plain(text: str) -> str:
    value = numeric.parse_number(text) if text else None
    return normal(text) if value is None else str(value)


def unjudged(seed: Seed, texts: Sequence[str], verifier: Verifier) -> list[str]:
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
        answer = same[0] if same else _first(seed, text, verifier)
        if answer and not same:
            known.append(answer)
        found.append(answer)
    return found


def _first(seed: Seed, text: str, verifier: Verifier) -> str:
    """A reading of the sample's answer by which the sample itself is right."""
    read = verifier(replace(seed, answer=""), text).extracted.strip(" .")
    stated = exact.stated_answer(visible(text)).strip(" .")
    for answer in dict.fromkeys((read, stated, exact.normalized_answer(stated))):
        if answer and verifier(replace(seed, answer=answer), text).right:
            return answer
    return ""
