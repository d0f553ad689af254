"""What a race of variants is: who takes part, in which rounds, measured where.

Variants that differ in random seeds alone are one contestant; each of its seeds is a
round, and after a round everybody who is still in is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pydantic import Field

from phi_kit.core import step_table
from phi_kit.core.params import Strict
from phi_kit.core.step_table import Step
from phi_kit.stats.racing import RUN_SPREAD

from .sweep_variant import Variant

_STEPS = {step.name: step for step in step_table.STEPS}


class RaceSettings(Strict):
    """How variants are raced; `race: true` takes all of it as it is here.

    Args:
        at: the step whose held-out dev items decide.
        arm: of step 4, if that is the step.
        spread: points of 1 that a recipe's accuracy moves from one training run to the
            next, as a standard deviation; where the runs show more, that holds.
    """

    at: Literal["probe_sft", "expand_domains"] = "probe_sft"
    arm: str = "teachable"
    spread: float = Field(RUN_SPREAD, ge=0, lt=1)

    @property
    def step(self) -> Step:
        """Where it is decided."""
        return _STEPS[self.at]


class Contestant(NamedTuple):
    """Variants that differ in random seeds alone.

    Attributes:
        name: of the first of them.
        rounds: one variant each.
    """

    name: str
    rounds: tuple[Variant, ...]


def contestants(variants: Sequence[Variant]) -> list[Contestant]:
    """Everybody who takes part; the rounds of all of them have one order."""
    groups: dict[tuple[str, ...], dict[tuple[str, ...], Variant]] = {}
    order: dict[tuple[str, ...], None] = {}
    for variant in variants:
        seeds = tuple(filter(is_seed, variant.sets))
        rest = tuple(text for text in variant.sets if text not in seeds)
        groups.setdefault(rest, {})[seeds] = variant
        order.setdefault(seeds)
    found = []
    for own in groups.values():
        rounds = tuple(own[seeds] for seeds in order if seeds in own)
        found.append(Contestant(rounds[0].name, rounds))
    return found


def is_seed(setting: str) -> bool:
    """Whether a setting says which random numbers are drawn, and nothing else."""
    path = setting.partition("=")[0]
    return path.rpartition(".")[2] in ("rng_seed", "train_seeds")


def race_fault(race: RaceSettings, variants: Sequence[Variant]) -> str:
    """Why such variants cannot be raced; empty if they can."""
    entries = contestants(variants)
    if len(entries) < 2:
        return "one alone is no race: vary something else than random seeds"
    rounds = {tuple(filter(is_seed, one.sets)) for one in variants}
    if any(len(entry.rounds) < len(rounds) for entry in entries):
        return (
            "everybody needs the same random seeds: give them under rng_seeds or grid"
        )
    for variant in variants:
        at = [unit.params for unit in variant.units if unit.step == race.at]
        if not at:
            return f"the sweep ends before {race.at}, where a race is decided"
        if race.at == "probe_sft" and any(race.arm not in p.arms for p in at):
            return f"'{variant.name}' has no arm '{race.arm}' in step 4"
    return ""
