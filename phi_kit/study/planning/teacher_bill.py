"""What the teacher of a study is going to be asked, and what that costs.

The study file says it, so it is said without a probe, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from phi_kit.core import step_table
from phi_kit.core.endpoint_url import is_endpoint
from phi_kit.core.number_format import count
from phi_kit.inference.endpoint.budget import Amount, Budget
from phi_kit.study.config import Unit

from .workload import StepLoad, TeacherLoad

# The shares of `speed_probe.TEACHER_RIGHT` in words.
ASSUMED = "if every other one may be trained on (at most: none)"


def bill_lines(
    units: Sequence[Unit], loads: Sequence[tuple[StepLoad, StepLoad]]
) -> Iterator[str]:
    """What each teacher is asked, in lines; none where nothing is left to ask.

    Args:
        units: of the study.
        loads: of those that are left, expected and at most.
    """
    steps = [unit for unit in units if unit.params.STEP == step_table.FILTER_EDGE]
    names = {unit.domain: unit.params.teacher for unit in steps}
    for name in dict.fromkeys(filter(None, names.values())):
        its = [both for both in loads if names.get(both[0].unit.domain) == name]
        likely, most = (TeacherLoad.of(both[end] for both in its) for end in (0, 1))
        if most.samples:
            yield f"The teacher {name} is asked for"
            yield f"  {_both(likely.samples, most.samples)} samples, {ASSUMED}"
            yield (
                f"  {_both(likely.written, most.written)} tokens of them, were each "
                "as long as it may be"
            )
            yield f"  {_both(likely.read, most.read)} tokens of prompts"
            yield from _limits([u.params for u in steps if u.params.teacher == name])
            budget = Budget(name, steps[0].params.endpoint, None)
            yield from _price(budget, likely, most)


def _limits(steps: Sequence[Any]) -> Iterator[str]:
    """What bounds a teacher's samples: its budget in each domain, if it has one."""
    budgets = [params.teacher_budget for params in steps]
    if all(budgets):
        each = " + ".join(count(budget) for budget in budgets)
        yield f"  its budget: {each} samples, in steps 3 and 5 of a domain together"


def _price(budget: Budget, likely: TeacherLoad, most: TeacherLoad) -> Iterator[str]:
    costs = [budget.price(load.read, load.written) for load in (likely, most)]
    if not is_endpoint(budget.model):
        yield "  it runs on this machine and has no price"
    elif None in costs:
        yield "  price unknown: set endpoint.price_in and endpoint.price_out"
    else:
        yield f"  price {costs[0]:,.2f}, at most {costs[1]:,.2f}"
    if not budget.fits(Amount(round(likely.tokens), costs[0] or 0.0)):
        yield "  more than the study's budget: it would stop there"


def _both(likely: float, most: float) -> str:
    return f"{count(likely)} (at most {count(most)})"
