"""What a study will take: time, memory, tokens, energy and money, step by step.

The study file says how much is to be done (`work`), a short probe how fast this
machine does it (`pace`), `fitting` whether training fits into its memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from phi_kit.core.errors import DataError, RunError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.step_state import run_folder_path, up_to_date
from phi_kit.data.read_sources import read_source
from phi_kit.data.source_types import HubData, Source
from phi_kit.stats.intervals import wilson_interval
from phi_kit.study.config import Unit

from . import workload
from .probe_speed import Answers, Pace
from .workload import Work

# A kernel that starts, its imports, tables and figures: seconds of every notebook.
# The kit's own figure, from the quickstart's steps 2 and 5, which ask no model.
NOTEBOOK = 5.0


@dataclass(frozen=True)
class Prices:
    """What time and energy cost; in any one currency.

    Attributes:
        watts: the machine's power while it works.
        per_kwh: of energy.
        per_hour: of the machine, rented.
    """

    watts: float = 0.0
    per_kwh: float = 0.0
    per_hour: float = 0.0

    def energy(self, seconds: float) -> float:
        """In kWh."""
        return self.watts * seconds / 3.6e6

    def money(self, seconds: float) -> float:
        """For so much time, the energy included."""
        return self.per_kwh * self.energy(seconds) + self.per_hour * seconds / 3600


@dataclass(frozen=True)
class Step:
    """What one unit will take; `most` if every seed were teachable.

    Attributes:
        unit: the step and its domain.
        done: seconds it took, if it has finished; nothing of it is left to do.
        seconds: expected.
        most: at most, by the study file; a machine may still become slower.
        drawn: tokens of answers, expected.
        trained: tokens of rows, expected.
        memory: bytes at the peak.
    """

    unit: Unit
    done: float | None
    seconds: float
    most: float
    drawn: float
    trained: float
    memory: float


def steps(units: Sequence[Unit], pace: Pace) -> list[Step]:
    """What every unit will take on this machine.

    Args:
        units: of the whole study, in order.
        pace: of this machine at this study's work.

    Raises:
        DataError: a source is without limit and too large to be counted.
    """
    done = _done(units)
    size = _once(_size)

    def kept(unit: Unit) -> int | None:
        entry = done.get(run_folder_path(unit.params))
        return entry.kept if entry else None

    def counted(end: int) -> Iterator[Work]:
        shares = {name: share(one)[end] for name, one in pace.answers.items()}
        return workload.works(units, shares=shares, size=size, kept=kept)

    return [
        _step(likely, at_most, pace, done.get(run_folder_path(likely.unit.params)))
        for likely, at_most in zip(counted(0), counted(1), strict=True)
    ]


def share(answers: Answers) -> tuple[float, float]:
    """Teachable among the seeds probed: what to expect, and the 95 % upper end.

    The first is the posterior mean under Jeffreys' prior: none of three is not none.
    """
    if not answers.asked:
        return 1.0, 1.0
    k, n = answers.teachable, answers.asked
    return (k + 0.5) / (n + 1), wilson_interval(k, n)[1]


def _step(likely: Work, at_most: Work, pace: Pace, done: Done | None) -> Step:
    unit = likely.unit
    training = pace.peak.total if pace.peak else 0
    needs = pace.sampling if likely.draws else 0
    return Step(
        unit=unit,
        done=done.seconds if done else None,
        seconds=_seconds(likely, pace),
        most=_seconds(at_most, pace),
        drawn=_drawn(likely, pace),
        trained=_trained(likely, pace),
        memory=max(needs, training) if likely.trainings else needs,
    )


class Done(NamedTuple):
    """What a finished unit tells: seconds it took, rows it kept."""

    seconds: float
    kept: int | None


def _done(units: Sequence[Unit]) -> dict[Path, Done]:
    """The units that need not run again, by their run folder."""
    found: dict[Path, Done] = {}
    left: set[Path] = set()
    for unit in units:
        folders = unit.params.upstream().values()
        done = _finished(unit)
        # What reads a step that is redone is going to change.
        if done is None or left & {folder.path for folder in folders}:
            left.add(run_folder_path(unit.params))
        else:
            found[run_folder_path(unit.params)] = done
    return found


def _finished(unit: Unit) -> Done | None:
    folder = RunFolder(run_folder_path(unit.params))
    try:
        if up_to_date(unit.params):
            flow = folder.manifest["flow"] or {}
            return Done(float(folder.manifest["seconds"]), flow.get("kept"))
    except RunError:  # what it reads has not finished
        pass
    return None


def _drawn(one: Work, pace: Pace) -> float:
    return sum(
        draw.samples * pace.answers[draw.domain].tokens_each(draw.max_tokens)
        for draw in one.draws
    )


def _trained(one: Work, pace: Pace) -> float:
    return sum(t.rows * pace.answers[t.domain].row for t in one.trainings)


def _seconds(one: Work, pace: Pace) -> float:
    runs = sum(training.runs for training in one.trainings)
    return (
        NOTEBOOK
        + pace.load * bool(one.draws or one.trainings)
        + _drawn(one, pace) / pace.drawn
        + _trained(one, pace) / pace.trained
        + runs * pace.setup
    )


def _once(size: workload.Size) -> workload.Size:
    """The same, each source read but once."""
    known: dict[str, int] = {}

    def looked_up(source: Source) -> int:
        key = source.model_dump_json()
        if key not in known:
            known[key] = size(source)
        return known[key]

    return looked_up


def _size(source: Source) -> int:
    """Rows of a source without a limit, by reading it."""
    if isinstance(source, HubData):
        raise DataError(
            "a hub data set without a limit cannot be planned for",
            where=source.name,
            todo="give it a limit: in the study file",
        )
    return sum(1 for _ in read_source(source, "", families=(), rng_seed=0))
