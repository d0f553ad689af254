"""Where a sweep stands, for who looks on: by its file while it runs, else by disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from phi_kit.core.finished_run import RunFolder

from .finished_results import FinishedResults
from .sweep_config import Sweep
from .sweep_race import SweepRace
from .sweep_state import Failure, SweepState, WorkState, is_going_on, read_state
from .sweep_table import LiveTable, failures, table
from .work_plan import WorkItem, finished_items, join_work, plan_work

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
    items, results = plan_work(sweep.variants), FinishedResults()
    finished = finished_items(items, results)
    variants = list(sweep.variants)
    race = SweepRace(sweep, items) if sweep.race else None
    dropped = race.look(finished, _still_failed(told, items, finished)) if race else {}
    if race and race.again:
        variants.append(race.again)
        join_work(items, plan_work([race.again]))
        finished = finished_items(items, results)
    state = SweepState(sweep.name, {one.name: list(one.sets) for one in variants})
    for key, item in items.items():
        kind = "finished" if key in finished else "waiting"
        state.work[key] = WorkState(item.title, list(item.units), kind)
    failures = _still_failed(told, items, finished)
    state.failures = {
        name: one for name, one in failures.items() if name in state.variants
    }
    if race:
        state.dropped, state.notes = dropped, list(race.lines(finished))
    return state


def _still_failed(
    told: SweepState, items: Mapping[str, WorkItem], finished: Mapping[str, RunFolder]
) -> dict[str, Failure]:
    """The failures of notebooks that would be run again."""
    left = items.keys() - finished.keys()
    return {name: one for name, one in told.failures.items() if one.key in left}


def show_status(sweep: Sweep, *, say: Say, live: LiveTable | None = None) -> None:
    """Print the table of a sweep; redraw it as long as the sweep runs, if watched.

    Ctrl-C ends the watching, not the sweep.

    Args:
        sweep: the sweep.
        say: takes one line of text.
        live: draws the table in place.
    """
    try:
        while live and is_going_on(sweep.name):
            live.draw(read_state(sweep.name))
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        say("no longer watched; the sweep goes on")
        return
    state = sweep_state(sweep)
    if live:
        live.draw(state, now=True)
    else:
        for line in table(state):
            say(line)
    for line in [*failures(state), *state.notes]:
        say(line)
