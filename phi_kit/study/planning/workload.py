"""What the steps of a study will do: samples to draw, rows to train on.

Counted from the study file before anything runs. What only a run can tell, how many
seeds are teachable above all, is taken from a short probe, or at its most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from phi_kit.data.source_types import Source
from phi_kit.steps import expand_domains
from phi_kit.study.config import Unit


@dataclass(frozen=True)
class Draw:
    """Samples that one domain's items are asked for, each of at most so many tokens."""

    domain: str
    samples: float
    max_tokens: int


@dataclass(frozen=True)
class Training:
    """Training runs on one domain's rows.

    Attributes:
        domain: whose rows.
        rows: seen in all, repeats included.
        runs: how many, each of which is set up anew.
    """

    domain: str
    rows: float
    runs: float


@dataclass(frozen=True)
class Work:
    """All that a unit does with the model."""

    unit: Unit
    draws: tuple[Draw, ...] = ()
    trainings: tuple[Training, ...] = ()


@dataclass
class Domain:
    """What earlier steps leave of a domain for later ones."""

    dev: Draw | None = None  # one round of its dev items
    test: int = 0  # test items
    seeds: float = 0
    teachable: float = 0
    frozen: float = 0
    epochs: int = 1  # of its probe, which `recipe: best` takes over


Counted = dict[str, Domain]
Size = Callable[[Source], int]
Kept = Callable[[Unit], int | None]


def works(
    units: Sequence[Unit],
    *,
    shares: Mapping[str, float],
    size: Size,
    kept: Kept = lambda _: None,
) -> Iterator[Work]:
    """The work of every unit, in their order.

    Args:
        units: of a whole study: later ones build on what earlier ones leave.
        shares: of each domain's seeds, how many will be teachable; 1 if not given.
        size: rows of a source without a limit.
        kept: rows that a finished unit kept; `None` of one that is still to run.
    """
    counted: Counted = {}
    for unit in units:
        domain = counted.setdefault(unit.domain, Domain())
        if unit.step == "pick_domain":
            yield _pick(unit, domain)
        elif unit.step == "collect_seeds":
            known = kept(unit)
            domain.seeds = seeds_of(unit.params, size) if known is None else known
            yield Work(unit)
        elif unit.step == "filter_edge":
            yield _filter(unit, domain, shares.get(unit.domain, 1.0), kept(unit))
        elif unit.step == "probe_sft":
            yield _probe(unit, domain)
        elif unit.step == "synthesize":
            known = kept(unit)
            most = domain.teachable / unit.params.organic_share
            domain.frozen = most if known is None else known
            yield Work(unit)
        elif unit.step == "expand_domains":
            yield _expand(unit, counted)
        else:
            yield _benchmark(unit, counted)


def seeds_of(params: Any, size: Size) -> int:
    """Rows that step 2 reads."""
    return params.limit or sum(one.limit or size(one) for one in params.sources)


def _pick(unit: Unit, domain: Domain) -> Work:
    p = unit.params
    domain.dev = Draw(unit.domain, p.dev_items * p.samples, p.max_tokens)
    domain.test = p.test_items
    return Work(unit, (domain.dev,))


def _filter(unit: Unit, domain: Domain, share: float, known: int | None) -> Work:
    p = unit.params
    domain.teachable = share * domain.seeds if known is None else known
    if p.wanted:
        domain.teachable = min(domain.teachable, p.wanted)
    each = min(max(p.budget, p.samples), p.max_samples)
    samples = each * domain.seeds + p.confirm * share * domain.seeds
    return Work(unit, (Draw(unit.domain, samples, p.max_tokens),))


def _probe(unit: Unit, domain: Domain) -> Work:
    """Every run sees as many tokens as the teachable arm: arms, trials, doses."""
    p = unit.params
    runs = len(p.train_seeds) or 1
    arms = len(p.arms) * runs
    trials = len(list(p.search.configs(p))) if p.search else 0
    doses = [share * runs for share in p.dose if share < 1]
    passes = arms + trials + sum(doses)
    domain.epochs = p.epochs
    rows = domain.teachable * p.epochs
    count = times = arms + trials + len(doses) * runs
    if p.eval_steps:
        times += passes * ceil(rows / p.batch) // p.eval_steps
    draws = [_often(domain.dev, times)]
    if p.drift_samples:
        drift = p.drift_samples * domain.seeds
        draws.append(Draw(unit.domain, drift, domain.dev.max_tokens))
    return Work(unit, tuple(draws), (Training(unit.domain, passes * rows, count),))


def _expand(unit: Unit, counted: Counted) -> Work:
    p = unit.params
    adapters = expand_domains.adapter_plan(p.domains)
    best = p.recipe == "best"
    epochs = {n: counted[n].epochs if best else p.epochs for n in p.domains}
    trainings = [
        Training(name, counted[name].frozen * epochs[name], 1 / len(among))
        for among in adapters.values()
        for name in among
    ]
    times = len(adapters)
    if p.eval_steps:
        for among in adapters.values():
            rows = sum(counted[name].frozen * epochs[name] for name in among)
            times += ceil(rows / p.batch) // p.eval_steps
    draws = [_often(counted[name].dev, times) for name in p.domains]
    return Work(unit, tuple(draws), tuple(trainings))


def _benchmark(unit: Unit, counted: Counted) -> Work:
    p = unit.params
    draws = [
        Draw(name, 2 * counted[name].test * p.samples, p.max_tokens)
        for name in p.domains
    ]
    return Work(unit, tuple(draws))


def _often(draw: Draw, times: float) -> Draw:
    return Draw(draw.domain, times * draw.samples, draw.max_tokens)
