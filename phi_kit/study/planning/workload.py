"""What the steps of a study will do: samples to draw, rows to train on.

Counted from the study file before anything runs. What only a run can tell, how many
seeds are teachable above all, is taken from a short probe, or at its most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from phi_kit.core import step_table
from phi_kit.core.answer_style import Style, token_limit
from phi_kit.core.errors import DataError
from phi_kit.data.read_sources import read_source
from phi_kit.data.source_types import HubData
from phi_kit.steps import expand_domains
from phi_kit.study.config import Unit


@dataclass(frozen=True)
class StepLoad:
    """All that a unit does with the model.

    Attributes:
        unit: the step and its domain.
        samples: how many are drawn, by domain and the tokens each may have.
        rows: how many are trained on, repeats included, by domain.
        runs: training runs, each of which is set up anew.
    """

    unit: Unit
    samples: Mapping[tuple[str, int], float] = field(default_factory=dict)
    rows: Mapping[str, float] = field(default_factory=dict)
    runs: float = 0


@dataclass
class DomainState:
    """What earlier steps leave of a domain for later ones."""

    dev: int = 0  # samples of one round of its dev items
    limit: int = 0  # tokens each of these may have
    style: Style = "answer"  # what holds in steps without a limit of their own
    test: int = 0  # test items
    seeds: float = 0
    teachable: float = 0
    frozen: float = 0
    epochs: int = 1  # of its probe, which `recipe: best` takes over


UnitKey = tuple[str, str]  # step and domain


def workload(
    units: Sequence[Unit],
    *,
    seeds: Mapping[str, float],
    shares: Mapping[str, float],
    kept_rows: Mapping[UnitKey, int],
) -> Iterator[StepLoad]:
    """The load of every unit, in their order.

    Args:
        units: of a whole study: later ones build on what earlier ones leave.
        seeds: of each domain, after step 2.
        shares: of each domain's seeds, how many will be teachable.
        kept_rows: of finished units.
    """
    states: dict[str, DomainState] = {}
    for unit in units:
        state, p = states.setdefault(unit.domain, DomainState()), unit.params
        rows = kept_rows.get((unit.step, unit.domain))
        if unit.params.STEP == step_table.PICK_DOMAIN:
            state.dev, state.style = p.dev_items * p.samples, p.style
            state.limit = token_limit(p.max_tokens, p.style)
            state.test = p.test_items
            yield StepLoad(unit, {(unit.domain, state.limit): state.dev})
        elif unit.params.STEP == step_table.COLLECT_SEEDS:
            state.seeds = seeds[unit.domain]
            yield StepLoad(unit)
        elif unit.params.STEP == step_table.FILTER_EDGE:
            yield _filter(unit, state, shares[unit.domain], rows)
        elif unit.params.STEP == step_table.PROBE_SFT:
            yield _probe(unit, state)
        elif unit.params.STEP == step_table.SYNTHESIZE:
            most = state.teachable / p.organic_share
            state.frozen = most if rows is None else rows
            yield StepLoad(unit)
        elif unit.params.STEP == step_table.EXPAND_DOMAINS:
            yield _expand(unit, states)
        else:
            both = {
                (n, token_limit(p.max_tokens, states[n].style)): 2
                * states[n].test
                * p.samples
                for n in p.domains
            }
            yield StepLoad(unit, both)  # base and the final adapter


def seeds_read(params: Any) -> int:
    """Rows that step 2 reads; a source without a limit is read to count them.

    Raises:
        DataError: such a source lies on the hub.
    """
    if params.limit:
        return params.limit
    for source in params.sources:
        if isinstance(source, HubData) and not source.limit:
            raise DataError(
                "a hub data set without a limit cannot be planned for",
                where=source.name,
                todo="give it a limit: in the study file",
            )
    return sum(
        source.limit or sum(1 for _ in read_source(source, "", families=(), rng_seed=0))
        for source in params.sources
    )


def _filter(
    unit: Unit, state: DomainState, share: float, kept_rows: int | None
) -> StepLoad:
    p = unit.params
    state.teachable = share * state.seeds if kept_rows is None else kept_rows
    if p.wanted:
        state.teachable = min(state.teachable, p.wanted)
    each = min(max(p.budget, p.samples), p.max_samples)
    samples = each * state.seeds + p.confirm * share * state.seeds
    limit = token_limit(p.max_tokens, state.style)
    return StepLoad(unit, {(unit.domain, limit): samples})


def _probe(unit: Unit, state: DomainState) -> StepLoad:
    """Every run sees as many tokens as the teachable arm: arms, trials, doses."""
    p = unit.params
    seeds = len(p.train_seeds) or 1
    trials = len(list(p.search.configs(p))) if p.search else 0
    doses = [share for share in p.dose if share < 1]
    full = len(p.arms) * seeds + trials
    runs, passes = full + len(doses) * seeds, full + sum(doses) * seeds
    state.epochs = p.epochs
    rows = state.teachable * p.epochs
    samples = state.dev * (runs + _evaluations(passes, rows, p))
    samples += p.drift_samples * state.seeds
    return StepLoad(
        unit,
        {(unit.domain, state.limit): samples},
        {unit.domain: passes * rows},
        runs,
    )


def _expand(unit: Unit, states: Mapping[str, DomainState]) -> StepLoad:
    p = unit.params
    best = p.recipe == "best"
    rows = {
        name: states[name].frozen * (states[name].epochs if best else p.epochs)
        for name in p.domains
    }
    adapters = expand_domains.adapter_plan(p.domains).values()
    rounds = len(adapters) + sum(
        _evaluations(1, sum(rows[name] for name in among), p) for among in adapters
    )
    return StepLoad(
        unit,
        {(n, states[n].limit): rounds * states[n].dev for n in p.domains},
        {n: rows[n] * sum(n in among for among in adapters) for n in p.domains},
        len(adapters),
    )


def _evaluations(passes: float, rows: float, params: Any) -> float:
    """How often runs over so many rows ask the held-out items in between."""
    if not params.eval_steps:
        return 0
    return passes * ceil(rows / params.batch) // params.eval_steps
