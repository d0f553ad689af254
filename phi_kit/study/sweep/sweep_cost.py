"""What a sweep will take, before it is run: its variants, notebooks, hours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from phi_kit.core.errors import ModelError
from phi_kit.core.number_format import NOTHING, aligned_table, count, duration, plural
from phi_kit.core.paths import display_path
from phi_kit.study.planning.finished_units import FinishedUnit
from phi_kit.study.planning.plan_table import StepPlan, plan_steps
from phi_kit.study.planning.speed_probe import MachineSpeed, measure

from .finished_results import FinishedResults
from .sweep_config import Sweep
from .sweep_race import SweepRace, fresh_variant
from .sweep_variant import Variant
from .work_plan import WorkItem, finished_items, place_in_study, plan_work


class SweepCost(NamedTuple):
    """A sweep's notebooks, and what those that are left will take.

    Attributes:
        items: every notebook once.
        finished: the keys of those that need not run.
        plans: what each of the others takes, by its key; none if nothing is known.
        unknown: why nothing is known.
    """

    items: Mapping[str, WorkItem]
    finished: frozenset[str]
    plans: Mapping[str, StepPlan]
    unknown: str = ""


def sweep_cost(sweep: Sweep, *, seconds: float) -> SweepCost:
    """Plan a sweep; where something is left to run, with a probe of this machine.

    One probe of the first variant stands for all that ask the same model about the
    same domains: how many seeds a band holds is taken from it for every band.

    Args:
        sweep: the sweep.
        seconds: for the sampling of each probe.

    Raises:
        RunError: a file that a study names cannot be read.
        DataError: the first seeds of a domain cannot be read or trained on.
    """
    variants = _run_variants(sweep)
    items = plan_work(variants)
    found = finished_items(items, FinishedResults())
    finished = frozenset(found)
    plans: dict[str, StepPlan] = {}
    speeds: dict[tuple, MachineSpeed] = {}
    try:
        for variant in variants:
            own = {place_in_study(unit): unit for unit in variant.units}
            keys = {
                place: key
                for key, item in items.items()
                if variant.name in item.units
                for place in [place_in_study(item.units[variant.name])]
            }
            left = {place for place in own if keys[place] not in finished | set(plans)}
            if not left:
                continue
            kind = _asked(variant)
            if kind not in speeds:
                speeds[kind] = measure(variant.study.units(), seconds=seconds)
            done = {
                (unit.step, unit.domain): FinishedUnit.of(found[keys[place]])
                for place, unit in own.items()
                if keys[place] in finished
            }
            for plan in plan_steps(variant.study.units(), speeds[kind], 0.0, done=done):
                if (place := place_in_study(plan.unit)) in left:
                    plans[keys[place]] = plan
    except ModelError as error:  # an endpoint is not probed
        return SweepCost(items, finished, {}, error.what)
    return SweepCost(items, finished, plans)


def _run_variants(sweep: Sweep) -> list[Variant]:
    """The variants that a run would see to its end, as far as a race has told.

    Of a race the winner is measured again; until it is known, the first contestant
    stands for it.
    """
    if not sweep.race:
        return list(sweep.variants)
    items = plan_work(sweep.variants)
    race = SweepRace(sweep, items)
    dropped = race.look(finished_items(items, FinishedResults()), ())
    first = next(iter(race.entries.values()))
    again = race.again or fresh_variant(sweep, first, at=sweep.race.at)
    return [*(one for one in sweep.variants if one.name not in dropped), again]


def _asked(variant: Variant) -> tuple:
    """What a probe's speed hangs on most: the model and the domains it is asked."""
    units = variant.study.units()
    domains = tuple(dict.fromkeys(unit.domain for unit in units if unit.domain))
    return units[0].params.model, getattr(units[0].params, "style", ""), domains


def cost_lines(sweep: Sweep, cost: SweepCost) -> Iterator[str]:
    """The variants, their notebooks and the sum, as text."""
    yield f"{plural(len(sweep.variants), 'variant')} of {display_path(sweep.base)}"
    if sweep.repeated:
        yield f"({sweep.repeated} more would set what another one sets)"
    for variant in sweep.variants:
        yield f"  {variant.name}"
        yield f"      {'  '.join(variant.sets)}"
    yield ""
    titles = list(dict.fromkeys(item.title for item in cost.items.values()))
    rows = [
        _row(title, [k for k, i in cost.items.items() if i.title == title], cost)
        for title in titles
    ]
    total = _row("all", list(cost.items), cost)
    head = ["", "notebooks", "finished", "time", "at most", "answer tokens"]
    yield from aligned_table([[*head, "trained tokens"], *rows, total])
    alone = sum(len(variant.units) for variant in sweep.variants)
    left = len(cost.items) - len(cost.finished)
    yield (
        f"{plural(alone, 'notebook')} if every variant ran alone; "
        f"{len(cost.items)} different ones, {left} left to run"
    )
    if cost.unknown:
        yield f"what they take is not known: {cost.unknown}"
    elif left:
        yield (
            "The time is of one notebook after another, from a probe of the first "
            "variant. Not counted: what the ledger has already."
        )
    if sweep.race:
        yield (
            "The race may leave out a part of it. That the winner is measured again "
            "is counted, with what it would take of the first variant."
        )


def _row(title: str, keys: Sequence[str], cost: SweepCost) -> list[str]:
    plans = [cost.plans[key] for key in keys if key in cost.plans]
    done = sum(key in cost.finished for key in keys)
    cells = [title, count(len(keys)), count(done)]
    if not plans:
        return cells
    sampled, trained = (
        sum(getattr(plan, name) for plan in plans) for name in ("sampled", "trained")
    )
    return [
        *cells,
        duration(sum(plan.seconds for plan in plans)),
        duration(sum(plan.most for plan in plans)),
        count(sampled) if sampled else NOTHING,
        count(trained) if trained else NOTHING,
    ]
