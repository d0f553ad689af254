"""Worked solutions of the built-in families, correct by construction.

Each family has a function from a seed to the text of a few steps and the marked
answer. It is worked out from what was asked; where that is not the gold, there is no
solution. Where many answers are right, or the way to one is a search without a short
path (countdown, queens, hanoi, a sequence's rule, a cipher's shift, code to write),
the item's own is taken and shown to fit.
"""

from __future__ import annotations

from collections.abc import Mapping

from phi_kit.data.records import Seed

from . import algebra, arithmetic, grids, letters, logic, programs, science, topics
from .text import ANSWER, Form, Work

FAMILIES: Mapping[str, Mapping[str, Work]] = {
    "math": {**arithmetic.FAMILIES, **algebra.FAMILIES},
    "coding": programs.FAMILIES,
    "puzzles": {**letters.FAMILIES, **logic.FAMILIES, **grids.FAMILIES},
    "stem": science.FAMILIES,
    "safety": topics.FAMILIES,
}
__all__ = ["ANSWER", "FAMILIES", "Form", "Work", "worked"]


def worked(seed: Seed, form: Form = "short") -> str | None:
    """The worked solution of a seed: steps, then the answer behind `ANSWER`.

    Args:
        seed: an item of a built-in family, or a variant of one.
        form: `short`, the least that leaves no step out, or `long`.

    Returns:
        `None` where the seed's family has no worked solution, where its prompt is
        not the family's own, or where the steps do not arrive at its gold.
    """
    work = FAMILIES.get(seed.domain, {}).get(seed.family)
    return work(seed, form) if work else None
