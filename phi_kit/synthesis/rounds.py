"""Rounds of synthesis: the current student says what is made next, dev when to stop.

Selecting again by the student as it is now beats one shot at the same budget (arXiv
2512.00884). After a round a fresh adapter is trained on the mix so far; with it the
student answers the dev items, and its seeds. Those that it does not master yet, by
their posterior pass rates, are what the next round rewrites.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phi_kit.data.dropped_rows import Reason
from phi_kit.data.records import Seed
from phi_kit.evaluation.ask import (
    ask,
    base_answers,
    item_accuracies,
    step_sampling,
    training_rows,
)
from phi_kit.selection.pass_rate_posterior import fit_prior
from phi_kit.selection.pass_rate_sampling import count_outcomes
from phi_kit.selection.tiers import HIGH, assign_tiers
from phi_kit.stats.comparison import Gain, paired_gain
from phi_kit.stats.intervals import accuracy
from phi_kit.training.arms import epochs_of
from phi_kit.training.qlora import train
from phi_kit.training.trainer import RunHooks
from phi_kit.training.training_config import TrainingConfig

from .gates import Gate, MixRow, Passed

if TYPE_CHECKING:
    from phi_kit.core.finished_run import RunFolder
    from phi_kit.core.step_run import StepRun
    from phi_kit.domains.base import Domain
    from phi_kit.inference.local.model import LocalModel
    from phi_kit.training.row_checks import SealLookup

# Why a further round is made, or none.
GOES_ON = "dev rises: what the student does not master yet is rewritten again"
NO_RISE = "dev no longer rises"
FELL = "dev fell: the rows of this round are left out"
MASTERED = "nothing is left that the student does not master"
LAST = "the last round: step 6 trains on its rows"


@dataclass(frozen=True)
class ProbedStudent:
    """What the student did after training on the mix so far.

    Attributes:
        items: its accuracy on each dev item.
        unmastered: the seeds that it does not master yet.
    """

    items: list[float]
    unmastered: list[Seed]


@dataclass
class RoundBench:
    """All that the probes of the rounds have in common.

    Attributes:
        run: the step.
        student: the untrained one.
        domain: in the study's style.
        sealed: what training may not contain; a seal's `hit`.
        recipe: of step 4.
        card: step 1, which says how dev is asked.
        dev: the held-out items.
        edge: the parameters of step 3: its band, and how the student was asked.
        samples: that each seed is asked.
    """

    run: StepRun
    student: LocalModel
    domain: Domain
    sealed: SealLookup
    recipe: TrainingConfig
    card: RunFolder
    dev: Sequence[Seed]
    edge: Mapping[str, Any]
    samples: int

    def base(self) -> list[float]:
        """The accuracy of the untrained student on each dev item."""
        answers = base_answers(self.card, self.student, self.domain, self.dev)
        return item_accuracies(answers, self.dev)

    def probe(
        self, number: int, rows: Sequence[tuple[Seed, str]], seeds: Sequence[Seed]
    ) -> ProbedStudent:
        """Train on the rows, ask dev, and ask the seeds afresh.

        Args:
            number: of the round.
            rows: the mix so far: seeds with the responses that they teach.
            seeds: among which the next round chooses.
        """
        name, work = f"round-{number}", self.run.work
        folder = work / "rounds" / name
        train(
            self.student,
            training_rows(self.student, self.domain, rows),
            self.recipe,
            out=folder,
            rng_seed=self.run.params.rng_seed,
            sealed=self.sealed,
            epochs=epochs_of([seed for seed, _ in rows], self.recipe, names=[]),
            hooks=RunHooks(work, self.run.logs),
        )
        how = step_sampling(self.card.manifest["params"], self.domain)
        with self.student.adapter(folder) as tuned:
            answers = ask(tuned, self.domain, self.dev, **how, label=name)
            again = ask(
                tuned,
                self.domain,
                seeds,
                sampling=self.domain.sampling(
                    self.edge["max_tokens"], self.edge["temperature"]
                ),
                k=self.samples,
                rng_seed=self.run.params.rng_seed,
                label=f"{name} seeds",
            )
        band = (self.edge["band_low"], self.edge["band_high"])
        return ProbedStudent(
            item_accuracies(answers, self.dev), unmastered(again, seeds, band)
        )


def unmastered(
    samples: Any, seeds: Sequence[Seed], band: tuple[float, float]
) -> list[Seed]:
    """The seeds whose posterior pass rate does not lie above the band.

    What is never solved is among them: each has a right response to learn from.

    Args:
        samples: of the current student, as `ask` returns them.
        seeds: that were asked.
        band: the edges of step 3's band.
    """
    # A truncated sample counts as not solved: it would not be finished on dev either.
    counts = count_outcomes(samples, seeds, truncated_correct_rate=0.0)
    prior = fit_prior(counts, [seed.family for seed in seeds])
    places, _ = assign_tiers(counts, band, prior=prior)
    return [seed for seed, at in zip(seeds, places, strict=True) if at != HIGH]


@dataclass(frozen=True)
class JudgedRound:
    """A round's place on dev, and what follows from it.

    Attributes:
        said: why there is a further round, or none.
        over: the paired gain over the round before, or over base.
        items: one accuracy per dev item.
        next_seeds: what the next round rewrites; none where there is none.
    """

    said: str
    over: Gain
    items: Sequence[float]
    next_seeds: Sequence[Seed]

    def as_dict(self, *, rng_seed: int) -> dict[str, Any]:
        """For a manifest."""
        scored = accuracy(self.items, rng_seed=rng_seed).as_dict()
        over = {"delta": self.over.delta, "verdict": self.over.verdict}
        over |= {"delta_low": self.over.low, "delta_high": self.over.high}
        return {**scored, **over, "next": len(self.next_seeds), "said": self.said}


def judge(
    before: Sequence[float], probed: ProbedStudent, *, first: bool, rng_seed: int
) -> JudgedRound:
    """Whether a further round is worth making.

    It is while the interval of dev's paired gain lies above zero. A round after which
    dev fell is taken back, but the first: it is measured against no rows at all.

    Args:
        before: dev's accuracies after the round before; before the first, of base.
        probed: the student after this one.
        first: whether it is the first round.
        rng_seed: the resampling is repeatable.
    """
    over = paired_gain(before, probed.items, rng_seed=rng_seed)
    if over.verdict == "better":
        said = GOES_ON if probed.unmastered else MASTERED
    else:
        said = FELL if over.verdict == "worse" and not first else NO_RISE
    chosen = probed.unmastered if said == GOES_ON else []
    return JudgedRound(said, over, probed.items, chosen)


def taught(
    organic: Sequence[tuple[Seed, str]], made: Sequence[MixRow]
) -> list[tuple[Seed, str]]:
    """The mix so far, as it is trained on."""
    return [*organic, *((row.seed, row.completion) for row in made)]


def taking_back(first: int) -> Gate:
    """The gate that drops the rows of the last round.

    Args:
        first: how many rows the rounds before it left.
    """

    def gate(rows: Sequence[MixRow]) -> Passed:
        fell = Reason("dev fell after its round")
        return list(rows[:first]), [(row, fell) for row in rows[first:]]

    return gate
