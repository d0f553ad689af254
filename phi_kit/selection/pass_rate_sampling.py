"""Measuring how often a student solves each seed, with as few samples as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.evaluation.ask import ask
from phi_kit.evaluation.equal_answers import judged_answers
from phi_kit.inference.types import SamplingParams
from phi_kit.stats.intervals import wilson_interval

from .adaptive_sampling import AdaptiveResult, SamplingPlan, sample_adaptively
from .pass_rate_posterior import Counts, credible_interval
from .voting import mean_of_known, vote

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.domains.base import Domain
    from phi_kit.inference.types import Sampler

LABEL, FRESH_LABEL = "student on seeds", "student on seeds, afresh"
# To learn what cut-off samples turn into, some are finished with more tokens. How
# many, how far, and how much a family's share leans on all families' (as so many
# samples) are kit defaults.
CONTINUED, CONTINUE_FACTOR, POOLING_WEIGHT = 32, 4, 4


def outcomes(samples: pd.DataFrame) -> np.ndarray:
    """`right`, `wrong`, `cut` (off at the limit, not right) or `unknown`, each."""
    right, cut = samples.verdict == "right", samples.finish == "length"
    return np.select(
        [right, cut, samples.verdict == "unknown"],
        ["right", "cut", "unknown"],
        default="wrong",
    )


def count_outcomes(
    samples: pd.DataFrame,
    seeds: Sequence[Seed],
    *,
    truncated_correct_rate: np.ndarray | float = float("nan"),
) -> Counts:
    """The samples of each seed by outcome, in the seeds' order."""
    import pandas as pd

    table = pd.crosstab(samples.seed_id, outcomes(samples)).reindex(
        index=[seed.id for seed in seeds],
        columns=["right", "wrong", "cut", "unknown"],
        fill_value=0,
    )
    return Counts(*table.to_numpy().T, truncated_correct_rate=truncated_correct_rate)


class PassRateSampler:
    """The student, asked seed by seed as often as `sample_adaptively` wants.

    `samples` are all samples so far; `finished` are the cut-off ones that were
    given more tokens, none of which counts for its seed.
    """

    def __init__(
        self,
        student: Sampler,
        domain: Domain,
        seeds: Sequence[Seed],
        *,
        sampling: SamplingParams,
        rng_seed: int,
    ):
        import pandas as pd

        self.student, self.domain, self.seeds = student, domain, seeds
        self.sampling, self.rng_seed = sampling, rng_seed
        self.samples = self.finished = pd.DataFrame()
        self.rounds, self.likely = 0, 1  # of the adaptive sampling, for its title
        self.have = np.zeros(len(seeds), int)

    def run(self, plan: SamplingPlan) -> AdaptiveResult:
        """Screen all seeds, draw on where it pays."""
        families = [seed.family for seed in self.seeds]
        self.likely = len(plan.sample_schedule)
        return sample_adaptively(self.draw, len(self.seeds), plan, families=families)

    def draw(self, totals: np.ndarray) -> Counts:
        """The outcomes of each seed's first so many samples; asks what is missing."""
        import pandas as pd

        lacking = np.flatnonzero(totals > self.have)
        self.rounds += 1
        new = self._ask(
            [self.seeds[i] for i in lacking],
            k=totals[lacking].tolist(),
            known=self.have[lacking].tolist(),
            title=f"{self.domain.name} seeds, round {self.rounds} of about "
            f"{max(self.likely, self.rounds)}",
        )
        first = self.samples.empty
        self.samples = pd.concat([self.samples, new], ignore_index=True)
        self.have = totals.copy()
        if first:
            self.finished = self._finish()
        return count_outcomes(
            self.samples,
            self.seeds,
            truncated_correct_rate=self.truncated_correct_rate(self.seeds),
        )

    def truncated_correct_rate(self, seeds: Sequence[Seed]) -> np.ndarray | float:
        """Share of each seed's cut-off samples that turns right when finished.

        Families differ in it, so each has its own, drawn towards the share of all
        (a posterior mean under Jeffreys' prior). NaN if none was finished.
        """
        if self.finished.empty:
            return float("nan")
        right = self.finished.verdict == "right"
        overall = (right.sum() + 0.5) / (len(right) + 1)
        families = right.groupby(self.finished.family).agg(["sum", "count"])
        shares = (families["sum"] + POOLING_WEIGHT * overall) / (
            families["count"] + POOLING_WEIGHT
        )
        return np.array([shares.get(seed.family, overall) for seed in seeds])

    def truncation_summary(self) -> dict[str, float]:
        """How many samples were cut off and, of some, what they turned into."""
        cut = outcomes(self.samples) == "cut"
        right = 0
        if len(self.finished):
            right = int((self.finished.verdict == "right").sum())
        low, high = wilson_interval(right, len(self.finished))
        return {
            "share": round(float(cut.mean()), 4),
            "finished": len(self.finished),
            "right": right,
            "low": low,
            "high": high,
        }

    def _finish(self) -> pd.DataFrame:
        """The first sample of some seeds where it was cut off, with more tokens."""
        first = self.samples[self.samples["sample"] == 0]
        cut = first[outcomes(first) == "cut"]
        order = rng(self.rng_seed, "finish", self.domain.name).permutation(len(cut))
        cut = cut.iloc[order]
        # Families take turns, so that each has its share of them.
        turns = cut.groupby("family").cumcount().sort_values(kind="stable")
        ids = set(cut.seed_id[turns.index[:CONTINUED]])
        chosen = [seed for seed in self.seeds if seed.id in ids]
        if not chosen:
            return self.samples.head(0)
        # The same stream, so the same sample, which now goes on.
        longer = SamplingParams(
            CONTINUE_FACTOR * self.sampling.max_tokens, self.sampling.temperature
        )
        title = f"{self.domain.name} seeds that were cut off, finished"
        return self._ask(chosen, k=1, sampling=longer, title=title)

    def _ask(self, seeds: Sequence[Seed], **how) -> pd.DataFrame:
        return ask(
            self.student,
            self.domain,
            seeds,
            **{"sampling": self.sampling, "label": LABEL, **how},
            rng_seed=self.rng_seed,
        )

    def fresh_pass_rates(
        self, seeds: Sequence[Seed], *, k: int
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """New samples of chosen seeds, from streams that chose none of them.

        Returns:
            By seed id `fresh_right`, `fresh_n` and `fresh_rate`; and the samples.
        """
        import pandas as pd

        title = f"{self.domain.name}: the teachable seeds, asked afresh"
        samples = self._ask(seeds, k=k, label=FRESH_LABEL, title=title)
        counts = count_outcomes(
            samples, seeds, truncated_correct_rate=self.truncated_correct_rate(seeds)
        )
        values = {
            "fresh_right": counts.right,
            "fresh_n": counts.n,
            "fresh_rate": counts.rate,
        }
        return pd.DataFrame(values, index=[seed.id for seed in seeds]), samples

    def rating_table(self, found: AdaptiveResult) -> pd.DataFrame:
        """One row per seed, by its id: counts, pass rate, intervals, risk, agreement.

        `low` and `high` are the 95 % credible interval (Jeffreys), censored samples
        spanned; `least` and `most` the share of right with all of them wrong or
        right; `expected` is the posterior mean under the pool's prior.
        """
        import pandas as pd

        counts = found.counts
        low, high = credible_interval(counts)
        least, most = counts.bounds
        columns = {
            "right": counts.right,
            "wrong": counts.wrong,
            "cut": counts.truncated,
            "unknown": counts.unknown,
            "n": counts.n,
            "pass_rate": counts.rate,
            "expected": found.prior.mean(counts),
            "prior_a": found.prior.a,
            "prior_b": found.prior.b,
            "low": low,
            "high": high,
            "least": least,
            "most": most,
            "risk": found.risk,
            "doubt": found.doubt,
        }
        table = pd.DataFrame(columns, index=[seed.id for seed in self.seeds])
        return table.join(vote_table(self.samples, self.seeds))


def vote_table(samples: pd.DataFrame, seeds: Sequence[Seed]) -> pd.DataFrame:
    """How far each seed's samples agree, and how likely the model found them."""
    import pandas as pd

    votes = samples.assign(answer=judged_answers(samples)).groupby("seed_id")
    rows = []
    for seed in seeds:
        mine = votes.get_group(seed.id)
        found = vote(mine.answer.tolist())
        rows.append(
            {
                "plurality": found.answer,
                "share": found.share,
                "margin": found.margin,
                "entropy": found.entropy,
                "logprob": mean_of_known(mine.logprob),
            }
        )
    return pd.DataFrame(rows, index=[seed.id for seed in seeds])
