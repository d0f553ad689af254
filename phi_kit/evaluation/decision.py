"""Explore on, or scale? A rule that is locked before the test items are opened.

Scaling is a bet on a recipe, not on a checkpoint, so it asks three things: that the
filter beats random rows as a recipe, that no domain got worse, and that more rows still
help. Each may be met, failed or open; what is open names the experiment that would
settle it. The thresholds are the kit's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any, Literal

import numpy as np

from phi_kit.core.number_format import points, points_span
from phi_kit.stats import power
from phi_kit.stats.comparison import LEVEL, MIN_ITEMS, Gain, paired_gain
from phi_kit.stats.items_needed import items_to_see
from phi_kit.stats.recipe_gain import ONE_RUN, RecipeGain, mean_recipe_gain, recipe_gain

Status = Literal["met", "failed", "open"]
EXPLORE, SCALE, CANNOT_TELL = "explore on", "scale", "cannot tell"
MARGIN = 0.05  # what counts as equal, and as no regression (kit default)
STOPPING = "every test item is asked once as set, and looked at when all are answered"
SEEDS = 3  # training seeds that a recipe is asked for (kit default)
Runs = Sequence[Sequence[float]]  # one accuracy per item for each training run


@dataclass(frozen=True)
class Rule:
    """What decides, fixed when dev is finished and test is not yet open.

    Args:
        margin: within which two count as equal; a domain may lose less than that.
        primary: the domain whose gain decides; empty: the mean of all.
        level: of every test; intervals cover one minus that. The kit's own.
        stopping: when the test items have been asked enough. The kit's own.
    """

    margin: float = MARGIN
    primary: str = ""
    level: float = field(default=LEVEL, init=False)
    stopping: str = field(default=STOPPING, init=False)

    def as_dict(self) -> dict[str, Any]:
        """For the manifest of the step that locks it."""
        return asdict(self)


@dataclass(frozen=True)
class DomainEvidence:
    """What a study measured in one domain.

    Args:
        domain: its name.
        base: accuracies of the test items, before training: one run.
        final: of the final adapter, a run for each training seed.
        random: of the dev items after training on random rows; empty if not trained.
        teachable: the same after training on teachable rows.
        last_dose: what the last doubling of the rows gave; `None` if not measured.
        run_tokens: that a training run of step 4 learns from; 0 if not known.
    """

    domain: str
    base: Runs
    final: Runs
    random: Runs = ()
    teachable: Runs = ()
    last_dose: Gain | None = None
    run_tokens: int = 0

    @property
    def filtered(self) -> bool:
        """Whether both arms were trained."""
        return bool(len(self.random)) and bool(len(self.teachable))


@dataclass(frozen=True)
class Criterion:
    """One condition of scaling: where it stands, why, and what would settle it."""

    name: str
    status: Status
    why: str
    next: str = ""


@dataclass(frozen=True)
class Decision:
    """Explore on, scale, or cannot tell, with the conditions that led there."""

    criteria: tuple[Criterion, ...] = field(default_factory=tuple)

    @property
    def verdict(self) -> str:
        """Scale if all are met, explore on if one has failed; else nobody can tell."""
        stands = {criterion.status for criterion in self.criteria}
        if "failed" in stands:
            return EXPLORE
        return SCALE if stands == {"met"} else CANNOT_TELL

    def as_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return {
            "verdict": self.verdict,
            "criteria": [asdict(criterion) for criterion in self.criteria],
        }

    def lines(self) -> list[str]:
        """For the reader: the verdict, each condition, the next experiments."""
        told = [f"decision: {self.verdict}"]
        for one in self.criteria:
            told.append(f"  {one.status:6}  {one.name}: {one.why}")
            told += [f"          next: {one.next}"] if one.next else []
        return told


def decide(
    evidence: Sequence[DomainEvidence],
    rule: Rule,
    *,
    others: Mapping[str, Gain] | None = None,
    rng_seed: int,
) -> Decision:
    """Hold a study's evidence against the rule.

    Args:
        evidence: of every domain.
        rule: that was locked.
        others: paired gains on public benchmarks and the regression suite, by name.
        rng_seed: the resampling is repeatable.

    Raises:
        ValueError: there is no domain, or the rule's primary one is none of them.
    """
    names = [one.domain for one in evidence]
    if not names or rule.primary not in ("", *names):
        raise ValueError(f"the rule decides by '{rule.primary}', measured are {names}")
    return Decision(
        (
            filter_pays(evidence, rule),
            no_regression(evidence, rule, others=others or {}, rng_seed=rng_seed),
            still_rising(evidence, rule),
        )
    )


def filter_pays(evidence: Sequence[DomainEvidence], rule: Rule) -> Criterion:
    """Does training on teachable rows beat random ones, as a recipe?

    Met where the interval of the mean gain over domains lies above 0 and no domain is
    shown to lose; failed where one is, or the whole interval lies below the margin.
    """
    name = "teachable beats random as a recipe"
    both = [one for one in evidence if one.filtered]
    if rule.primary:
        both = [one for one in both if one.domain == rule.primary]
    if not both:
        seeds = list(range(1, SEEDS + 1))
        todo = f"probe_sft.arms: [random, teachable], probe_sft.train_seeds: {seeds}"
        return Criterion(name, "open", "both arms are trained in no domain", todo)
    each = {one.domain: recipe_gain(one.random, one.teachable) for one in both}
    mean = mean_recipe_gain([(one.random, one.teachable) for one in both])
    for domain, gain in each.items():
        if gain.verdict == "worse":
            return Criterion(name, "failed", f"worse in {domain}: {_told(gain)}")
    if mean.verdict == "better":
        return Criterion(name, "met", _told(mean))
    if mean.known and mean.high < rule.margin:
        why = f"{_told(mean)}, less than the margin"
        return Criterion(name, "failed", why)
    why = _told(mean) if mean.known else f"{points(mean.delta)} points; {ONE_RUN}"
    return Criterion(name, "open", why, _more_runs(both, mean, rule))


def no_regression(
    evidence: Sequence[DomainEvidence],
    rule: Rule,
    *,
    others: Mapping[str, Gain],
    rng_seed: int,
) -> Criterion:
    """Is each domain shown to have lost less than the margin?

    A rising mean hides a domain that pays for the others, so every domain is looked
    at by itself, and that no loss was found is not enough. Public benchmarks and the
    small regression suite only fail the condition, where a loss is found on them.
    """
    title = "no regression"
    gains = {
        one.domain: paired_gain(
            np.mean(one.base, axis=0), np.mean(one.final, axis=0), rng_seed=rng_seed
        )
        for one in evidence
    }
    lost = [
        f"{name} {_told(gain)}"
        for name, gain in {**gains, **others}.items()
        if gain.verdict == "worse"
    ]
    if lost:
        return Criterion(title, "failed", "; ".join(lost))
    open_ = {d: gain for d, gain in gains.items() if not _holds(gain, rule)}
    if open_:
        why = "; ".join(f"{domain} {_told(gain)}" for domain, gain in open_.items())
        needed = {
            one.domain: _items_against_loss(one, open_[one.domain], rule)
            for one in evidence
            if one.domain in open_
        }
        todo = ", ".join(f"{n:,} test items of {d}" for d, n in needed.items())
        cost = f"{2 * sum(needed.values()):,} samples"
        return Criterion(
            title, "open", why, f"fresh items (another rng_seed): {todo}, {cost}"
        )
    worst = min(gains, key=lambda domain: gains[domain].low)
    return Criterion(title, "met", f"at worst {worst} {_told(gains[worst])}")


def still_rising(evidence: Sequence[DomainEvidence], rule: Rule) -> Criterion:
    """Did the last doubling of the rows still help, in every domain?

    Failed where the whole interval of a domain's last doubling lies below the margin.
    """
    name = "the dose curve has not flattened"
    flat, unclear, missing, rises = [], [], [], []
    for one in evidence:
        gain = one.last_dose
        if gain is None:
            missing.append(one.domain)
        elif gain.low > 0 and gain.verdict == "better":
            rises.append(f"{one.domain} {_told(gain)}")
        elif gain.high < rule.margin:
            flat.append(f"{one.domain} {_told(gain)}")
        else:
            unclear.append(one.domain)
    if flat:
        return Criterion(name, "failed", f"per doubling of the rows: {'; '.join(flat)}")
    if missing:
        cost = sum(one.run_tokens for one in evidence if one.domain in missing)
        todo = "probe_sft.dose: [0.25, 0.5, 1]" + _tokens(0.75 * cost)
        return Criterion(name, "open", f"not measured in {', '.join(missing)}", todo)
    if unclear:
        by_name = {one.domain: one for one in evidence}
        why = "; ".join(f"{d} {_told(by_name[d].last_dose)}" for d in unclear)
        needed = max(_dose_items(by_name[d].last_dose, rule) for d in unclear)
        todo = f"pick_domain.dev_items: {needed}" + _tokens(
            1.75 * sum(by_name[d].run_tokens for d in unclear)
        )
        return Criterion(name, "open", why, todo)
    return Criterion(name, "met", f"per doubling of the rows: {'; '.join(rises)}")


def _told(gain: Gain) -> str:
    span = points_span(gain.low, gain.high)
    return f"{points(gain.delta)} points [{span}], n = {gain.n}"


def _holds(gain: Gain, rule: Rule) -> bool:
    """Whether a loss of the margin or more is ruled out."""
    return gain.n >= MIN_ITEMS and gain.low > -rule.margin


def _reach(rule: Rule) -> float:
    """How many standard errors apart what is claimed and what is true have to lie."""
    return power.minimum_detectable(1.0, level=rule.level)


def _items_against_loss(one: DomainEvidence, gain: Gain, rule: Rule) -> int:
    """Test items that would rule out a loss, if the gain is what it seems, or 0."""
    moved = np.mean(one.final, axis=0) - np.mean(one.base, axis=0)
    away = rule.margin + max(gain.delta, 0.0)
    return ceil((_reach(rule) * max(float(moved.std()), 0.1) / away) ** 2)


def _dose_items(gain: Gain, rule: Rule) -> int:
    """Dev items on which a gain of the margin per doubling would be seen."""
    width = {"low": gain.low, "high": gain.high, "n": gain.n}
    return int(items_to_see(rule.margin, **width))


def _more_runs(both: Sequence[DomainEvidence], mean: RecipeGain, rule: Rule) -> str:
    """Training seeds and dev items on which a gain of the margin would be seen.

    Items and runs get half of the variance each; a spread of runs that is not known
    counts as none, with `SEEDS` runs to find it out.
    """
    allowed = (rule.margin / _reach(rule)) ** 2 * len(both) / 2
    spread = mean.run_sd**2 if mean.known else 0.0
    runs = max(SEEDS, ceil(spread / allowed))
    item = max(
        float((np.mean(one.teachable, 0) - np.mean(one.random, 0)).var())
        for one in both
    )
    items = ceil(max(item, 0.01) / allowed)
    fresh = 2 * runs * len(both)
    cost = _tokens(2 * runs * sum(one.run_tokens for one in both))
    return (
        f"{runs} training seeds an arm and {items:,} dev items a domain "
        f"(probe_sft.train_seeds, pick_domain.dev_items): {fresh} training runs"
        f"{cost}, {fresh * items:,} samples"
    )


def _tokens(many: float) -> str:
    return f", {round(many):,} trained tokens" if many else ""
