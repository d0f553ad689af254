"""The training loop: transformers' Trainer, one optimiser step at a time.

Each item of its data is a whole step's rows, so that the data order is a list
fixed beforehand, and a step can be cut into micro-batches as memory allows
without changing its gradient.
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
from phi_kit.models.loading import device
from phi_kit.models.shortage import out_of_memory

from . import checkpoints
from .layout import end_to_end, on_device
from .memory import Fit, checkpointing, release, used
from .recipe import Recipe
from .rows import Encoded, collate
from .schedule import micro_batches

if TYPE_CHECKING:
    from transformers import TrainingArguments

Watch = Callable[[dict[str, Any]], None]


@dataclass
class Job:
    """What a loop needs beside the Trainer's own arguments.

    Attributes:
        name: of the run.
        fit: how steps are cut; becomes smaller when memory runs out.
        loss: gives a micro-batch's share of the step's loss.
        pad: id of the PAD token.
        steps: of the whole run.
        bar: counts them.
        watch: is told each step's row of the history, and again as it may have grown.
        heldout: asks the model as it is; share of right answers.
    """

    name: str
    fit: Fit
    loss: Callable[..., Any]
    pad: int
    steps: int
    bar: Heartbeat
    watch: Watch | None = None
    heldout: Callable[[int], float] | None = None
    spent: float = 0.0
    seen: tuple[int, int] = (0, 0)
    memory: float = 0.0
    told: int = 0  # entries of the log that `watch` knows


def history(log: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row per step of a Trainer's log; held-out accuracy where it was asked."""
    rows: dict[int, dict[str, Any]] = {}
    for entry in log:
        row = rows.setdefault(entry["step"], {"step": entry["step"]})
        if "loss" in entry:
            row |= {name: value for name, value in entry.items() if name != "epoch"}
        elif "eval_accuracy" in entry:
            row["heldout_accuracy"] = entry["eval_accuracy"]
    return [row for row in rows.values() if "loss" in row]


class StepByStep:
    """What the kit does otherwise than the Trainer it is mixed into."""

    job: Job

    def _get_train_sampler(self, *_: Any) -> Any:
        from torch.utils.data import SequentialSampler

        return SequentialSampler(self.train_dataset)

    def training_step(self, model: Any, inputs: dict, *_: Any, **__: Any) -> Any:
        """Loss and gradient of a whole step; in smaller parts if memory runs out."""
        began, job, rows = time.perf_counter(), self.job, inputs["rows"]
        while True:
            parts = micro_batches(rows, tokens=job.fit.tokens, padded=job.fit.padded)
            try:
                loss = self._accumulate(model, parts)
                break
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or (less := job.fit.smaller(parts)) is None:
                    raise
            # Only out here the failed attempt is let go: its traceback held it.
            self._step_down(model, less)
        job.spent += time.perf_counter() - began
        tokens, trained = job.seen
        job.seen = (
            tokens + sum(len(row.ids) for row in rows),
            trained + sum(row.trained for row in rows),
        )
        return loss

    def _accumulate(self, model: Any, parts: list[list[Encoded]]) -> Any:
        import torch

        model.train()
        count = sum(row.trained for part in parts for row in part)
        total = torch.zeros((), device=self.args.device)
        for part in parts:
            with self.compute_loss_context_manager():
                loss = self.job.loss(model, self._batch(part), count=count)
            if not torch.isfinite(loss):
                raise self._broken("loss", loss.item())
            self.job.memory = max(self.job.memory, used())
            self.accelerator.backward(loss)
            self.job.memory = max(self.job.memory, used())
            total += loss.detach()
        return total

    def _batch(self, part: list[Encoded]) -> dict[str, Any]:
        padded = self.job.fit.padded
        batch = collate(part, pad=self.job.pad) if padded else end_to_end(part)
        return on_device(batch, self.args.device)

    def _step_down(self, model: Any, less: Fit) -> None:
        model.zero_grad()
        release()
        if less.checkpointing and not self.job.fit.checkpointing:
            checkpointing(model, True)
            how = "activations are computed twice from here on"
        else:
            how = f"micro-batches of at most {less.tokens} tokens from here on"
        print(
            f"{self.job.name}: memory ran out at step {self.state.global_step + 1}; "
            f"{how}, the batch stays what it was",
            flush=True,
        )
        self.job.fit = less

    def _clip_grad_norm(self, model: Any) -> Any:
        norm = super()._clip_grad_norm(model)
        if norm is not None and not math.isfinite(float(norm)):
            # Before the optimiser makes every weight of it NaN, and a checkpoint.
            raise self._broken("gradient", float(norm))
        return norm

    def _broken(self, what: str, value: float) -> RunError:
        kind = "NaN" if math.isnan(value) else "infinite"
        return RunError(
            f"the {what} became {kind} at step {self.state.global_step + 1}",
            where=self.job.name,
            todo="lower learning_rate, and look at the rows of that batch; the last "
            "checkpoint is from before it",
        )

    def log(self, logs: dict[str, float], *arguments: Any, **options: Any) -> None:
        """Add what the kit measures; tell the bar and whoever watches."""
        job = self.job
        if "loss" in logs:
            (tokens, trained), spent = job.seen, max(job.spent, 1e-9)
            logs |= {
                "tokens": tokens,
                "trained_tokens": trained,
                "tokens_per_second": round(tokens / spent, 1),
                "memory_mb": round(job.memory, 1),
                "micro_tokens": job.fit.tokens,
                "checkpointing": int(job.fit.checkpointing),
            }
            job.seen, job.spent, job.memory = (0, 0), 0.0, 0.0
            job.bar.step(tokens=tokens, note=f"loss {logs['loss']:.3f}")
        super().log(logs, *arguments, **options)
        log = self.state.log_history
        # With the entry before the news: an accuracy belongs to a loss's row.
        for row in history(log[max(0, job.told - 1) :]):
            if job.watch:
                job.watch(row)
        job.told = len(log)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Share of right answers to the held-out items, never a held-out loss."""
        metrics = {"eval_accuracy": self.job.heldout(self.state.global_step)}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        super()._save_checkpoint(*arguments, **options)
        folder = Path(self.args.output_dir, f"checkpoint-{self.state.global_step}")
        fit = self.job.fit
        # What this run settled on: carrying on otherwise would change its bits.
        checkpoints.seal(folder, tokens=fit.tokens, checkpointing=fit.checkpointing)

    def save_model(self, output_dir: str | None = None, **_: Any) -> None:
        """The adapter alone; nobody is asked whether the vocabulary has grown."""
        self.model.save_pretrained(output_dir, save_embedding_layers=False)


@cache
def trainer_class() -> type:
    """The Trainer with the kit's steps."""
    from transformers import Trainer

    return type("StepTrainer", (StepByStep, Trainer), {})


def arguments(
    recipe: Recipe, *, folder: Path, seed: int, steps: int, saved: bool, name: str
) -> TrainingArguments:
    """The Trainer's own arguments.

    Args:
        recipe: how the adapter is trained.
        folder: where checkpoints go.
        seed: of what the Trainer itself draws.
        steps: of the whole run.
        saved: whether checkpoints are written at all.
        name: of the run, for trackers.
    """
    import torch
    from transformers import TrainingArguments

    on_gpu = device() == "cuda"
    best = bool(recipe.patience)
    made = TrainingArguments(
        output_dir=str(folder),
        run_name=name,
        per_device_train_batch_size=1,  # an item is a whole step
        num_train_epochs=1,  # the schedule holds all of them
        learning_rate=recipe.learning_rate,
        warmup_steps=round(recipe.warmup * steps),
        lr_scheduler_type="linear",
        max_grad_norm=0.3,
        optim="paged_adamw_8bit" if on_gpu else "adamw_torch_fused",
        bf16=on_gpu and torch.cuda.is_bf16_supported(),
        use_cpu=not on_gpu,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would hide a NaN behind the mean
        eval_strategy="steps" if recipe.eval_steps else "no",
        eval_steps=recipe.eval_steps or None,
        save_strategy="steps" if saved else "no",
        # The best of all evaluations can be kept only if each is saved.
        save_steps=recipe.eval_steps if best else recipe.save_steps,
        save_total_limit=2,
        load_best_model_at_end=best,
        metric_for_best_model="accuracy" if best else None,
        greater_is_better=True if best else None,
        restore_callback_states_from_checkpoint=best,
        report_to=recipe.report_to or "none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        seed=seed,
    )
    if made.n_gpu > 1:  # the Trainer would split a step over all cards
        made._n_gpu = 1
    return made
