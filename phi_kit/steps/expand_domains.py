"""Step 6: do domains tuned alone keep their gains when merged?

Reads every domain's frozen data set and sealed dev set. Writes an adapter per
domain, one trained once on all of them concatenated (the additive property is
about data, not about adding adapters), and how each does on each domain. On the side,
if asked: the domains one after another, adapters added up without training, whether
such sums foretell mixes, and each domain's organic rows alone. With it dev is finished:
the rule of step 7's decision is locked in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Self

import pandas as pd
from pydantic import Field, field_validator, model_validator

from phi_kit.core import step_table
from phi_kit.core.errors import DataError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.row_counts import RowCounts
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step
from phi_kit.data import dropped_rows, records
from phi_kit.data.records import Seed, from_frame
from phi_kit.data.row_filters import sealed_reason
from phi_kit.data.sealed_splits import Seal, unseal
from phi_kit.domains import all_known
from phi_kit.domains import of as domain_of
from phi_kit.evaluation import guessing_baseline
from phi_kit.evaluation.adapter_matrix import (
    GUESS,
    ItemAccuracies,
    compare_adapters,
    item_table,
)
from phi_kit.evaluation.adapter_plan import (
    PlannedAdapter,
    adapter_plan,
    final_adapters,
    training_plan,
)
from phi_kit.evaluation.additivity import foresight, interference, retention
from phi_kit.evaluation.ask import (
    ask,
    base_answers,
    item_accuracies,
    step_sampling,
    training_rows,
)
from phi_kit.evaluation.decision import MARGIN, Rule
from phi_kit.evaluation.mix_forecast import MixTrials, forecast_mixes, mix_table
from phi_kit.evaluation.organic_control import (
    clashing_names,
    mix_over_organic,
)
from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.models.adapter_merge import Combination, merge_adapters
from phi_kit.plots import interference_matrix, learning_curves, mix_curve
from phi_kit.training import training_config as recipes
from phi_kit.training.arms import epochs_of, trained_tokens
from phi_kit.training.data_order import phases_in_turn
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.model_card import add_accuracy
from phi_kit.training.qlora import TrainingResult, train
from phi_kit.training.trainer import RunHooks
from phi_kit.training.training_config import TrainingConfig

__all__ = ["Params", "adapter_plan", "final_adapters", "run", "training_plan"]


class Params(TrainingConfig, StepParams):
    """Which domains, and the recipe of the longer run.

    With `recipe: best` what decides the outcome is what each domain's probe chose
    in step 4; the merged run takes the larger rank and the mean learning rate.
    """

    STEP: ClassVar[Step] = step_table.EXPAND_DOMAINS
    SEALED: ClassVar[tuple[str, ...]] = ("dev",)
    WEIGHTS: ClassVar[bool] = True

    domains: list[str] = Field(["math", "puzzles"], min_length=1)
    # About three times the rows of a probe: as many steps (kit default).
    epochs: int = Field(1, ge=1)
    recipe: Literal["own", "best"] = "own"
    train_seeds: list[int] = Field([])  # of the merged adapter; none: `rng_seed`
    equal_tokens: bool = False  # adapters of one domain see as many as the merged one
    domain_tokens: int = Field(0, ge=0)  # that those see instead; 0: by epochs
    sequence: bool = False  # also the domains one after another, at the same tokens
    replay: float = Field(0.0, ge=0, lt=1)  # share of earlier rows seen again there
    organic_alone: bool = False  # also organic rows alone, at the mix's tokens
    merges: list[Combination] = Field([])  # also the adapters added up, untrained
    # Whether weighted sums foretell trained mixes: shares to train, {trained: [...]}.
    predict_mix: MixTrials = Field(MixTrials())
    margin: float = Field(MARGIN, gt=0, lt=1)  # what counts as equal, and as no loss
    primary: str = ""  # the domain whose gain decides; empty: the mean of all

    _known = field_validator("domains")(all_known)

    @model_validator(mode="after")
    def _decidable(self) -> Self:
        if self.primary and self.primary not in self.domains:
            raise ValueError(
                f"primary: '{self.primary}' is none of {', '.join(self.domains)}"
            )
        if self.organic_alone and (found := clashing_names(self.domains)):
            raise ValueError(f"domains: '{found[0]}' is what organic rows alone are")
        if len(set(self.train_seeds)) < len(self.train_seeds):
            raise ValueError("train_seeds: names one twice")
        if self.domain_tokens and self.equal_tokens:
            raise ValueError("domain_tokens and equal_tokens exclude each other")
        if self.replay and not self.sequence:
            raise ValueError("replay needs sequence: what is mixed has none")
        if self.predict_mix and len(self.domains) != 2:
            raise ValueError(f"predict_mix is of two domains, not {len(self.domains)}")
        if self.predict_mix and not self.equal_tokens:
            raise ValueError(
                "predict_mix needs equal_tokens: the ends of a mix are adapters that "
                "saw as much as it did"
            )
        return self

    @property
    def rule(self) -> Rule:
        """What step 7 will decide by."""
        return Rule(self.margin, self.primary)

    def external_digests(self) -> dict[str, str]:
        """The model's weights."""
        return {"model": completion.model_fingerprint(self.model)}


@dataclass(frozen=True)
class TrainingPart:
    """A domain's rows, how often each is seen, and the recipe they call for.

    `made` are the places of those that are not organic.
    """

    rows: list[TrainingRow]
    epochs: list[float]
    recipe: TrainingConfig
    made: frozenset[int] = frozenset()

    def organic(self) -> TrainingPart:
        """The organic rows alone."""
        kept = [place for place in range(len(self.rows)) if place not in self.made]
        rows, epochs = ([one[i] for i in kept] for one in (self.rows, self.epochs))
        return TrainingPart(rows, epochs, self.recipe)


@dataclass(frozen=True)
class ExpansionBench:
    """What all adapters of the step have in common, and what was said so far."""

    run: StepRun
    student: LocalModel
    cards: dict[str, RunFolder]
    dev: dict[str, list[Seed]]
    seal: Seal
    parts: dict[str, TrainingPart]
    view: learning_curves.LiveCurves
    said: list[pd.DataFrame] = field(default_factory=list)

    def folder(self, adapter: str) -> Path:
        """Where an adapter lies."""
        return self.run.folder(f"adapters/{adapter}")

    def scores(
        self, student: LocalModel, adapter: str, among: list[str] | None = None
    ) -> ItemAccuracies:
        """What an adapter gets on the dev items, of all domains or `among` these.

        Its answers are kept.
        """
        asked = among or self.cards
        return self._judged(adapter, self._answers(student, adapter, asked))

    def baselines(self) -> ItemAccuracies:
        """What the base model and the guesser get on every dev item."""
        answers, guesses = {}, {}
        for name, card in self.cards.items():
            domain = domain_of(self.run.params, name)
            items = self.dev[name]
            answers[name] = base_answers(card, self.student, domain, items)
            guesser = guessing_baseline.guesser_of_card(card, domain)
            guesses[GUESS, name] = guesser.per_item(items)
        return self._judged("base", answers) | guesses

    def worthwhile(self, job: PlannedAdapter) -> bool:
        """Whether it differs from another: where nothing was made, it does not."""
        return not job.organic or any(self.parts[name].made for name in job.domains)

    def train(self, job: PlannedAdapter, out: Path | None = None) -> TrainingResult:
        """Train an adapter on the rows of its domains, each with its own epochs."""
        parts = [self.parts[name] for name in job.domains]
        parts = [part.organic() for part in parts] if job.organic else parts
        scales = [1.0] * len(parts)
        if job.shares:
            pairs = zip(job.shares, parts, strict=True)
            scales = [s * self._all_tokens() / self._tokens(p) for s, p in pairs]
        sizes = [len(part.rows) for part in parts]
        phases, params = None, self.run.params
        if job.in_turn:
            phases = phases_in_turn(sizes, replay=params.replay, rng_seed=job.rng_seed)
        return train(
            self.student,
            [row for part in parts for row in part.rows],
            recipes.merge_configs(part.recipe for part in parts),
            out=out or self.folder(job.name),
            rng_seed=job.rng_seed,
            sealed=self.seal.hit,
            epochs=[
                scale * often
                for scale, part in zip(scales, parts, strict=True)
                for often in part.epochs
            ],
            budget=self._budget(job),
            phases=phases,
            hooks=RunHooks(
                self.run.work,
                self.run.logs,
                self.view.watch(job.name),
                lambda tuned: self._held_out(tuned, job.domains),
            ),
        )

    def added_up(self, kind: Combination) -> str:
        """The adapter that is the sum of the domains' own; its name."""
        names = self.run.params.domains
        merged = f"{'+'.join(names)}-{kind}"
        merge_adapters(
            [self.folder(name) for name in names],
            self.folder(merged),
            weights=[1.0] * len(names),
            combination=kind,
        )
        return merged

    def trial_mix(self, share: float) -> dict[str, list[float]]:
        """What a mix gets, by domain, that is trained with this share of the first."""
        params, name = self.run.params, f"mix-{share:g}"
        shares, seeds = (share, 1 - share), params.train_seeds or [params.rng_seed]
        out = self.run.work / "trials" / name
        self.train(PlannedAdapter(name, params.domains, seeds[0], shares=shares), out)
        return self._by_domain(out)

    def trial_sum(self, weight: float) -> dict[str, list[float]]:
        """What the weighted sum of the domains' own adapters gets, by domain."""
        names, name = self.run.params.domains, f"sum-{weight:g}"
        out = self.run.work / "trials" / name
        alone = [self.folder(name) for name in names]
        merge_adapters(alone, out, weights=[weight, 1 - weight], combination="cat")
        return self._by_domain(out)

    def _by_domain(self, adapter: Path) -> dict[str, list[float]]:
        with self.student.adapter(adapter) as tuned:
            found = self.scores(tuned, adapter.name)
        return {domain: values for (_, domain), values in found.items()}

    def _budget(self, job: PlannedAdapter) -> int | None:
        """Trained tokens that an adapter is held to; `None` for whole epochs.

        A mix sees as many as all domains together, organic rows as many as their
        domain's mix. Adapters of one domain see `domain_tokens`, or with
        `equal_tokens` as many as the merged one.
        """
        params, single = self.run.params, len(job.domains) == 1
        if params.domain_tokens and single:
            return params.domain_tokens
        if job.shares or (params.equal_tokens and single):
            return self._all_tokens()
        return self._tokens(self.parts[job.domains[0]]) if job.organic else None

    def _all_tokens(self) -> int:
        return sum(map(self._tokens, self.parts.values()))

    def _tokens(self, part: TrainingPart) -> int:
        """Trained tokens of a domain's rows, each as often as it is seen."""
        most = part.recipe.max_row_tokens
        return trained_tokens(self.student, part.rows, part.epochs, most=most)

    def _held_out(self, tuned: LocalModel, domains: list[str]) -> float:
        answers = self._answers(tuned, "held out", domains)
        means = []
        for name, samples in answers.items():
            values = item_accuracies(samples, self.dev[name])
            means.append(sum(values) / len(values))
        return sum(means) / len(means)

    def _answers(
        self, student: LocalModel, adapter: str, domains: Iterable[str]
    ) -> dict[str, pd.DataFrame]:
        """What a model says to the dev items of these domains."""
        found = {}
        for name in domains:
            domain = domain_of(self.run.params, name)
            found[name] = ask(
                student,
                domain,
                self.dev[name],
                **step_sampling(self.cards[name].manifest["params"], domain),
                label=f"{adapter} on {name}",
            )
        return found

    def _judged(self, arm: str, answers: dict[str, pd.DataFrame]) -> ItemAccuracies:
        self.said.extend(
            samples.assign(arm=arm, domain=name) for name, samples in answers.items()
        )
        return {
            (arm, name): item_accuracies(samples, self.dev[name])
            for name, samples in answers.items()
        }


@reuse_finished
def run(params: Params) -> StepRun:
    """Train each adapter of the plan and ask it every domain's dev items."""
    with open_run(params) as run, learning_curves.LiveCurves() as view:
        student = open_student(params)
        cards = {n: run.read(step_table.PICK_DOMAIN, domain=n) for n in params.domains}
        seal = combined_seal(run)  # once: it indexes every item
        dev = {n: unseal(card, "dev", params=params) for n, card in cards.items()}
        parts = training_parts(run, student, seal)
        bench = ExpansionBench(run, student, cards, dev, seal, parts, view)
        fewest = min(map(len, dev.values()))
        for line in foresight(len(dev), fewest, margin=params.margin):
            print(f"{params.STEP}: {line}")
        items = bench.baselines()
        done = {}
        for job in filter(bench.worthwhile, training_plan(params)):
            done[job.name] = bench.train(job)
            with student.adapter(bench.folder(job.name)) as tuned:
                among = job.domains if job.organic else None
                items |= bench.scores(tuned, job.name, among)
        for kind in params.merges if len(params.domains) > 1 else ():
            merged = bench.added_up(kind)
            with student.adapter(bench.folder(merged)) as tuned:
                items |= bench.scores(tuned, merged)
        _save(bench, items, done)
        if params.predict_mix:
            predict_mixes(bench)
    return run


def open_student(params: Params) -> LocalModel:
    """The model to train and ask, on the study's workers if they can do both."""
    alone = params.eval_steps > 0 and params.workers > 1
    if alone:
        print(f"{params.STEP}: eval_steps asks in between, so one process trains")
    return completion.open_sampler(params, workers=1 if alone else None)


def predict_mixes(bench: ExpansionBench) -> None:
    """Ask sums of the adapters and trained mixes alike, and hold one to the other."""
    run, trials = bench.run, bench.run.params.predict_mix
    sums = {weight: bench.trial_sum(weight) for weight in trials.weights}
    mixes = {share: bench.trial_mix(share) for share in trials.trained}
    seed = run.params.rng_seed
    table = mix_table({"sum": sums, "trained": mixes}, rng_seed=seed)
    said = [one.as_dict() for one in forecast_mixes(sums, mixes, rng_seed=seed)]
    run.save_rows(table, "mixes")
    run.save_figure(mix_curve.draw(table, pd.DataFrame(said)), "mix_forecast")
    run.result["mix_forecast"] = said


def _save(
    bench: ExpansionBench,
    items: ItemAccuracies,
    done: dict[str, TrainingResult],
) -> None:
    run, params = bench.run, bench.run.params
    cells = compare_adapters(items, rng_seed=params.rng_seed)
    for row in cells[cells.adapter.isin(list(done))].itertuples():
        add_accuracy(bench.folder(row.adapter), f"dev of {row.domain}", row)
    run.save_rows(cells)
    run.save_rows(item_table(items, bench.dev), "items")
    run.save_rows(pd.concat(bench.said, ignore_index=True), "samples")
    run.save_rows(_training_history(done), "training", timed=True)
    run.figure = run.save_figure(interference_matrix.draw(cells), "interference")
    run.table = cells
    finals = final_adapters(params)
    seed, parts = params.rng_seed, bench.parts
    run.result = {
        "matrix": cells.astype(object).where(cells.notna(), None).to_dict("records"),
        "retention": retention(
            items, params.domains, finals, margin=params.margin, rng_seed=seed
        ),
        "interference": interference(items, params.domains, rng_seed=seed),
        "organic": mix_over_organic(items, done, params.domains, rng_seed=seed),
        "gate": {name: result.gate for name, result in done.items()},
        "final": finals[0],
        "finals": finals,
        "rule": params.rule.as_dict(),
        "rows": {name: len(part.rows) for name, part in parts.items()},
        "recipe": recipes.merge_configs(p.recipe for p in parts.values()).outcome(),
    }


def combined_seal(run: StepRun) -> Seal:
    """The seal over the benchmarks of all the study's domains."""
    names = run.params.domains
    return Seal.of(run.read(step_table.PICK_DOMAIN, domain=name) for name in names)


def training_parts(
    run: StepRun, student: LocalModel, seal: Seal
) -> dict[str, TrainingPart]:
    """The clean rows of every domain's frozen data set, rendered.

    Raises:
        DataError: the seals leave a domain without rows.
    """
    parts = {}
    for name, rows in drop_sealed_rows(run, seal).items():
        if not rows:
            raise DataError(
                f"every row of {name} overlaps a sealed item",
                where=f"{run.params.STEP}: {run.flow}",
                todo="look at the domains' benchmarks: one trains what another tests",
            )
        recipe = training_config_of(run, name)
        domain, seeds = domain_of(run.params, name), [seed for seed, _ in rows]
        parts[name] = TrainingPart(
            training_rows(student, domain, rows),
            epochs_of(seeds, recipe, names=[]),
            recipe,
            frozenset(place for place, seed in enumerate(seeds) if seed.parent),
        )
    return parts


def drop_sealed_rows(run: StepRun, seal: Seal) -> dict[str, list[tuple[Seed, str]]]:
    """Every domain's frozen rows but those that met a sealed item of any domain.

    A row is a seed and the completion that is trained on.

    Step 2 knows its own domain's seal only, so that it does not depend on which
    domains were picked before; what is merged is held against all of them, and
    so are its ancestors.
    """
    clean, judged = {}, []
    for name in run.params.domains:
        table = records.load_dataset(run.read(step_table.SYNTHESIZE, domain=name))
        seeds = from_frame(table)
        by_id = {seed.id: seed for seed in seeds}
        reasons = [
            sealed_reason(seed, seal, by_id, response=text)
            for seed, text in zip(seeds, table.completion, strict=True)
        ]
        rows = zip(seeds, table.completion, reasons, strict=True)
        clean[name] = [(seed, text) for seed, text, reason in rows if reason is None]
        judged += zip(seeds, reasons, strict=True)
    run.flow = RowCounts()
    run.flow.take(reason for _, reason in judged)
    run.save_rows(dropped_rows.seal_hit_table(judged), "sealed_hits")
    return clean


def training_config_of(run: StepRun, domain: str) -> TrainingConfig:
    """A domain's recipe: this step's own, or what its probe chose."""
    own = run.params.with_()
    if run.params.recipe == "own":
        return own
    folder = run.read(step_table.PROBE_SFT, domain=domain)
    return own.with_(**recipes.read_config(folder.file(recipes.RECIPE_FILE)).outcome())


def _training_history(done: dict[str, TrainingResult]) -> pd.DataFrame:
    return pd.concat(
        [
            pd.DataFrame(result.history).assign(arm=name)
            for name, result in done.items()
        ],
        ignore_index=True,
    )
