"""The bench of step 4: train an arm, ask it the held-out items, keep both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phi_kit.data.records import Seed, from_frame
from phi_kit.stats.comparison import accuracy_over_seeds, gain_over_seeds
from phi_kit.training.arms import (
    OWN,
    epochs_of,
    random_subset,
    responses_of_arm,
    trained_tokens,
)
from phi_kit.training.qlora import TrainingResult, train
from phi_kit.training.trainer import RunHooks
from phi_kit.training.training_config import TrainingConfig

from .ask import (
    ask,
    item_accuracies,
    lenient_accuracy,
    training_rows,
    truncated_share,
)
from .few_shot import FEW_SHOT, choose_examples, fitted, mean_shown

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.core.step_run import StepRun
    from phi_kit.data.sealed_splits import Seal
    from phi_kit.domains.base import Domain
    from phi_kit.inference.local.model import LocalModel
    from phi_kit.plots.learning_curves import LiveCurves

# Rows of the student's own below which that arm says nothing: a batch.
MIN_OWN = 8
# A seed and the response that is trained on.
ResponseRow = tuple[Seed, str]


@dataclass(frozen=True)
class Probe:
    """What one arm (or base) did on the held-out items.

    Attributes:
        samples: every answer, with the training seed it came from.
        items: one accuracy per item, for each training run.
        trained: what each training run cost; base has none.
        examples: before each question, on average; `None` where it is asked plainly.
    """

    samples: pd.DataFrame
    items: list[list[float]]
    trained: list[TrainingResult] = field(default_factory=list)
    examples: float | None = None

    @property
    def mean(self) -> list[float]:
        """One accuracy per item, over the training runs."""
        return [sum(one) / len(one) for one in zip(*self.items, strict=True)]

    @property
    def lenient(self) -> float:
        """Accuracy where the answer may stand anywhere in a response."""
        return lenient_accuracy(self.samples)

    @property
    def truncated(self) -> float:
        """Share of answers that reached the token limit."""
        return truncated_share(self.samples)


@dataclass
class ProbeBench:
    """Everything the arms of one domain have in common."""

    run: StepRun
    student: LocalModel
    domain: Domain
    pool: pd.DataFrame
    responses: pd.DataFrame  # of step 3, the candidates of the pool's seeds
    dev: Sequence[Seed]
    seal: Seal
    how: dict[str, Any]  # how dev was asked in step 1
    guess: list[float]  # the accuracy of guessing on each dev item
    seeds: list[int]  # of training: one run each
    view: LiveCurves
    history: list[pd.DataFrame] = field(default_factory=list)

    def base(self, samples: pd.DataFrame) -> Probe:
        """The untrained model, as step 1 asked it."""
        return Probe(samples, [item_accuracies(samples, self.dev)])

    def few_shot(self, k: int) -> Probe | None:
        """The untrained model with k worked examples before each question.

        Fewer where they do not fit; `None` where not even one does.
        """
        examples = choose_examples(
            self.pool, self.responses, k=k, rng_seed=self.run.params.rng_seed
        )
        limit = self.how["sampling"].max_tokens
        examples = fitted(
            examples, self.student, self.domain, self.dev, max_tokens=limit
        )
        if not (shown := mean_shown(self.dev, examples)):
            return None
        asked = {**self.how, "label": FEW_SHOT, "examples": examples}
        probe = self.base(ask(self.student, self.domain, self.dev, **asked))
        return replace(probe, examples=shown)

    def fillable(self, arms: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """The arms that have rows, and why the others are skipped."""
        skipped = {}
        for arm in arms:
            rows = len(self._rows(arm))
            if not rows:
                skipped[arm] = "no rows"
            elif (
                arm == "random" and rows and self._rows(arm) == self._rows("teachable")
            ):
                skipped[arm] = "the teachable rows: the filter had nothing to drop"
            elif arm == OWN and rows < MIN_OWN:
                skipped[arm] = f"only {rows} right responses of the student's own"
            elif (
                arm == "teachable+frontier"
                and not (
                    (self.pool.tier == "frontier") & (self.pool.responses > 0)
                ).any()
            ):
                skipped[arm] = "no frontier rows"
        return [arm for arm in arms if arm not in skipped], skipped

    def budget(self, arm: str, recipe: TrainingConfig) -> int | None:
        """Trained tokens of an arm's whole run, for the others to see as many."""
        rows = self._rows(arm)
        if not rows:
            return None
        epochs = epochs_of([seed for seed, _ in rows], recipe, names=self._names)
        rendered = training_rows(self.student, self.domain, rows)
        return trained_tokens(
            self.student, rendered, epochs, most=recipe.max_row_tokens
        )

    def probe(
        self, arm: str, recipe: TrainingConfig, *, budget: int | None = None
    ) -> Probe:
        """Train an arm once per training seed; adapters go into the run folder."""
        rows = self._rows(arm)
        found = [
            self._once(
                self.run.folder(f"adapters/{name}"), rows, recipe, seed, budget=budget
            )
            for seed, name in zip(self.seeds, self._named(arm), strict=True)
        ]
        return self._joined(found)

    def tried(
        self,
        name: str,
        arm: str,
        recipe: TrainingConfig,
        *,
        share: float = 1.0,
        budget: int | None = None,
        runs: int | None = None,
    ) -> Probe:
        """The same for a trial whose adapters nobody needs afterwards.

        Args:
            name: of the trial.
            arm: whose rows.
            recipe: how they are trained on.
            share: of the arm's rows; a smaller one lies within a larger one.
            budget: trained tokens of the whole arm, where it has one; a part of its
                rows sees the same part of it, so that each row is seen as often.
            runs: training seeds to spend on it; all if not given.
        """
        rows = random_subset(self._rows(arm), share, rng_seed=self.run.params.rng_seed)
        pairs = list(zip(self.seeds, self._named(name), strict=True))[:runs]
        found = [
            self._once(
                self.run.work / "trials" / one,
                rows,
                recipe,
                seed,
                budget=budget and round(share * budget),
            )
            for seed, one in pairs
        ]
        return self._joined(found)

    def table(self) -> pd.DataFrame:
        """One row per optimiser step of every run so far."""
        import pandas as pd

        return pd.concat(self.history, ignore_index=True)

    @cached_property
    def _seeds_by_id(self) -> dict[str, Seed]:
        return {seed.id: seed for seed in from_frame(self.pool)}

    def _rows(self, arm: str) -> list[ResponseRow]:
        pairs = responses_of_arm(self.pool, self.responses, arm)
        return [(self._seeds_by_id[name], text) for name, text in pairs]

    @property
    def _names(self) -> list[str]:
        return [*self.pool.family, *self.pool.source]

    def _named(self, name: str) -> list[str]:
        """The first training seed's run has the plain name."""
        return [f"{name}@{seed}" if i else name for i, seed in enumerate(self.seeds)]

    def _once(
        self,
        out: Path,
        rows: list[ResponseRow],
        recipe: TrainingConfig,
        rng_seed: int,
        *,
        budget: int | None = None,
    ) -> tuple[pd.DataFrame, TrainingResult]:
        import pandas as pd

        done = train(
            self.student,
            training_rows(self.student, self.domain, rows),
            recipe,
            out=out,
            rng_seed=rng_seed,
            sealed=self.seal.hit,
            epochs=epochs_of([seed for seed, _ in rows], recipe, names=self._names),
            budget=budget,
            hooks=RunHooks(
                self.run.work, self.run.logs, self.view.watch(out.name), self._heldout
            ),
        )
        history = pd.DataFrame(done.history)
        self.history.append(history.assign(arm=out.name, train_seed=rng_seed))
        with self.student.adapter(out) as tuned:
            samples = ask(tuned, self.domain, self.dev, **self.how, label=out.name)
        return samples.assign(train_seed=rng_seed), done

    def _heldout(self, student: LocalModel) -> float:
        label = "held out, in the midst of training"
        samples = ask(student, self.domain, self.dev, **self.how, label=label)
        return sum(item_accuracies(samples, self.dev)) / len(self.dev)

    def _joined(self, found: list[tuple[pd.DataFrame, TrainingResult]]) -> Probe:
        import pandas as pd

        return Probe(
            pd.concat([samples for samples, _ in found], ignore_index=True),
            [item_accuracies(samples, self.dev) for samples, _ in found],
            [done for _, done in found],
        )


def dose_table(
    arm: str, base: Probe, parts: dict[float, Probe], *, rng_seed: int
) -> list[dict[str, Any]]:
    """One row per dose: rows, accuracy, paired gain over base."""
    rows = []
    for share, probe in parts.items():
        over = gain_over_seeds(base.items, probe.items, rng_seed=rng_seed)
        rows.append(
            {
                "arm": arm,
                "share": share,
                "rows": probe.trained[0].rows,
                **accuracy_over_seeds(probe.items, rng_seed=rng_seed).as_dict(),
                "delta": over.delta,
                "delta_low": over.low,
                "delta_high": over.high,
            }
        )
    return rows
