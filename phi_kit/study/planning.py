"""What a study will take: time, memory, tokens, energy and money, step by step.

The study file says how much is to be done (`work`), a short probe how fast this
machine does it (`pace`). For a card that is elsewhere there is no pace: then only
whether training fits is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from phi_kit.core.errors import DataError, RunError
from phi_kit.core.run_folder import RunFolder
from phi_kit.core.runs import home, upstream
from phi_kit.data.kinds import HubData, Source
from phi_kit.data.sources import read
from phi_kit.metrics.intervals import wilson
from phi_kit.models import catalog
from phi_kit.models.loading import device
from phi_kit.models.shapes import shape_of
from phi_kit.train import ladder, memory
from phi_kit.train.estimate import Peak
from phi_kit.train.footprint import BF16, Memory, Micro, footprint
from phi_kit.train.ladder import Rung

from . import work
from .pace import Answers, Pace
from .reader import Unit
from .runner import is_current
from .work import Work

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
    expected = {n: share(one)[0] for n, one in pace.answers.items()}
    most = {n: share(one)[1] for n, one in pace.answers.items()}
    size = _once(_size)
    both = zip(
        work.works(units, shares=expected, size=size),
        work.works(units, shares=most, size=size),
        strict=True,
    )
    found, redone = [], set()
    for likely, at_most in both:
        params = likely.unit.params
        step = _step(likely, at_most, pace)
        if redone & {folder.path for folder in upstream(params).values()}:
            step = replace(step, done=None)  # what it reads is going to change
        if step.done is None:
            redone.add(home(params))
        found.append(step)
    return found


def share(answers: Answers) -> tuple[float, float]:
    """Teachable among the seeds probed: what to expect, and the 95 % upper end.

    The first is the posterior mean under Jeffreys' prior: none of three is not none.
    """
    if not answers.asked:
        return 1.0, 1.0
    k, n = answers.teachable, answers.asked
    return (k + 0.5) / (n + 1), wilson(k, n)[1]


def _step(likely: Work, at_most: Work, pace: Pace) -> Step:
    unit = likely.unit
    training = pace.peak.total if pace.peak else 0
    needs = pace.sampling if likely.draws else 0
    return Step(
        unit=unit,
        done=_took(unit),
        seconds=_seconds(likely, pace),
        most=_seconds(at_most, pace),
        drawn=_drawn(likely, pace),
        trained=_trained(likely, pace),
        memory=max(needs, training) if likely.trainings else needs,
    )


def _took(unit: Unit) -> float | None:
    """Seconds that a finished unit took; `None` if it has to be run."""
    folder = RunFolder(home(unit.params))
    try:
        if folder.finished and is_current(unit.params):
            return float(folder.manifest["seconds"])
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


def _once(size: work.Size) -> work.Size:
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
    return sum(1 for _ in read(source, "", families=(), rng_seed=0))


# --- does training fit? ---------------------------------------------------------


@dataclass(frozen=True)
class Fitting:
    """The first rung of the ladder that fits, and what it cost.

    Attributes:
        wish: how the study would train if memory were no matter.
        rung: how training would go.
        fits: whether it fits at all.
        room: bytes there are.
        needed: bytes it takes.
        terms: the same term by term, where the formula was asked.
    """

    wish: Rung
    rung: Rung
    fits: bool
    room: float
    needed: float
    terms: Memory | None = None


def by_formula(units: Sequence[Unit], room: float, *, kind: str = "cuda") -> Fitting:
    """The first rung that fits, by the model's sizes; nothing is loaded.

    Args:
        units: of the study; those of steps 4 and 6 say how it trains.
        room: bytes of the card, or what is free here.
        kind: `cuda` or `cpu`.

    Raises:
        ModelError: the model's sizes are not to be had.
    """

    def terms(rung: Rung) -> Memory:
        return footprint(shape_of(rung.model), _micro(rung, kind))

    wish = wished(units, kind=kind)
    rung, fits = ladder.first(
        wish, room, lambda rung: terms(rung).total, smaller(wish.model)
    )
    found = terms(rung)
    return Fitting(wish, rung, fits, room, found.total, found)


def by_probe(units: Sequence[Unit], peak: Peak, free: float) -> Fitting:
    """The first rung that fits here, by what the model itself was measured to take.

    The trainer finds the same by itself as far as time goes; what costs rows or rank
    is for a reader to decide.

    Args:
        units: of the study.
        peak: predicted for its recipe.
        free: bytes that are free with the model loaded.
    """
    wish = wished(units, kind=device())
    recipe = next(unit.params for unit in units if unit.step == "probe_sft")
    room = memory.SHARE * free
    rung, fits = ladder.first(wish, room, lambda rung: peak.of(rung, recipe))
    return Fitting(wish, rung, fits, room, peak.of(rung, recipe))


def wished(units: Sequence[Unit], *, kind: str) -> Rung:
    """How the study would train if memory were no matter: its hardest run."""
    training = [u.params for u in units if u.step in ("probe_sft", "expand_domains")]
    # With `best` step 6 trains as the probes did.
    training = [p for p in training if getattr(p, "recipe", "own") == "own"]
    for params in training:
        params.require_weights()
    row = max(params.max_row_tokens for params in training)
    return Rung(
        model=training[0].model,
        micro_tokens=max(memory.ENOUGH[kind], row),
        checkpointing=any(p.gradient_checkpointing == "on" for p in training),
        row_tokens=row,
        rank=max(rank for params in training for rank in _ranks(params)),
    )


def _ranks(params: Any) -> list[int]:
    """A step's own, and those that its search tries."""
    search = getattr(params, "search", None)
    return [params.rank, *(search.rank if search else [])]


def _micro(rung: Rung, kind: str) -> Micro:
    plain = Micro(rung.micro_tokens, rung.rank, rung.checkpointing)
    if kind == "cuda":
        return plain
    return replace(plain, moments=8, other=2 * BF16, number=2 * BF16)


def smaller(model: str) -> list[str]:
    """The catalogue's models with fewer weights, the largest first."""
    size = shape_of(model).weights
    below = [entry for entry in catalog.entries() if entry.parameters < 0.9 * size]
    below.sort(key=lambda entry: -entry.parameters)
    return [entry.name for entry in below]
