"""Which tier a seed belongs to, and why it is distrusted.

Below the band a seed is `frontier`, in it `teachable`, above it `easy`. `suspect`
are the seeds whose answer is in doubt, or that nobody could judge. Every edge and
threshold is a kit default; the report publishes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from phi_kit.core.errors import DataError
from phi_kit.data.records import Seed
from phi_kit.evaluation.equal_answers import RIGHT
from phi_kit.training.arms import TeachableRule

from .pass_rate_posterior import Counts, Prior

if TYPE_CHECKING:
    import pandas as pd

# Teachable rows below which step 3 refuses: one batch of a training run.
MIN_TEACHABLE = 8
TIER_NAMES = ("frontier", "teachable", "easy")
LOW, INSIDE, HIGH = range(3)  # below the band, in it, above it
PLACES = ("below", "inside", "above")
SUSPECT = "suspect"  # tier of a seed whose answer is in doubt
# Tier of a seed that would be teachable if anybody had a right response to it.
NO_RESPONSE = "no response"
# What helps where responses are lacking.
MORE_RESPONSES = "name a teacher, or sources that bring worked solutions"
# A student that gives one wrong answer nearly always doubts the gold, if it was
# asked at least so often.
SUSPECT_SHARE, SUSPECT_SAMPLES = 0.9, 4
FORM_FAILS = 0.1


def tier_probabilities(
    counts: Counts, band: tuple[float, float], *, prior: Prior
) -> np.ndarray:
    """Probability that a pass rate lies below, in and above the band.

    Args:
        counts: the samples.
        band: its edges; the lower one belongs to it, the upper one does not.
        prior: what is known before the first sample.

    Returns:
        Shape (seeds, 3); rows add up to 1.
    """
    from scipy.special import betainc

    right, wrong = counts.filled
    below, under = (betainc(prior.a + right, prior.b + wrong, edge) for edge in band)
    return np.stack([below, under - below, 1 - under], axis=1)


def assign_tiers(
    counts: Counts, band: tuple[float, float], *, prior: Prior
) -> tuple[np.ndarray, np.ndarray]:
    """Each seed's likeliest place and the risk that it is another one.

    Returns:
        Places (`LOW`, `INSIDE` or `HIGH`) and risks, each of shape (seeds,).
        A risk is one minus the place's probability; the mean over a tier is
        the share of it that is expected to lie elsewhere.
    """
    found = tier_probabilities(counts, band, prior=prior)
    places = found.argmax(axis=1)
    return places, 1 - found[np.arange(len(found)), places]


def assign_by_student(rows: pd.DataFrame, place: np.ndarray, seeds: Sequence[Seed]):
    """Tier and reason of each seed that the student was asked.

    Returns:
        Two lists; a reason is empty unless the seed is `suspect`.
    """
    whys = [
        _suspect_reason(row, s) for row, s in zip(rows.itertuples(), seeds, strict=True)
    ]
    tiers = [
        SUSPECT if why else TIER_NAMES[at] for why, at in zip(whys, place, strict=True)
    ]
    return tiers, whys


def assign_by_response(rows: pd.DataFrame, rule: TeachableRule) -> pd.Series:
    """The tiers once it is known which seeds have a response to learn from.

    `gap`: a seed is teachable if the student does not already solve it and a checked
    response shows how; the report looks for such a gap between a strong model and the
    student (arXiv 2504.21318, section 2). What the student never solves is not
    hopeless then. `band` keeps only what it solves sometimes, the two-sided rule of
    arXiv 2412.08905. Without a response a seed cannot be taught by either.

    Args:
        rows: `tier`, as the student's pass rate has it, and `responses`, a count.
        rule: which of the two.
    """
    wanted = ["teachable", "frontier"] if rule == "gap" else ["teachable"]
    candidate, taught = rows.tier.isin(wanted), rows.responses > 0
    tier = rows.tier.mask(candidate & taught, "teachable")
    return tier.mask((rows.tier == "teachable") & ~taught, NO_RESPONSE)


def first_rows(teachable: pd.DataFrame, wanted: int) -> pd.Index:
    """So many of the teachable rows: the highest priority first.

    Among equals those below the band and those in it are taken in proportion: a pass
    rate is surest where the student never solves a seed, so the surest rows of all
    would be those alone. Within each of the two the surest come first.

    Args:
        teachable: `priority` (NaN where nobody graded them), `place` and `risk`.
        wanted: how many.
    """
    surest = teachable.sort_values("risk", kind="stable")
    equals = surest.groupby(["priority", "place"], dropna=False)
    turn = (equals.cumcount() + 0.5) / equals.risk.transform("size")
    order = surest.assign(turn=turn).sort_values(
        ["priority", "turn"], ascending=[False, True], kind="stable"
    )
    return order.index[:wanted]


def no_teachable_error(rows: pd.DataFrame, samples: pd.DataFrame) -> DataError:
    """Why step 3 stops: too hard, too easy, no response to learn from, or the form.

    Args:
        rows: of the seeds, with `tier` and `responses`.
        samples: of the student, with both readings.
    """
    if lacking := _lacking_response(rows):
        return DataError(
            f"no seed is teachable: nobody has a right response to {lacking} that the "
            f"student does not solve yet: {rows.tier.value_counts().to_dict()}",
            todo=MORE_RESPONSES,
        )
    strict = (samples.verdict == "right").mean()
    lenient = (samples.lenient == "right").mean()
    # Twice as many leniently, and a tenth at least (kit default).
    if lenient >= FORM_FAILS and lenient >= 2 * strict:
        return DataError(
            f"no seed is teachable: {strict:.0%} of the samples are right strictly; "
            f"{lenient:.0%} contain the gold: the form fails",
            todo="use the verifier `contains` if the model may answer in sentences, "
            "or ask for the bare answer in `instruction`",
        )
    return DataError(
        f"no seed is teachable: {rows.tier.value_counts().to_dict()} "
        f"({strict:.0%} of the samples are right strictly, {lenient:.0%} leniently)",
        todo="collect easier or harder seeds (look at step 1's figure), "
        "or draw more samples",
    )


def too_few_error(rows: pd.DataFrame) -> DataError:
    """Why step 3 stops: what so few rows would teach, nothing could measure."""
    count = int((rows.tier == "teachable").sum())
    todo = "collect more seeds, or others: look at step 1's figure for families "
    todo += "between the dotted line and the top"
    if lacking := _lacking_response(rows):
        todo += f"; nobody has a right response to {lacking}: {MORE_RESPONSES}"
    return DataError(
        f"only {count} of {len(rows)} seeds are teachable, and a training run on fewer "
        f"than {MIN_TEACHABLE} says nothing: {rows.tier.value_counts().to_dict()}",
        todo=todo,
    )


def _lacking_response(rows: pd.DataFrame) -> int:
    """How many seeds are not solved yet and have nobody's response to learn from."""
    unsolved = rows.tier.isin([NO_RESPONSE, TIER_NAMES[LOW]])
    return int((unsolved & (rows.responses == 0)).sum())


def never_solved_note(rows: pd.DataFrame) -> str:
    """How many seeds in the band were never seen solved, and why; or nothing.

    A seed whose samples were cut off may have been on its way to the answer. That it
    lies in the band then rests on how the cut-off samples of others went on.
    """
    inside = rows[(rows.tier == "teachable") & (rows.place == PLACES[INSIDE])]
    hidden = inside[inside.right == 0]
    if hidden.empty:
        return ""
    return (
        f"{len(hidden)} of {len(inside)} seeds in the band were never seen solved: "
        f"{int(hidden.cut.sum())} of their {int(hidden.n.sum())} samples were cut off "
        "at the token limit, and count as right as often as finished ones of their "
        "family turned out to be. A higher max_tokens would show it."
    )


def _suspect_reason(row, seed: Seed) -> str:
    if row.pass_rate != row.pass_rate:
        return "no sample could be judged"
    # An answer that a program computed is not in doubt, whatever a model says.
    agreed = (
        row.share >= SUSPECT_SHARE and row.n >= SUSPECT_SAMPLES and not seed.generated
    )
    if agreed and row.plurality not in ("", RIGHT):
        return f"the student answers {row.plurality!r}, not the gold"
    return ""
