"""QLoRA: a LoRA adapter trained beside frozen NF4 weights.

Built on transformers' Trainer rather than TRL's SFTTrainer: the kit renders
and masks its rows itself (one template for training and evaluation), asks for
logits only at trained positions, and fixes the data order beforehand, none of
which SFTTrainer has a switch for.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from phi_kit.core.errors import disk_errors
from phi_kit.core.rng import label_seed
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.pooled_model import PooledModel

from . import checkpoints
from .checkpoints import Checkpoints
from .data_order import count_tokens, step_order
from .encoding import TrainingRow
from .model_card import ModelCard
from .preflight import CheckedRows, gate
from .recording import recorded
from .row_checks import SealLookup
from .trainer import RunHooks
from .training_config import TrainingConfig
from .training_run import TrainingRun, run_training
from .worker_training import train_on_workers

NO_HOOKS = RunHooks()


@dataclass(frozen=True)
class TrainingResult:
    """What a training run cost and did. Losses are per optimiser step.

    Attributes:
        rows: different rows trained on.
        too_long: rows left out.
        tokens: seen in all, with repeats.
        trained_tokens: those of them the loss saw.
        losses: one per optimiser step.
        gate: the gate's report.
        best_step: the step the adapter is from; the last unless stopped early.
        resumed: the step it carried on from.
        history: one row per step: loss, learning rate, speed, memory.
    """

    rows: int
    too_long: int
    tokens: int
    trained_tokens: int
    losses: list[float] = field(repr=False)
    gate: dict[str, Any] = field(default_factory=dict, repr=False)
    best_step: int = 0
    resumed: int = field(default=0, compare=False)
    history: list[dict[str, Any]] = field(
        default_factory=list, repr=False, compare=False
    )


@recorded(TrainingResult, TrainingConfig)
def train(
    student: LocalModel,
    rows: Sequence[TrainingRow],
    config: TrainingConfig,
    *,
    out: Path,
    rng_seed: int,
    sealed: SealLookup | None = None,
    epochs: Sequence[float] | None = None,
    budget: int | None = None,
    phases: Sequence[int] | None = None,
    hooks: RunHooks = NO_HOOKS,
) -> TrainingResult:
    """Train a fresh adapter on `rows` and save it as a PEFT folder.

    The student comes back as it was: the adapter is taken off again. In a replay
    nothing is trained: see `recording`.

    Args:
        student: the frozen model, NF4 or full.
        rows: rendered prompts with completions.
        config: rank, learning rate, epochs, batch.
        out: the folder the adapter is saved to; its name is the run's.
        rng_seed: names initialisation and data order; the run is repeatable.
        sealed: tells the gate what a text has in common with a held-out item.
        epochs: how often each row is seen; all `config.epochs` if not given.
        budget: trained tokens to see in all, in place of whole epochs.
        phases: when each row is seen, see `data_order.step_order`.
        hooks: checkpoints to carry on from, a watcher, held-out items.

    Raises:
        DataError: the gate refused the rows.
        RunError: the loss became NaN, memory ran out, or the disk is full.
        TrainingStoppedError: by hand, which is a `KeyboardInterrupt` as well.
    """
    checked = gate(student, rows, max_tokens=config.max_row_tokens, sealed=sealed)
    steps = _steps(checked, len(rows), config, rng_seed, epochs, budget, phases)
    with ExitStack() as stack:
        work = hooks.work or Path(stack.enter_context(TemporaryDirectory()))
        run = TrainingRun(
            name=out.name,
            rows=checked,
            steps=steps,
            config=config,
            rng_seed=rng_seed,
            card=ModelCard.of(
                student, rows, checked.report, arm=out.name, config=config
            ),
            checkpoints=_checkpoints(
                student, checked, steps, config, rng_seed, work / out.name
            ),
            hooks=hooks,
        )
        outcome = _finished(run) or _trained(student, run)
        _copy_adapter(run.checkpoints.adapter, out)
    return _result(checked, steps, outcome)


def _steps(
    checked: CheckedRows,
    rows: int,
    config: TrainingConfig,
    rng_seed: int,
    epochs: Sequence[float] | None,
    budget: int | None,
    phases: Sequence[int] | None,
) -> list[list[int]]:
    """The data order over the rows that passed the gate, of so many that came."""
    return step_order(
        checked,
        batch=config.batch,
        epochs=_epochs(checked, rows, epochs, config),
        rng_seed=label_seed(rng_seed, "order"),
        budget=budget,
        phases=phases and [phases[index] for index in checked.indices],
    )


def _epochs(
    checked: CheckedRows,
    rows: int,
    epochs: Sequence[float] | None,
    config: TrainingConfig,
) -> list[float]:
    """How often each row that passed the gate is seen, of so many that came."""
    if epochs is None:
        return [float(config.epochs)] * len(checked)
    if len(epochs) != rows:
        raise ValueError(f"{len(epochs)} epochs for {rows} rows")
    return [float(epochs[index]) for index in checked.indices]


def _checkpoints(
    student: LocalModel,
    rows: CheckedRows,
    steps: list[list[int]],
    config: TrainingConfig,
    rng_seed: int,
    folder: Path,
) -> Checkpoints:
    """Where the run's checkpoints lie: named by all that decides its outcome."""
    stopping = {"eval_steps": config.eval_steps, "patience": config.patience}
    settings = {**config.outcome(), **stopping, "seed": rng_seed}
    key = checkpoints.run_key(student.identity, rows, steps, **settings)
    return Checkpoints.of(folder, key)


def _trained(student: LocalModel, run: TrainingRun) -> dict[str, Any]:
    """The outcome of the run, trained in this process or by the model's workers."""
    if isinstance(student, PooledModel):
        return train_on_workers(student, run)
    return run_training(student, run)


def _finished(run: TrainingRun) -> dict[str, Any] | None:
    """The outcome of an earlier attempt that finished, if there was one."""
    adapter = run.checkpoints.adapter
    if not checkpoints.is_complete(adapter):
        return None
    print(f"{run.name}: trained before this step was stopped", flush=True)
    return checkpoints.completion_notes(adapter)["found"]


def _copy_adapter(adapter: Path, out: Path) -> None:
    with disk_errors(out):
        ignored = shutil.ignore_patterns(checkpoints.COMPLETE_FILE)
        shutil.copytree(adapter, out, dirs_exist_ok=True, ignore=ignored)


def _result(
    checked: CheckedRows, steps: list[list[int]], outcome: dict[str, Any]
) -> TrainingResult:
    tokens, trained = count_tokens(checked, steps[: len(outcome["losses"])])
    return TrainingResult(
        rows=len({i for step in steps for i in step}),
        too_long=checked.report.too_long,
        tokens=tokens,
        trained_tokens=trained,
        gate=checked.report.as_dict(),
        **outcome,
    )
