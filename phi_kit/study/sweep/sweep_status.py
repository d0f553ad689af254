"""Where a sweep stands, for who looks on: by its file while it runs, else by disk."""

from __future__ import annotations

import time
from collections.abc import Callable

from .finished_results import FinishedResults
from .sweep_config import Sweep
from .sweep_state import SweepState, WorkState, is_going_on, read_state
from .sweep_table import LiveTable, failures, table
from .work_plan import finished_items, plan_work

Say = Callable[[str], None]
_LOOK_SECONDS = 2.0


def sweep_state(sweep: Sweep) -> SweepState:
    """Where every variant stands now.

    Of a sweep that nobody runs the manifests tell what is finished, wherever it was
    run; its file only tells what failed, as long as the same would be run again.

    Raises:
        RunError: a file that a study names cannot be read.
        ModelError: there is no such model.
    """
    told = read_state(sweep.name)
    if is_going_on(sweep.name):
        return told
    items = plan_work(sweep.variants)
    finished = finished_items(items, FinishedResults())
    state = SweepState(sweep.name, {one.name: list(one.sets) for one in sweep.variants})
    for key, item in items.items():
        kind = "finished" if key in finished else "waiting"
        state.work[key] = WorkState(item.title, list(item.units), kind)
    state.failures = {
        name: failure
        for name, failure in told.failures.items()
        if name in state.variants and failure.key in items.keys() - finished.keys()
    }
    return state


def show_status(sweep: Sweep, *, say: Say, live: LiveTable | None = None) -> None:
    """Print the table of a sweep; redraw it as long as the sweep runs, if watched.

    Args:
        sweep: the sweep.
        say: takes one line of text.
        live: draws the table in place.
    """
    while live and is_going_on(sweep.name):
        live.draw(read_state(sweep.name))
        time.sleep(_LOOK_SECONDS)
    state = sweep_state(sweep)
    if live:
        live.draw(state, now=True)
    else:
        for line in table(state):
            say(line)
    for line in failures(state):
        say(line)
