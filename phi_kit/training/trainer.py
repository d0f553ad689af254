"""The training loop: transformers' Trainer, one optimiser step at a time.

The Trainer's data set is a list of optimiser steps: each of its items holds all rows
of one step (`StepRows`), and its batch size is one. So the data order is a list fixed
beforehand, and a step can be cut into micro-batches as memory allows without
changing its gradient.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phi_kit.core.errors import RunError
from phi_kit.core.progress import Heartbeat
from phi_kit.inference.local.model import LocalModel
from phi_kit.models.loading import device
from phi_kit.models.shortage import is_out_of_memory

from . import checkpoints
from .data_order import micro_batches
from .encoding import EncodedRow, collate
from .memory import MicroBatching, release, set_checkpointing, used_mb
from .packing import pack, shared_prefix, shares_prefix, to_device
from .ranks import Ranks
from .training_config import TrainingConfig

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainingArguments

# All rows of one optimiser step; of several processes, this one's.
StepRows = list[EncodedRow]
StepWatcher = Callable[[dict[str, Any]], None]
HeldoutAccuracy = Callable[[LocalModel], float]


@dataclass(frozen=True)
class RunHooks:
    """What a caller attaches to a run; nothing of it changes what is learned.

    Attributes:
        work: a folder that outlives a killed run; with it, a run of the same model,
            rows, config and seed carries on from its last checkpoint.
        logs: where a tracker that writes files puts them.
        watch: gets every step's row of the history, and again as it may have grown.
        heldout: asks a student the held-out items; share of right answers.
        callbacks: further callbacks for transformers' Trainer.
    """

    work: Path | None = None
    logs: Path | None = None
    watch: StepWatcher | None = None
    heldout: HeldoutAccuracy | None = None
    callbacks: Sequence[TrainerCallback] = ()


def step_history(log: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per step of a Trainer's log; held-out accuracy where it was measured."""
    rows: dict[int, dict[str, Any]] = {}
    for entry in log:
        row = rows.setdefault(entry["step"], {"step": entry["step"]})
        if "loss" in entry:
            row |= {name: value for name, value in entry.items() if name != "epoch"}
        elif "eval_accuracy" in entry:
            row["heldout_accuracy"] = entry["eval_accuracy"]
    return [row for row in rows.values() if "loss" in row]


class StepTrainerMixin:
    """What the kit does otherwise than the Trainer it is mixed into.

    Args:
        run_name: of the run, for messages.
        batching: how steps are cut; becomes smaller when memory runs out.
        loss: gives a micro-batch's share of the step's loss.
        pad: id of the PAD token.
        bar: counts the steps.
        watch: gets each step's row of the history.
        heldout: accuracy of the model as it is after so many steps.
        ranks: the processes that train together, if there are several.
        options: the Trainer's own arguments.
    """

    def __init__(
        self,
        *,
        run_name: str,
        batching: MicroBatching,
        loss: Callable[..., Any],
        pad: int,
        bar: Heartbeat,
        watch: StepWatcher | None = None,
        heldout: Callable[[int], float] | None = None,
        ranks: Ranks | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.run_name, self.batching = run_name, batching
        self.loss, self.pad = loss, pad
        self.bar, self.watch, self.heldout = bar, watch, heldout
        self.ranks = ranks
        self.watched = 0  # entries of the log that `watch` has had
        self._reset_meters()

    def _reset_meters(self) -> None:
        """Seconds, tokens, trained tokens and peak memory since the last log."""
        self.seconds, self.tokens, self.trained_tokens = 0.0, 0, 0
        self.memory_mb = 0.0

    def _get_train_sampler(self, *_: Any) -> Any:
        from torch.utils.data import SequentialSampler

        return SequentialSampler(self.train_dataset)

    def training_step(
        self, model: Any, inputs: dict[str, StepRows], *_: Any, **__: Any
    ) -> Any:
        """Loss and gradient of a whole step; in smaller parts if memory runs out."""
        began, rows = time.perf_counter(), inputs["rows"]
        trained = sum(row.trained for row in rows)
        tokens = sum(len(row.ids) for row in rows)
        if self.ranks:
            trained, tokens = self.ranks.add_up([trained, tokens], self.args.device)
        while True:
            parts = micro_batches(
                rows, tokens=self.batching.tokens, padded=self.batching.padded
            )
            try:
                loss = self._accumulate(model, parts, trained)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if (smaller := self.batching.smaller(parts)) is None:
                    raise
            # Only out here the failed attempt is let go: its traceback held it.
            self._shrink(model, smaller)
        if self.ranks:
            loss = self.ranks.add_gradients(model.parameters(), loss)
        self.seconds += time.perf_counter() - began
        self.tokens += tokens
        self.trained_tokens += trained
        return loss

    def _accumulate(
        self, model: Any, parts: list[list[EncodedRow]], trained: int
    ) -> Any:
        """Gradients of the rows here; `trained` tokens are those of the whole step."""
        import torch

        model.train()
        total = torch.zeros((), device=self.args.device)
        for part in parts:
            with self.compute_loss_context_manager():
                loss = self.loss(model, self._batch(part), count=trained)
            if not torch.isfinite(loss):
                raise self._not_finite("loss", loss.item())
            self.memory_mb = max(self.memory_mb, used_mb())
            self.accelerator.backward(loss)
            self.memory_mb = max(self.memory_mb, used_mb())
            total += loss.detach()
        return total

    def _batch(self, part: list[EncodedRow]) -> dict[str, Any]:
        if self.batching.padded:
            batch = collate(part, pad=self.pad)
        else:
            shared = shared_prefix(part) if shares_prefix(self.model) else 0
            batch = pack(part, shared=shared)
        return to_device(batch, self.args.device)

    def _shrink(self, model: Any, smaller: MicroBatching) -> None:
        """Go on with smaller micro-batches, or with checkpointing."""
        model.zero_grad()
        release()
        if smaller.checkpointing and not self.batching.checkpointing:
            set_checkpointing(model, True)
            how = "activations are computed twice from here on"
        else:
            how = f"micro-batches of at most {smaller.tokens} tokens from here on"
        print(
            f"{self.run_name}: memory ran out at step {self.state.global_step + 1}; "
            f"{how}, the batch stays what it was",
            flush=True,
        )
        self.batching = smaller

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)
        if norm is not None and not math.isfinite(float(norm)):
            # Before the optimiser makes every weight of it NaN, and a checkpoint.
            raise self._not_finite("gradient", float(norm))
        return norm

    def _not_finite(self, what: str, value: float) -> RunError:
        kind = "NaN" if math.isnan(value) else "infinite"
        return RunError(
            f"the {what} became {kind} at step {self.state.global_step + 1}",
            where=self.run_name,
            todo="lower learning_rate, and look at the rows of that batch; the last "
            "checkpoint is from before it",
        )

    def log(self, logs: dict[str, float], *arguments: Any, **options: Any) -> None:
        """Add the kit's measurements; update the progress bar and the watcher."""
        if "loss" in logs:
            logs |= {
                "tokens": self.tokens,
                "trained_tokens": self.trained_tokens,
                "tokens_per_second": round(self.tokens / max(self.seconds, 1e-9), 1),
                "memory_mb": round(self.memory_mb, 1),
                "micro_tokens": self.batching.tokens,
                "checkpointing": int(self.batching.checkpointing),
            }
            self.bar.step(tokens=self.tokens, note=f"loss {logs['loss']:.3f}")
            self._reset_meters()
        super().log(logs, *arguments, **options)
        log = self.state.log_history
        # Include the previous entry: an accuracy is merged into its step's row.
        for row in step_history(log[max(0, self.watched - 1) :]):
            if self.watch:
                self.watch(row)
        self.watched = len(log)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Share of right answers to the held-out items, never a held-out loss."""
        metrics = {"eval_accuracy": self.heldout(self.state.global_step)}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        if self.ranks and not self.ranks.leads:
            return
        super()._save_checkpoint(*arguments, **options)
        folder = Path(self.args.output_dir, f"checkpoint-{self.state.global_step}")
        # How this run's steps are cut: carrying on otherwise would change its bits.
        checkpoints.mark_complete(
            folder,
            tokens=self.batching.tokens,
            checkpointing=self.batching.checkpointing,
        )

    def save_model(self, output_dir: str | None = None, **_: Any) -> None:
        """Save the adapter alone; without this peft would query the hub."""
        self.model.save_pretrained(output_dir, save_embedding_layers=False)


@cache
def step_trainer_class() -> type:
    """The Trainer with the kit's steps; made late, for it imports transformers."""
    from transformers import Trainer

    return type("StepTrainer", (StepTrainerMixin, Trainer), {})


def training_arguments(
    config: TrainingConfig,
    *,
    folder: Path,
    seed: int,
    steps: int,
    saved: bool,
    name: str,
) -> TrainingArguments:
    """The Trainer's own arguments.

    Args:
        config: how the adapter is trained.
        folder: where checkpoints go.
        seed: of what the Trainer itself draws.
        steps: of the whole run.
        saved: whether checkpoints are written at all.
        name: of the run, for trackers.
    """
    import torch
    from transformers import TrainingArguments

    on_gpu = device() == "cuda"
    best = bool(config.patience)
    arguments = TrainingArguments(
        output_dir=str(folder),
        run_name=name,
        per_device_train_batch_size=1,  # one item holds a whole step: `StepRows`
        num_train_epochs=1,  # the list of steps holds all of them
        learning_rate=config.learning_rate,
        warmup_steps=round(config.warmup * steps),
        lr_scheduler_type="linear",
        max_grad_norm=0.3,
        optim="paged_adamw_8bit" if on_gpu else "adamw_torch_fused",
        bf16=on_gpu and torch.cuda.is_bf16_supported(),
        use_cpu=not on_gpu,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would hide a NaN behind the mean
        eval_strategy="steps" if config.eval_steps else "no",
        eval_steps=config.eval_steps or None,
        save_strategy="steps" if saved else "no",
        # The best of all evaluations can be kept only if each is saved.
        save_steps=config.eval_steps if best else config.save_steps,
        save_total_limit=2,
        load_best_model_at_end=best,
        metric_for_best_model="accuracy" if best else None,
        greater_is_better=True if best else None,
        restore_callback_states_from_checkpoint=best,
        report_to=config.report_to or "none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        seed=seed,
    )
    if arguments.n_gpu > 1:  # the Trainer would split a step over all cards
        arguments._n_gpu = 1
    return arguments
