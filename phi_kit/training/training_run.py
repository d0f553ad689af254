"""One training run: set up on the model, carried on or started, taken down again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phi_kit.core.compute_record import note_compute
from phi_kit.core.progress import progress
from phi_kit.core.rng import label_seed
from phi_kit.core.time_spent import TRAINING, spending
from phi_kit.inference.local.model import LocalModel
from phi_kit.models.loading import device
from phi_kit.models.product_rates import known_rates

from . import memory, packing
from .checkpoints import Checkpoints, completion_notes, mark_complete, step_of
from .encoding import EncodedRow
from .failures import explain
from .lora_fused import dequantized_bytes, fused_lora
from .loss import choose_loss
from .memory import MicroBatching
from .model_card import ModelCard, save_adapter
from .ranks import Ranks
from .trainer import (
    RunHooks,
    StepRows,
    step_history,
    step_trainer_class,
    training_arguments,
)
from .training_config import TrainingConfig


@dataclass(frozen=True)
class TrainingRun:
    """All that is fixed before a run's first step.

    Attributes:
        name: of the run; it names the adapter's first weights.
        rows: that passed the gate.
        steps: indices into `rows`, for every optimiser step.
        config: how the adapter is trained.
        rng_seed: of its first weights and of what the Trainer draws.
        card: the adapter's model card.
        checkpoints: where they lie; the finished adapter, too.
        hooks: what the caller attached.
    """

    name: str
    rows: Sequence[EncodedRow]
    steps: list[list[int]]
    config: TrainingConfig
    rng_seed: int
    card: ModelCard
    checkpoints: Checkpoints
    hooks: RunHooks

    @property
    def writes_checkpoints(self) -> bool:
        """Whether checkpoints are of use."""
        return self.hooks.work is not None or self.config.patience > 0

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(len(row.ids) for row in self.rows)

    @property
    def step_rows(self) -> Sequence[StepRows]:
        """The rows of every optimiser step that are trained on in this process."""
        return [[self.rows[i] for i in step] for step in self.steps]

    @property
    def ranks(self) -> Ranks | None:
        """The processes that train together, if there are several."""
        return None

    def explained(self, error: BaseException) -> BaseException:
        """What to raise where this run was stopped; see `failures.explain`."""
        return explain(
            error,
            name=self.name,
            work=self.checkpoints.folder,
            step=lambda: self.checkpoints.step if self.writes_checkpoints else 0,
        )


@spending(TRAINING)
def run_training(student: LocalModel, run: TrainingRun) -> dict[str, Any]:
    """Train; the adapter is then in `run.checkpoints.adapter`.

    Returns:
        Losses, the step the adapter is from, the history.

    Raises:
        RunError: see `qlora.train`. Nothing of the run stays in memory.
    """
    if student.precision:
        note_compute(student.precision, known_rates())
    student.engine.close()  # its server's memory is for training now
    memory.release()  # what loading the model left behind
    try:
        return _train(student, run)
    except BaseException as error:
        explained = run.explained(error)
    finally:
        memory.release()
    raise explained


def _train(student: LocalModel, run: TrainingRun) -> dict[str, Any]:
    """Train, from the last checkpoint if there is one; the adapter is saved."""
    ranks = run.ranks
    last = run.checkpoints.last()
    if ranks:
        last = ranks.agree(last)
    with ExitStack() as stack:
        seed = label_seed(run.rng_seed, "adapter", run.name)
        model = stack.enter_context(
            fresh_adapter(student, run.config.rank, rng_seed=seed)
        )
        stack.enter_context(_fused_kernels(model, run.config))
        isolated = packing.rows_are_isolated(model, longest=run.longest)
        if isolated:
            stack.enter_context(packing.per_row_attention(student.model))
        trainer = stack.enter_context(
            _trainer(student, model, run, last, padded=not isolated)
        )
        trainer.train(resume_from_checkpoint=str(last) if last else None)
        history = step_history(trainer.state.log_history)
        outcome = {
            "losses": [row["loss"] for row in history],
            "best_step": trainer.state.best_global_step or trainer.state.global_step,
            "resumed": step_of(last) if last else 0,
            "history": history,
        }
        if ranks is None or ranks.leads:
            save_adapter(model, run.checkpoints.adapter, run.card)
            mark_complete(run.checkpoints.adapter, found=outcome)
    return outcome


def _fused_kernels(model: Any, config: TrainingConfig) -> AbstractContextManager[None]:
    """LoRA layers in one operation, with the frozen weights as floats if they fit."""
    return fused_lora(model, keep_floats=keeps_dequantized(model, config))


def keeps_dequantized(model: Any, config: TrainingConfig) -> bool:
    """Whether the frozen weights are laid out as floats for the run.

    If the config says so; on a CPU also if four times as much is free. A GPU makes
    them anew in a small part of a step's time, and its memory has better uses.
    """
    if config.dequantise == "auto":
        return device() == "cpu" and 4 * dequantized_bytes(model) < memory.free_bytes()
    return config.dequantise == "on"


@contextmanager
def fresh_adapter(
    student: LocalModel, rank: int, *, rng_seed: int = 0
) -> Iterator[Any]:
    """The student with a fresh adapter on every linear layer; taken off again.

    Args:
        student: the frozen model.
        rank: of the adapter; its alpha is the same.
        rng_seed: of its first weights.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(rng_seed)
    config = LoraConfig(
        r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = get_peft_model(student.model, config)
    try:
        yield model
    finally:
        model.unload()
        vars(student.model).pop("peft_config", None)
        student.model.eval()


@contextmanager
def _trainer(
    student: LocalModel,
    model: Any,
    run: TrainingRun,
    last: Path | None,
    *,
    padded: bool,
) -> Iterator[Any]:
    """The Trainer of a run, ready to start or to carry on after `last`."""
    model.eval()
    with packing.default_attention(student.model):
        loss = choose_loss(model)
    model.train()
    batching = _batching(model, run, last, padded=padded)
    heldout = _heldout(student, model, run) if run.hooks.heldout else None
    steps = len(run.step_rows)
    try:
        memory.set_checkpointing(model, batching.checkpointing)
        with progress(f"training {run.name}", total=steps, unit="steps") as bar:
            if last:
                resumed = step_of(last)
                print(
                    f"{run.name}: carries on after step {resumed} of {steps}",
                    flush=True,
                )
                bar.step(resumed)
            trainer = step_trainer_class()(
                run_name=run.name,
                batching=batching,
                loss=loss,
                pad=student.tokenizer.pad_token_id,
                bar=bar,
                watch=run.hooks.watch,
                heldout=heldout,
                ranks=run.ranks,
                **_trainer_options(model, run, evaluated=heldout is not None),
            )
            _tidy_callbacks(trainer, run)
            yield trainer
    finally:
        memory.set_checkpointing(model, False)


def _batching(
    model: Any, run: TrainingRun, last: Path | None, *, padded: bool
) -> MicroBatching:
    """How steps are cut: as memory allows, or as before the checkpoint `last`."""
    batching = memory.fit_micro_batches(
        model, run.config, longest=run.longest, padded=padded
    )
    if last is None:
        return batching
    notes = completion_notes(last)  # carrying on otherwise would change its bits
    return replace(
        batching, tokens=notes["tokens"], checkpointing=notes["checkpointing"]
    )


def _heldout(
    student: LocalModel, model: Any, run: TrainingRun
) -> Callable[[int], float]:
    """Asks the model in training the held-out items, under a name of its own."""

    def accuracy(step: int) -> float:
        model.eval()
        name = f"{student.identity}+{run.checkpoints.folder.name}@{step}"
        with packing.default_attention(student.model):
            return run.hooks.heldout(replace(student, model=model, identity=name))

    return accuracy


def _trainer_options(model: Any, run: TrainingRun, *, evaluated: bool) -> dict:
    """The Trainer's own arguments; its data are the optimiser steps of the run."""
    from transformers import EarlyStoppingCallback

    config = run.config
    if not evaluated:
        config = config.with_(eval_steps=0, patience=0)
    stopping = [EarlyStoppingCallback(config.patience)] if config.patience else []
    return {
        "model": model,
        "args": training_arguments(
            config,
            folder=run.checkpoints.folder,
            seed=label_seed(run.rng_seed, "order") % 2**31,
            steps=len(run.step_rows),
            saved=run.writes_checkpoints,
            name=run.name,
        ),
        "train_dataset": run.step_rows,
        "eval_dataset": ["held-out items"] if config.eval_steps else None,
        # A batch is one item, and an item is a whole step: see `trainer`.
        "data_collator": lambda items: {"rows": items[0]},
        "callbacks": [*stopping, *run.hooks.callbacks],
    }


def _tidy_callbacks(trainer: Any, run: TrainingRun) -> None:
    """One progress bar is enough; TensorBoard writes where the study looks."""
    for callback in list(trainer.callback_handler.callbacks):
        kind = type(callback).__name__
        if kind in {"PrinterCallback", "ProgressCallback"}:
            trainer.remove_callback(callback)
        elif kind == "TensorBoardCallback" and run.hooks.logs:
            # Its default is among the checkpoints, which are deleted at the end.
            folder = callback.logging_dir or run.hooks.logs / run.name
            callback.logging_dir = str(folder)
