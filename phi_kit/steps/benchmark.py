"""Step 7: is the final adapter better than base, on items nobody has seen?

Reads the sealed test sets, opened here and nowhere else, and the final
adapter. Writes pass@1 and maj@k of base and final with a paired verdict, beside
what costs nothing: guessing, worked examples in base's prompt, and step 4's adapter of
the student's own right responses, at the probe's tokens. Both accuracies stand there
for every family, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas as pd
from pydantic import Field, field_validator

from phi_kit.core import step_table
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step
from phi_kit.data.records import Seed
from phi_kit.data.sealed_splits import unseal
from phi_kit.domains import all_known
from phi_kit.domains import of as domain_of
from phi_kit.evaluation import guessing_baseline
from phi_kit.evaluation.ask import (
    ask,
    item_accuracies,
    lenient_accuracy,
    truncated_share,
)
from phi_kit.evaluation.few_shot import (
    FEW_SHOT,
    FamilyExamples,
    choose_examples,
    fitted,
    mean_shown,
)
from phi_kit.evaluation.metrics import scores as metric_scores
from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.plots import benchmark_gains
from phi_kit.plots import family_accuracy as families_plot
from phi_kit.stats.comparison import beyond_guessing, paired_gain
from phi_kit.stats.intervals import accuracy
from phi_kit.training.arms import OWN

_KEYS = {FEW_SHOT: "few_shot", OWN: "own"}  # the controls in a table's columns


class Params(StepParams):
    """How often and how each test item is asked."""

    STEP: ClassVar[Step] = step_table.BENCHMARK
    SEALED: ClassVar[tuple[str, ...]] = ("test",)
    WEIGHTS: ClassVar[bool] = True

    domains: list[str] = Field(["math", "puzzles"], min_length=1)
    samples: int = Field(3, ge=1)
    few_shot: int = Field(5, ge=0)  # worked examples in base's prompt; 0: not asked
    max_tokens: int | None = Field(None, ge=1)  # none: the limit of the style
    temperature: float = Field(0.6, ge=0)

    _known = field_validator("domains")(all_known)

    def external_digests(self) -> dict[str, str]:
        """The model's weights."""
        return {"model": completion.model_fingerprint(self.model)}


@dataclass(frozen=True)
class TestedDomain:
    """A domain's test items with the completions of both models.

    Attributes:
        domain: its name.
        items: in the order of `guess`.
        base: samples of the base model, with their verdicts.
        final: samples of the final adapter.
        controls: samples of what should not do as well, by name.
        guess: the accuracy of guessing on each item.
        shown: examples before each question of base with examples, on average.
    """

    domain: str
    items: list[Seed]
    base: pd.DataFrame
    final: pd.DataFrame
    controls: dict[str, pd.DataFrame]
    guess: list[float]
    shown: float = 0.0

    def everyone(self) -> pd.DataFrame:
        """All samples, with `domain` and `model`."""
        named = {"base": self.base, **self.controls, "final": self.final}
        return pd.concat(
            part.assign(domain=self.domain, model=name) for name, part in named.items()
        )


@reuse_finished
def run(params: Params) -> StepRun:
    """Ask base, final and the controls the same test items; compare item by item."""
    with open_run(params) as run:
        merged = run.read(step_table.EXPAND_DOMAINS)
        student = completion.open_sampler(params)
        samples, scores, families = [], [], []
        for name in params.domains:
            tested = ask_test_items(run, student, merged, name)
            samples.append(tested.everyone())
            scores += compare_models(tested, params=params)
            families += compare_families(tested, params=params)
        table = pd.DataFrame(scores)
        run.save_rows(pd.concat(samples), "samples")
        run.save_rows(table)
        run.save_rows(pd.DataFrame(families), "families")
        run.figure = run.save_figure(benchmark_gains.draw(table), "gains")
        run.save_figure(families_plot.draw(pd.DataFrame(families)), "families")
        run.table = table
        run.result = {
            "scores": scores,
            "families": families,
            "final": merged.result["final"],
        }
    return run


def ask_test_items(
    run: StepRun, student: LocalModel, merged: RunFolder, name: str
) -> TestedDomain:
    """One domain's test items, answered by base, by the controls and by final.

    The arm of the student's own responses is asked where step 4 trained it: that
    adapter saw the probe's tokens, the final one those of a longer run. Base is asked
    with as many of `few_shot` examples in its prompt as fit; if none does, it is not.
    """
    params = run.params
    card = run.read(step_table.PICK_DOMAIN, domain=name)
    domain = domain_of(params, name)
    test = unseal(card, "test", params=params)

    def sample(model: LocalModel, who: str, examples: FamilyExamples | None = None):
        return ask(
            model,
            domain,
            test,
            sampling=domain.sampling(params.max_tokens, params.temperature),
            k=params.samples,
            rng_seed=params.rng_seed,
            label=f"{who} on {name}",
            examples=examples,
        )

    controls, shown = {}, 0.0
    if params.few_shot:
        edge = run.read(step_table.FILTER_EDGE, domain=name)
        examples = choose_examples(
            edge.table(),
            edge.table("responses"),
            k=params.few_shot,
            rng_seed=params.rng_seed,
        )
        limit = domain.sampling(params.max_tokens, params.temperature).max_tokens
        examples = fitted(examples, student, domain, test, max_tokens=limit)
        if shown := mean_shown(test, examples):
            controls[FEW_SHOT] = sample(student, FEW_SHOT, examples)
    probe = run.read(step_table.PROBE_SFT, domain=name)
    if OWN in set(probe.table().arm):
        with student.adapter(probe.folder(f"adapters/{OWN}")) as own:
            controls[OWN] = sample(own, OWN)
    base = sample(student, "base")
    with student.adapter(merged.folder(f"adapters/{merged.result['final']}")) as tuned:
        final = sample(tuned, "final")
    guesser = guessing_baseline.guesser_of_card(card, domain)
    guess = guesser.per_item(test)
    return TestedDomain(name, test, base, final, controls, guess, shown)


def compare_models(tested: TestedDomain, *, params: Params) -> list[dict]:
    """pass@1 of one domain, and maj@k of several samples, with paired verdicts.

    A majority of one is that one, so a single sample has no row of its own for it.
    """
    seed, base, final = params.rng_seed, tested.base, tested.final
    metrics = {"pass@1": item_accuracies}
    if params.samples > 1:
        metrics[f"maj@{params.samples}"] = by_majority
    rows = []
    for metric, measure in metrics.items():
        before, after = measure(base, tested.items), measure(final, tested.items)
        controls = {
            name: measure(part, tested.items) for name, part in tested.controls.items()
        }
        rows.append(
            {
                "domain": tested.domain,
                "metric": metric,
                "k": params.samples,
                **_paired_row(before, after, tested.guess, rng_seed=seed),
                **_over_controls(controls, after, rng_seed=seed),
                **({"few_shot_examples": tested.shown} if tested.shown else {}),
                "base_lenient": lenient_accuracy(base),
                "final_lenient": lenient_accuracy(final),
                "base_truncated": truncated_share(base),
                "final_truncated": truncated_share(final),
                "base_tokens": float(base.tokens.mean()),
                "final_tokens": float(final.tokens.mean()),
            }
        )
    return rows


def by_majority(samples: pd.DataFrame, order: list[Seed]) -> list[float]:
    """Per item 1 or 0: is the most frequent answer right? (maj@k)."""
    by_item = {
        seed_id: metric_scores.maj_at_k(
            part.extracted.tolist(), (part.verdict == "right").tolist()
        )
        for seed_id, part in samples.groupby("seed_id")
    }
    return [by_item[seed.id] for seed in order]


def compare_families(tested: TestedDomain, *, params: Params) -> list[dict]:
    """pass@1 of base and final in each family of a domain, the easiest first.

    A gain over a whole domain may be one family's alone. The few items of a family
    say where the gain lies, and seldom how large it is.
    """
    items = pd.DataFrame(
        {
            "level": [seed.level for seed in tested.items],
            "family": [seed.family for seed in tested.items],
            "base": item_accuracies(tested.base, tested.items),
            "final": item_accuracies(tested.final, tested.items),
            "guess": tested.guess,
        }
    )
    return [
        {
            "domain": tested.domain,
            "family": family,
            "level": int(level),
            **_paired_row(part.base, part.final, part.guess, rng_seed=params.rng_seed),
        }
        for (level, family), part in items.groupby(["level", "family"])
    ]


def _over_controls(
    controls: dict[str, Sequence[float]], final: Sequence[float], *, rng_seed: int
) -> dict[str, float]:
    """Each control's accuracy, and what final gains over it, with their intervals."""
    row = {}
    for name, values in controls.items():
        key, alone = _KEYS[name], accuracy(values, rng_seed=rng_seed)
        over = paired_gain(values, final, rng_seed=rng_seed)
        row |= {key: alone.accuracy, f"{key}_low": alone.low}
        row |= {f"{key}_high": alone.high, f"over_{key}": over.delta}
        row |= {f"over_{key}_low": over.low, f"over_{key}_high": over.high}
    return row


def _paired_row(
    base: Sequence[float],
    final: Sequence[float],
    guess: Sequence[float],
    *,
    rng_seed: int,
) -> dict[str, Any]:
    """Three accuracies per item: their means, the gain over base, the verdict."""
    over = paired_gain(base, final, rng_seed=rng_seed)
    ends = accuracy(final, rng_seed=rng_seed)
    beyond = paired_gain(guess, final, rng_seed=rng_seed)
    return {
        "base": accuracy(base, rng_seed=rng_seed).accuracy,
        "final": ends.accuracy,
        "final_low": ends.low,
        "final_high": ends.high,
        "guess": accuracy(guess, rng_seed=rng_seed).accuracy,
        **over.as_dict(),
        "over_guess": beyond.delta,
        "over_guess_low": beyond.low,
        "over_guess_high": beyond.high,
        "verdict": beyond_guessing(over.verdict, beyond),
    }
