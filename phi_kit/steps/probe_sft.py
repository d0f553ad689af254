"""Step 4: does training on teachable seeds help, and more than on random ones?

Reads the tiers and the sealed dev set. Writes one adapter per arm, how each
training run went, the held-out accuracy of base and every arm, and the recipe
that later steps can take over.
"""

from __future__ import annotations

from typing import ClassVar

import pandas as pd
from pydantic import Field, field_validator

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step
from phi_kit.data.sealed_splits import Seal, unseal
from phi_kit.domains.base import Domain
from phi_kit.evaluation import guessing_baseline
from phi_kit.evaluation.ask import base_answers, step_sampling
from phi_kit.evaluation.few_shot import FEW_SHOT, NO_ROOM
from phi_kit.evaluation.probe import Probe, ProbeBench, dose_table
from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.plots import arm_gains as plot
from phi_kit.plots import dose_curve as dose_plot
from phi_kit.plots import edge_drift, learning_curves
from phi_kit.selection import drift
from phi_kit.stats import comparison
from phi_kit.training import training_config as recipes
from phi_kit.training.arms import OWN, Arm, GridSearch, responses_of_arm
from phi_kit.training.model_card import add_accuracy
from phi_kit.training.training_config import TrainingConfig

__all__ = ["Params", "responses_of_arm", "run"]


class Params(TrainingConfig, StepParams):
    """The arms and their recipe. Dev is asked exactly as in step 1.

    With `drift_samples` the student of the teachable arm is asked step 3's seeds
    again, so often each: what moved over the band's edges, and what is stuck.
    """

    STEP: ClassVar[Step] = step_table.PROBE_SFT
    SEALED: ClassVar[tuple[str, ...]] = ("dev",)
    WEIGHTS: ClassVar[bool] = True

    domain: str = "math"
    arms: list[Arm] = Field(["own", "random", "teachable"], min_length=1)
    few_shot: int = Field(5, ge=0)  # worked examples in base's prompt; 0: not asked
    train_seeds: list[int] = Field([])  # one training run each; none: `rng_seed`
    dose: list[float] = Field([])  # shares of the best arm's rows
    search: GridSearch = Field(GridSearch())
    drift_samples: int = Field(0, ge=0)

    _known = field_validator("domain")(domains.known)

    @field_validator("arms", "train_seeds", "dose")
    @classmethod
    def _once(cls, given: list) -> list:
        if len(set(given)) < len(given):
            raise ValueError("names something twice")
        return given

    @field_validator("dose")
    @classmethod
    def _shares(cls, dose: list[float]) -> list[float]:
        if any(not 0 < share <= 1 for share in dose):
            raise ValueError("shares of the rows lie above 0 and up to 1")
        return sorted({*dose, 1.0}) if dose else []

    def external_digests(self) -> dict[str, str]:
        """The model's weights."""
        return {"model": completion.model_fingerprint(self.model)}


@reuse_finished
def run(params: Params) -> StepRun:
    """Train each arm, ask it the dev items, compare with base item by item."""
    with open_run(params) as run, learning_curves.LiveCurves() as view:
        card, domain = run.read(step_table.PICK_DOMAIN), domains.of(params)
        edge = run.read(step_table.FILTER_EDGE)
        dev = unseal(card, "dev", params=params)
        bench = ProbeBench(
            run=run,
            guess=guessing_baseline.guesser_of_card(card, domain).per_item(dev),
            # Its draws are small, and its runs short: not worth several workers.
            student=completion.open_sampler(params, workers=1),
            domain=domain,
            pool=edge.table(),
            responses=edge.table("responses"),
            dev=dev,
            seal=Seal.of([card]),
            how=step_sampling(card.manifest["params"], domain),
            seeds=params.train_seeds or [params.rng_seed],
            view=view,
        )
        recipe, tried = search_config(bench, params)
        arms, skipped = bench.fillable(params.arms)
        budgets = dict.fromkeys(arms, bench.budget("teachable", recipe))
        budgets["teachable"] = None  # what the others are held to
        probes = {arm: bench.probe(arm, recipe, budget=budgets[arm]) for arm in arms}
        answers = base_answers(card, bench.student, bench.domain, bench.dev)
        untrained = {"base": bench.base(answers)}
        if params.few_shot:
            if shown := bench.few_shot(params.few_shot):
                untrained[FEW_SHOT] = shown
            else:
                skipped[FEW_SHOT] = NO_ROOM
        base = untrained["base"]
        table = compare_arms(untrained, probes, bench.guess, rng_seed=params.rng_seed)
        _save_comparison(bench, table, untrained, probes, recipe=recipe, tried=tried)
        run.result |= {"skipped": skipped, "search": tried}
        run.result["dose"] = _dose_curve(
            bench, table, base, probes, recipe=recipe, budgets=budgets
        )
        if params.drift_samples and "teachable" in probes:
            record_drift(run, bench.student, domain, k=params.drift_samples)
        run.save_rows(bench.table(), "training", timed=True)
    return run


def search_config(bench: ProbeBench, params: Params) -> tuple[TrainingConfig, dict]:
    """The recipe of the arms: the study's own, or the best of a search on dev.

    Each is trained once: with several seeds the arms, not the trials, need them.

    Returns:
        The recipe, and what was tried, in order; nothing if nothing was.
    """
    if not params.search:
        return params.with_(), {}
    arm, tried = params.search.arm, []
    for number, config in enumerate(params.search.configs(params), 1):
        probe = bench.tried(f"search-{number}", arm, config, runs=1)
        scored = comparison.accuracy_over_seeds(probe.items, rng_seed=params.rng_seed)
        tried.append({**config.outcome(), **scored.as_dict()})
    # The first of equals: the study file lists what it prefers first.
    best = max(range(len(tried)), key=lambda i: tried[i]["accuracy"])
    chosen = list(params.search.configs(params))[best]
    return chosen, {"arm": arm, "tried": tried, "chosen": best}


def compare_arms(
    untrained: dict[str, Probe],
    probes: dict[str, Probe],
    guess: list[float],
    *,
    rng_seed: int,
) -> pd.DataFrame:
    """One row per arm: accuracy, paired gain over base, cost, form, truncation.

    `p` is of the arm against base, `p_holm` after the correction for so many trained
    arms; a verdict needs both the interval and the corrected p. Base with examples in
    its prompt is no arm but a second `baseline`: nothing is claimed for it that more
    arms would make likelier by chance, it has no `p`, and its verdict rests on its
    interval alone. `rows` are different responses, `passes` how often the run went
    over them, `examples` how many stood before a question. `guess` is what
    guessing gives on the same items: *better* has to beat it, too. `form` is the part
    of the gain that the lenient reading does not see: answers that base gave as well,
    where the strict one did not look for them.

    Args:
        untrained: `base`, and base with examples in its prompt where it was asked so.
        probes: the trained arms.
        guess: per item.
        rng_seed: of the intervals.
    """
    base = untrained["base"]
    ps = [
        comparison.paired_p_value(base.mean, probe.mean, rng_seed=rng_seed)
        for probe in probes.values()
    ]
    corrected = dict(zip(probes, comparison.holm_adjust(ps), strict=True))
    plain = dict(zip(probes, ps, strict=True))
    rows = []
    for arm, probe in {**untrained, **probes}.items():
        scored = comparison.accuracy_over_seeds(probe.items, rng_seed=rng_seed)
        row = {"arm": arm, "role": "arm" if arm in probes else "baseline"}
        row |= {**scored.as_dict(), "guess": sum(guess) / len(guess)}
        row |= {"lenient": probe.lenient, "truncated": probe.truncated}
        if probe is not base:
            over = comparison.gain_over_seeds(
                base.items, probe.items, rng_seed=rng_seed
            )
            row |= {"delta": over.delta, "delta_low": over.low}
            row |= {"delta_high": over.high}
            row |= {"form": over.delta - (probe.lenient - base.lenient)}
            beyond = comparison.gain_over_seeds([guess], probe.items, rng_seed=rng_seed)
            said = over.verdict
        if arm in probes:
            first = probe.trained[0]
            row |= {"rows": first.rows, "tokens": first.tokens}
            row |= {"trained_tokens": first.trained_tokens}
            row |= {"passes": first.trained_tokens / first.gate["trained_tokens"]}
            row |= {"p": plain[arm], "p_holm": corrected[arm]}
            said = comparison.corrected_verdict(over, corrected[arm])
        if probe.examples is not None:
            row |= {"examples": probe.examples}
        if probe is not base:
            row |= {"verdict": comparison.beyond_guessing(said, beyond)}
        rows.append(row)
    return pd.DataFrame(rows)


def compare_with_teachable(
    untrained: dict[str, Probe], probes: dict[str, Probe], *, rng_seed: int
) -> dict[str, dict]:
    """What the teachable arm gains over each control, paired by item.

    Over `random` rows it is what the filter is worth; over the student's `own`
    responses, what is not form; over examples in the prompt, what training is worth.

    Returns:
        Gains by their name in the step's result; without the arm none.
    """
    if "teachable" not in probes:
        return {}
    controls = {"random": "random", OWN: OWN, FEW_SHOT: "few_shot"}
    measured = {**untrained, **probes}
    return {
        f"teachable_vs_{name}": comparison.gain_over_seeds(
            measured[arm].items, probes["teachable"].items, rng_seed=rng_seed
        ).as_dict()
        for arm, name in controls.items()
        if arm in measured
    }


def _save_comparison(
    bench: ProbeBench,
    table: pd.DataFrame,
    untrained: dict[str, Probe],
    probes: dict[str, Probe],
    *,
    recipe: TrainingConfig,
    tried: dict,
) -> None:
    run, params = bench.run, bench.run.params
    for row in table[table.arm.isin(list(probes))].itertuples():
        add_accuracy(run.folder(f"adapters/{row.arm}"), f"dev of {params.domain}", row)
    losses = {arm: probe.trained[0].losses for arm, probe in probes.items()}
    run.save_rows(table)
    everyone = {**untrained, **probes}.items()
    samples = [probe.samples.assign(arm=arm) for arm, probe in everyone]
    run.save_rows(pd.concat(samples), "samples")
    how = "the study's own"
    if tried:
        how = f"the best of {len(tried['tried'])} on dev, tried on '{tried['arm']}'"
    recipes.write_config(
        recipe,
        run.staging / recipes.RECIPE_FILE,
        why=[f"Domain {params.domain}, study {params.study}: {how}."],
    )
    run.figure = run.save_figure(plot.draw(table, losses), "gain_per_arm")
    run.table = table
    run.result = {
        "arms": table.astype(object).where(table.notna(), None).to_dict("records"),
        "losses": losses,
        "gate": {arm: probe.trained[0].gate for arm, probe in probes.items()},
        "recipe": recipe.outcome(),
        "train_seeds": bench.seeds,
        **compare_with_teachable(untrained, probes, rng_seed=params.rng_seed),
    }


def _dose_curve(
    bench: ProbeBench,
    table: pd.DataFrame,
    base: Probe,
    probes: dict[str, Probe],
    *,
    recipe: TrainingConfig,
    budgets: dict[str, int | None],
) -> dict:
    """Accuracy of the best arm's adapter when it sees only a part of the rows."""
    params = bench.run.params
    if not params.dose:
        return {}
    arm = table[table.arm.isin(list(probes))].set_index("arm").accuracy.idxmax()
    parts = {
        share: bench.tried(
            f"dose-{100 * share:g}", arm, recipe, share=share, budget=budgets[arm]
        )
        for share in params.dose
        if share < 1
    } | {1.0: probes[arm]}
    rows = dose_table(arm, base, parts, rng_seed=params.rng_seed)
    verdict, change, last = "cannot tell", None, None
    means = {share: probe.mean for share, probe in parts.items()}
    if len(parts) > 1:
        last = comparison.last_dose_gain(means, rng_seed=params.rng_seed).as_dict()
    if len(parts) > 2:
        tapering = comparison.dose_tapering(means, rng_seed=params.rng_seed)
        verdict = comparison.curve_verdict(tapering)
        change = tapering.as_dict()
    frame = pd.DataFrame(rows)
    start = table.accuracy[table.arm == "base"].iloc[0]
    bench.run.save_figure(dose_plot.draw(frame, verdict, base=start), "dose")
    return {
        "arm": arm,
        "points": rows,
        "change": change,
        "last": last,
        "verdict": verdict,
    }


def record_drift(run: StepRun, student: LocalModel, domain: Domain, *, k: int) -> None:
    """Save where the seeds of step 3 are after training on the teachable ones.

    Args:
        run: the step that trained; the adapter lies in its `adapters/teachable`.
        student: the model that the adapter belongs to.
        domain: says how to ask and who verifies.
        k: samples per seed.
    """
    edge = run.read(step_table.FILTER_EDGE)
    with student.adapter(run.folder("adapters/teachable")) as tuned:
        moved = drift.measure_drift(tuned, domain, edge, k=k)
    run.save_rows(moved.rows, "drift")
    run.save_figure(edge_drift.draw(moved.moves), "edge_drift")
    run.result["drift"] = moved.as_dict()
