"""Which adapters step 6 trains: on which domains' rows, by which seeds."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from .organic_control import organic_name


class PlanParams(Protocol):
    """What decides the plan; see step 6's parameters."""

    domains: list[str]
    rng_seed: int
    train_seeds: list[int]
    sequence: bool
    organic_alone: bool


class PlannedAdapter(NamedTuple):
    """An adapter to train: on which domains, by which seed, and whether in turn.

    With `shares` each domain makes up so much of all trained tokens; with `organic` its
    organic rows alone are trained on.
    """

    name: str
    domains: list[str]
    rng_seed: int
    in_turn: bool = False
    shares: tuple[float, ...] = ()
    organic: bool = False


def adapter_plan(names: list[str]) -> dict[str, list[str]]:
    """Which domains each adapter trains on: every one alone, then all merged."""
    alone = {name: [name] for name in names}
    return alone | {"+".join(names): names} if len(names) > 1 else alone


def training_plan(params: PlanParams) -> list[PlannedAdapter]:
    """Every adapter that is trained, in order.

    Each domain alone, all merged, with `train_seeds` again by every further seed, with
    `sequence` one domain after the other, and with `organic_alone` each domain's
    organic rows.
    """
    seeds = params.train_seeds or [params.rng_seed]
    plan = [
        PlannedAdapter(name, names, seeds[0])
        for name, names in adapter_plan(params.domains).items()
    ]
    last = plan[-1]
    plan += [
        PlannedAdapter(f"{last.name}@{seed}", last.domains, seed) for seed in seeds[1:]
    ]
    if params.sequence and len(params.domains) > 1:
        name = "-then-".join(params.domains)
        plan.append(PlannedAdapter(name, params.domains, seeds[0], in_turn=True))
    for name in params.domains if params.organic_alone else ():
        plan.append(PlannedAdapter(organic_name(name), [name], seeds[0], organic=True))
    return plan


def final_adapters(params: PlanParams) -> list[str]:
    """The adapter that all domains were merged for, of each training seed."""
    final = list(adapter_plan(params.domains))[-1]
    return [final, *(f"{final}@{seed}" for seed in params.train_seeds[1:])]
