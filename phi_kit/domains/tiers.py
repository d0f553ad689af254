"""Which tier a seed belongs to, and why it is distrusted.

Below the band a seed is `frontier`, in it `teachable`, above it `easy`. `suspect`
are the seeds whose answer is in doubt, or that nobody could judge. Every edge and
threshold is the kit's own choice; the report publishes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from phi_kit.data.records import Seed

from .votes import RIGHT

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

BY_PLACE = ("frontier", "teachable", "easy")
# A student that gives one wrong answer nearly always doubts the gold, if it was
# asked at least so often.
ONE_ANSWER, FEWEST = 0.9, 4


def by_student(rows: pd.DataFrame, place: np.ndarray, seeds: Sequence[Seed]):
    """Tier and reason of each seed that the student was asked.

    Returns:
        Two lists; a reason is empty unless the seed is `suspect`.
    """
    whys = [_doubted(row, s) for row, s in zip(rows.itertuples(), seeds, strict=True)]
    tiers = [
        "suspect" if why else BY_PLACE[at] for why, at in zip(whys, place, strict=True)
    ]
    return tiers, whys


def _doubted(row, seed: Seed) -> str:
    if row.pass_rate != row.pass_rate:
        return "no sample could be judged"
    # An answer that a program computed is not in doubt, whatever a model says.
    agreed = row.share >= ONE_ANSWER and row.n >= FEWEST and not seed.generated
    if agreed and row.plurality not in ("", RIGHT):
        return f"the student answers {row.plurality!r}, not the gold"
    return ""
