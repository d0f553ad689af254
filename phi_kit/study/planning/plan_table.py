"""What a study will take: time, memory, tokens, energy and money, step by step.

The study file says how much is to be done (`workload`), a short probe how fast this
machine does it (`speed_probe`), `memory_fit` whether training fits into its memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from phi_kit.core import step_table
from phi_kit.core.number_format import (
    NOTHING,
    aligned_table,
    count,
    duration,
    percent,
)
from phi_kit.study.config import Unit
from phi_kit.study.notebook import warm_kernels

from .finished_units import FinishedUnit
from .memory_fit import MemoryFit
from .speed_probe import MachineSpeed, ProbedDomain, without_model
from .teacher_bill import bill_lines
from .workload import StepLoad, TeacherLoad, UnitKey, seeds_read, workload

# Seconds of every notebook beside its step: a kernel that is forked, tables, figures;
# and what a kernel that starts from nothing imports (kit defaults: on two cores the
# quickstart's notebooks 2 and 5 took 0.7 to 2.1 s more than their steps; a kernel was
# ready in 0.4 s where it was forked and in 6.5 s where it was not).
NOTEBOOK, IMPORTS = 2.0, 6.0
FORMULA = "phi_kit/study/planning/memory_estimate.py"


@dataclass(frozen=True)
class StepPlan:
    """What one unit will take; `most` if the share of teachable seeds is high.

    Attributes:
        done: if it has finished; nothing of it is left to do.
        load: expected.
        most_load: at most, by the study file.
        seconds: expected.
        most: at most; a machine may still become slower.
        sampled: tokens of answers, expected.
        trained: tokens of rows, expected.
        memory: bytes at the peak.
    """

    done: FinishedUnit | None
    load: StepLoad
    most_load: StepLoad
    seconds: float
    most: float
    sampled: float
    trained: float
    memory: float

    @property
    def unit(self) -> Unit:
        """The step and its domain."""
        return self.load.unit


@dataclass(frozen=True)
class Prices:
    """Power of the machine at work; prices of energy and of the machine per hour."""

    watts: float = 0.0
    per_kwh: float = 0.0
    per_hour: float = 0.0

    def energy(self, seconds: float) -> float:
        """In kWh."""
        return self.watts * seconds / 3.6e6

    def money(self, seconds: float) -> float:
        """For so much time, the energy included."""
        return self.per_kwh * self.energy(seconds) + self.per_hour * seconds / 3600

    def columns(self, seconds: float) -> dict[str, str]:
        """The table's columns for so much time; those without a price are left out."""
        cells = {}
        if self.watts:
            cells["kWh"] = f"{self.energy(seconds):.3f}"
        if self.per_hour or (self.watts and self.per_kwh):
            cells["money"] = f"{self.money(seconds):.2f}"
        return cells


def plan_steps(
    units: Sequence[Unit],
    speed: MachineSpeed,
    training_bytes: float,
    *,
    done: Mapping[UnitKey, FinishedUnit] | None = None,
) -> list[StepPlan]:
    """What every unit will take on this machine.

    Args:
        units: of the whole study, in order.
        speed: of this machine at this study's work.
        training_bytes: memory in use at the peak of training.
        done: the units that need not run; none if they are not given.

    Raises:
        DataError: a source is without limit and too large to be counted.
    """
    done = done or {}
    return [
        StepPlan(
            done.get(_key(load.unit)),
            load,
            most,
            _seconds(load, speed),
            _seconds(most, speed),
            _sampled(load, speed)[0],
            _trained(load, speed),
            max(
                speed.sampling_bytes if load.samples else 0,
                training_bytes if load.rows else 0,
            ),
        )
        for load, most in expected_loads(units, speed.domains, done)
    ]


def expected_loads(
    units: Sequence[Unit],
    probed: Mapping[str, ProbedDomain],
    done: Mapping[UnitKey, FinishedUnit],
) -> Iterator[tuple[StepLoad, StepLoad]]:
    """What every unit has to do: expected, and at most."""
    kept_rows = {key: unit.kept for key, unit in done.items() if unit.kept is not None}
    seeds = {
        unit.domain: _seeds(unit, kept_rows)
        for unit in units
        if unit.params.STEP == step_table.COLLECT_SEEDS
    }
    ends = zip(*(domain.outlook() for domain in probed.values()), strict=True)
    loads = [
        workload(
            units,
            seeds=seeds,
            outlooks=dict(zip(probed, outlooks, strict=True)),
            kept_rows=kept_rows,
        )
        for outlooks in ends
    ]
    return zip(*loads, strict=True)


def _seeds(unit: Unit, kept_rows: Mapping[UnitKey, int]) -> int:
    """Rows of a domain after its step 2: those it kept, else those it will read."""
    rows = kept_rows.get(_key(unit))
    return seeds_read(unit.params) if rows is None else rows


def _key(unit: Unit) -> UnitKey:
    return unit.step, unit.domain


def _sampled(load: StepLoad, speed: MachineSpeed) -> tuple[float, float]:
    """Tokens of answers, and the seconds they take."""
    tokens, seconds = 0.0, 0.0
    for kind, samples in load.samples.items():
        answers = getattr(speed.domains[kind.domain], kind.how)
        some = samples * answers.each(kind.limit)
        tokens, seconds = tokens + some, seconds + some / answers.tps
    return tokens, seconds


def _trained(load: StepLoad, speed: MachineSpeed) -> float:
    return sum(rows * speed.domains[domain].row for domain, rows in load.rows.items())


def notebook_seconds() -> float:
    """What every notebook takes beside its step, as kernels start here."""
    return NOTEBOOK + IMPORTS * (not warm_kernels.wanted())


def _seconds(load: StepLoad, speed: MachineSpeed) -> float:
    return (
        notebook_seconds()
        + speed.load * bool(load.samples or load.rows)
        + _sampled(load, speed)[1]
        + _trained(load, speed) / speed.train_tps
        + load.runs * speed.setup
    )


def table(
    plans: Sequence[StepPlan], speed: MachineSpeed, prices: Prices
) -> Iterator[str]:
    """The plan of a study on this machine, in lines."""
    left = [plan for plan in plans if plan.done is None]
    rows = [
        {"step": plan.unit.title, "time": _done(plan.done)}
        if plan.done is not None
        else {"step": plan.unit.title, **_cells([plan], prices)}
        for plan in plans
    ]
    rest = "all that is left" if len(left) < len(plans) else "all"
    total = {"step": rest, **_cells(left, prices)}
    lines = [[row.get(name, "") for name in total] for row in [*rows, total]]
    yield from aligned_table([list(total), *lines])
    yield ""
    if unknown := [name for plan in left for name in plan.load.uncounted]:
        yield (
            f"Not counted: {', '.join(unknown)}, whose items lie on the hub; "
            "benchmark.benchmark_items says how many are asked."
        )
    yield from _probe(speed)
    loads = [(plan.load, plan.most_load) for plan in left]
    yield from bill_lines([plan.unit for plan in plans], loads)


def _done(unit: FinishedUnit) -> str:
    how = f"from '{unit.study}'" if unit.study else "done"
    return f"{how} ({duration(unit.seconds)})"


def _cells(plans: Sequence[StepPlan], prices: Prices) -> dict[str, str]:
    """The columns of some steps together."""
    seconds = sum(plan.seconds for plan in plans)
    memory = max((plan.memory for plan in plans), default=0)
    return {
        "time": duration(seconds),
        "at most": duration(sum(plan.most for plan in plans)),
        "answer tokens": _tokens(sum(plan.sampled for plan in plans)),
        "teacher tokens": _tokens(TeacherLoad.of(plan.load for plan in plans).tokens),
        "trained tokens": _tokens(sum(plan.trained for plan in plans)),
        "memory": _gb(memory) if memory else NOTHING,
        **prices.columns(seconds),
    }


def _tokens(number: float) -> str:
    return count(number) if number else NOTHING


def _gb(size: float) -> str:
    return f"{size / 1e9:.2f} GB"


def _probe(speed: MachineSpeed) -> Iterator[str]:
    yield (
        f"From a probe of {duration(speed.seconds)}: {speed.train_tps:.0f} tokens/s "
        f"trained; engine {speed.engine} sampled, and is assumed to do so in the study."
    )
    for name, probed in speed.domains.items():
        plain, ends = probed.plain, zip(*probed.outlook(), strict=True)
        _, (likely, most), *_ = ends
        seeds = (
            f"{probed.teachable} of {probed.asked} seeds teachable "
            f"({percent(likely)} expected, at most {percent(most)})"
        )
        if not probed.asked:
            seeds = "a judge decides, who is not asked here: all seeds count"
        shown = f", {probed.shown.tps:.0f} after worked examples" * bool(
            probed.shown.samples
        )
        each = plain.tokens / max(plain.samples, 1)
        yield (
            f"  {name}: {seeds}, {each:.1f} tokens an answer, {probed.row:.0f} a row, "
            f"{plain.tps:.0f} tokens/s sampled{shown}"
        )
        if plain.truncated:
            yield (
                f"    {plain.truncated} of {plain.samples} answers were longer than "
                "the probe waited for; they count with all the tokens they may have"
            )
        if probed.guessed:
            yield (
                f"    {probed.guessed} of {len(probed.rows)} seeds have no response "
                "yet; their rows count with all the tokens they may have"
            )
    yield (
        "'at most' takes the upper end of the share that is teachable. Until step 2 "
        "has run, seeds count as if it dropped none. Not counted: what the ledger has "
        "already, and the time that other models take."
    )


def bill_without_probe(
    units: Sequence[Unit], done: Mapping[UnitKey, FinishedUnit]
) -> Iterator[str]:
    """What a teacher is asked, where no model is loaded: lines; none without one."""
    if any(getattr(unit.params, "teacher", "") for unit in units):
        loads = expected_loads(units, without_model(units), done)
        left = [both for both in loads if _key(both[0].unit) not in done]
        yield from bill_lines(units, left)


def fit_lines(fit: MemoryFit, *, terms: bool) -> Iterator[str]:
    """Whether training fits, what it takes (term by term), what is given up for it."""
    setup = fit.setup
    how = "computed twice" if setup.checkpointing else "kept"
    yield (
        f"training {setup.model}: rank {setup.rank}, rows of at most "
        f"{setup.row_tokens} tokens, micro-batches of {setup.micro_tokens}, "
        f"activations {how}"
    )
    if terms:
        rows = [
            [f"  {text}", _gb(getattr(fit.terms, name))] for name, text in TERMS.items()
        ]
        rows.append(["  a margin", _gb(fit.needed - fit.terms.tensors)])
        rows.append(["  in all", _gb(fit.needed)])
        yield from aligned_table(rows)
        yield f"  a formula, not a measurement: see {FORMULA}"
    if not fit.fits:
        yield f"does NOT fit into {_gb(fit.room)}, nor does any rung of the ladder"
        return
    lacks = "; ".join(setup.downgrades(fit.wanted)) or "nothing"
    yield f"fits into {_gb(fit.room)}; given up for it: {lacks}"
    if fit.settings:
        sets = [f"--set {name}={value}" for name, value in fit.settings.items()]
        yield f"  phi-kit run … {' '.join(sets)}"


TERMS = {
    "weights": "weights (NF4; embeddings as they are)",
    "adapter": "adapter, gradients, optimiser",
    "activations": "activations",
    "head": "logits of a block",
    "floats": "one layer as floats",
}
