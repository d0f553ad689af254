"""What a domain's test items say: scores, paired verdicts, what flipped.

Of base, the final adapter and what costs nothing, item by item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd

from phi_kit.data.records import Seed
from phi_kit.stats.comparison import beyond_guessing, paired_gain
from phi_kit.stats.intervals import accuracy
from phi_kit.stats.paired_tests import equivalence, flipped_items, mcnemar_mid_p
from phi_kit.stats.recipe_gain import recipe_gain
from phi_kit.training.arms import OWN
from phi_kit.verifiers.base import Verifier

from .answer_habits import habits, repeated
from .ask import item_accuracies, lenient_accuracy
from .decision import Rule
from .equal_answers import majority_is_right
from .few_shot import FEW_SHOT

_KEYS = {FEW_SHOT: "few_shot", OWN: "own"}  # the controls in a table's columns


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
        again: samples of the final adapter's further training seeds, by its name.
        run_sd: how far training runs lie apart in step 4; `None` if not known.
        verifier: of the domain, for votes; without one answers are read only.
    """

    domain: str
    items: list[Seed]
    base: pd.DataFrame
    final: pd.DataFrame
    controls: dict[str, pd.DataFrame]
    guess: list[float]
    shown: float = 0.0
    again: dict[str, pd.DataFrame] = field(default_factory=dict)
    run_sd: float | None = None
    verifier: Verifier | None = None

    def everyone(self) -> pd.DataFrame:
        """All samples, with `domain` and `model`."""
        named = {"base": self.base, **self.controls, "final": self.final, **self.again}
        return pd.concat(
            part.assign(domain=self.domain, model=name) for name, part in named.items()
        )

    @property
    def finals(self) -> list[list[float]]:
        """Accuracies of the items, one list for each training seed."""
        return [
            item_accuracies(samples, self.items)
            for samples in (self.final, *self.again.values())
        ]

    @property
    def k(self) -> int:
        """Samples of each item."""
        return int(self.base.groupby("seed_id").size().max())


def compare_models(
    tested: TestedDomain, *, rng_seed: int, rule: Rule | None = None
) -> list[dict]:
    """pass@1 of one domain, and maj@k of several samples, with paired verdicts.

    A majority of one is that one, so a single sample has no row of its own for it.
    """
    seed, base, final, k = rng_seed, tested.base, tested.final, tested.k
    metrics = {"pass@1": item_accuracies}
    if k > 1:
        metrics[f"maj@{k}"] = partial(by_majority, verifier=tested.verifier)
    rows = []
    for metric, measure in metrics.items():
        before = measure(base, tested.items)
        afters = [
            measure(part, tested.items) for part in (final, *tested.again.values())
        ]
        after = afters[0]
        controls = {
            name: measure(part, tested.items) for name, part in tested.controls.items()
        }
        rows.append(
            {
                "domain": tested.domain,
                "metric": metric,
                "k": k,
                **_paired_row(before, after, tested.guess, rng_seed=seed),
                **_claims(before, afters, rule or Rule(), tested.run_sd),
                **_over_controls(controls, after, rng_seed=seed),
                **({"few_shot_examples": tested.shown} if tested.shown else {}),
                "base_lenient": lenient_accuracy(base),
                "final_lenient": lenient_accuracy(final),
                **{f"base_{name}": value for name, value in habits(base).items()},
                **{f"final_{name}": value for name, value in habits(final).items()},
            }
        )
    return rows


def _claims(
    before: Sequence[float],
    afters: Sequence[Sequence[float]],
    rule: Rule,
    run_sd: float | None,
) -> dict[str, Any]:
    """What is claimed of this checkpoint, and what of the next training run.

    A recipe's claim rests on the final adapter's training seeds. Where it was trained
    once, step 4's runs say how far runs lie apart; if they do not, nobody can tell.
    """
    after = afters[0]
    lost = sum(new < old for old, new in zip(before, after, strict=True))
    gained = sum(new > old for old, new in zip(before, after, strict=True))
    single = set(before) | set(after) <= {0.0, 1.0}
    equal = equivalence(before, after, margin=rule.margin)
    recipe = recipe_gain([before], afters, run_sd=run_sd if len(afters) == 1 else None)
    return {
        "equal": equal.holds,
        "as_recipe": recipe.verdict,
        "recipe_low": recipe.low,
        "recipe_high": recipe.high,
        "runs": recipe.runs,
        "lost": lost,
        "gained": gained,
        "mcnemar_p": mcnemar_mid_p(lost, gained) if single else None,
    }


def by_majority(
    samples: pd.DataFrame, order: list[Seed], *, verifier: Verifier | None = None
) -> list[float]:
    """Per item 1 or 0: is the answer that most samples give right? (maj@k).

    Equal answers vote together, however they are written.
    """
    parts = dict(list(samples.groupby("seed_id")))
    return [majority_is_right(seed, parts[seed.id], verifier) for seed in order]


def compare_families(tested: TestedDomain, *, rng_seed: int) -> list[dict]:
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
            **_paired_row(part.base, part.final, part.guess, rng_seed=rng_seed),
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


def steadiness(tested: TestedDomain) -> list[dict[str, Any]]:
    """pass@k and G-pass@k of base and final; no rows for a single sample an item."""
    parts = {"base": repeated(tested.base), "final": repeated(tested.final)}
    return [
        {"domain": tested.domain, "model": model, **found}
        for model, found in parts.items()
        if found
    ]


def flipped(tested: TestedDomain) -> pd.DataFrame:
    """The test items whose accuracy changed from base to final, losses first."""
    rows = flipped_items(
        [seed.id for seed in tested.items],
        item_accuracies(tested.base, tested.items),
        item_accuracies(tested.final, tested.items),
    )
    asked = {seed.id: seed for seed in tested.items}
    columns = ["domain", "family", "prompt", "seed_id", "before", "after"]
    return pd.DataFrame(
        [
            {
                "domain": tested.domain,
                "family": asked[row["seed_id"]].family,
                "prompt": asked[row["seed_id"]].prompt,
                **row,
            }
            for row in rows
        ],
        columns=[*columns, "change", "way"],
    )
