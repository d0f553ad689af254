"""QLoRA: a LoRA adapter trained beside frozen NF4 weights.

Built on transformers' Trainer rather than TRL's SFTTrainer: the kit renders
and masks its rows itself (one template for training and evaluation), and asks
for logits only at trained positions, which SFTTrainer has no switch for.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from phi_kit.core.errors import RunError
from phi_kit.core.params import Strict
from phi_kit.core.progress import Heartbeat, progress
from phi_kit.core.rng import label_seed
from phi_kit.models.loading import Student, device
from phi_kit.models.unpacked import unpacked

from .card import Card, save
from .checks import Sealed
from .gate import gate
from .recording import recorded
from .rows import IGNORE, Encoded, Row, collate

if TYPE_CHECKING:
    from transformers import TrainingArguments


class Recipe(Strict):
    """How an adapter is trained.

    Defaults for a model of about 100M parameters: rank and learning rate are
    the kit's own choice (LoRA wants about ten times the full fine-tune's
    rate; tiny models take up to 1e-3). Clipping at 0.3 is QLoRA's
    (arXiv 2305.14314, section 4).
    """

    rank: int = Field(16, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    epochs: int = Field(3, ge=1)
    batch: int = Field(8, ge=1)
    warmup: float = Field(0.03, ge=0, lt=1)
    max_row_tokens: int = Field(512, ge=8)


@dataclass(frozen=True)
class Trained:
    """What a training run cost and did. Losses are per optimiser step."""

    rows: int
    too_long: int
    tokens: int
    trained_tokens: int
    losses: list[float] = field(repr=False)
    gate: dict[str, Any] = field(default_factory=dict, repr=False)


@recorded(Trained, Recipe)
def train(
    student: Student,
    rows: Sequence[Row],
    recipe: Recipe,
    *,
    out: Path,
    rng_seed: int,
    sealed: Sealed | None = None,
) -> Trained:
    """Train a fresh adapter on `rows` and save it as a PEFT folder.

    The student comes back as it was: the adapter is taken off again. In a replay
    nothing is trained: see `recording`.

    Args:
        student: the frozen model, NF4 or full.
        rows: rendered prompts with completions.
        recipe: rank, learning rate, epochs, batch.
        out: the folder the adapter is saved to.
        rng_seed: names initialisation and data order; the run is repeatable.
        sealed: what the gate asks whether a text overlaps a held-out item.

    Raises:
        DataError: the gate refused the rows.
        RunError: the loss became NaN, or the disk is full.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    encoded = gate(student, rows, max_tokens=recipe.max_row_tokens, sealed=sealed)
    torch.manual_seed(label_seed(rng_seed, "adapter", out.name))
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.rank,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(student.model, config)
    try:
        model.train()
        with unpacked(student.model):
            losses = _fit(model, student, encoded, recipe, out=out, seed=rng_seed)
        said = recipe.model_dump(include=set(Recipe.model_fields))
        save(model, out, Card.of(student, rows, encoded.report, arm=out.name, **said))
    finally:
        model.unload()
        vars(student.model).pop("peft_config", None)
        student.model.eval()
        del model
        gc.collect()
    return Trained(
        rows=len(encoded),
        too_long=len(rows) - len(encoded),
        tokens=sum(len(row.ids) for row in encoded) * recipe.epochs,
        trained_tokens=sum(row.trained for row in encoded) * recipe.epochs,
        losses=losses,
        gate=encoded.report.as_dict(),
    )


def _fit(
    model: Any,
    student: Student,
    rows: Sequence[Encoded],
    recipe: Recipe,
    *,
    out: Path,
    seed: int,
) -> list[float]:
    """One optimiser step per batch; the loss of each."""
    from transformers import Trainer, TrainerCallback

    steps = recipe.epochs * -(-len(rows) // recipe.batch)
    losses: list[float] = []

    class Quiet(TrainerCallback):
        """Streams the loss to the heartbeat; stops on NaN."""

        def __init__(self, bar: Heartbeat):
            self.bar = bar

        def on_log(self, args, state, control, logs=None, **_):
            if not logs or "loss" not in logs:
                return
            loss = float(logs["loss"])
            losses.append(loss)
            self.bar.step(note=f"loss {loss:.3f}")
            if loss != loss:
                raise RunError(
                    f"the loss became NaN at step {state.global_step}",
                    where=out.name,
                    todo="lower learning_rate, and look at the rows of that batch",
                )

    class TrainedPositions(Trainer):
        """Logits only where the loss looks: most tokens are masked prompt."""

        def compute_loss(self, model, inputs, num_items_in_batch=None, **_):
            return masked_loss(model, inputs, count=num_items_in_batch)

    with progress(f"training {out.name}", total=steps, unit="steps") as bar:
        trainer = TrainedPositions(
            model=model,
            args=_arguments(
                recipe,
                out=out,
                seed=label_seed(seed, "order") % 2**31,
                steps=steps,
            ),
            train_dataset=rows,
            data_collator=lambda batch: collate(
                batch, pad=student.tokenizer.pad_token_id
            ),
            callbacks=[Quiet(bar)],
        )
        for callback in list(trainer.callback_handler.callbacks):
            if type(callback).__name__ in {"PrinterCallback", "ProgressCallback"}:
                trainer.remove_callback(callback)
        trainer.train()
    return losses


def _arguments(
    recipe: Recipe, *, out: Path, seed: int, steps: int
) -> TrainingArguments:
    import torch
    from transformers import TrainingArguments

    on_gpu = device() == "cuda"
    return TrainingArguments(
        output_dir=str(out),  # the Trainer itself saves nothing there
        per_device_train_batch_size=recipe.batch,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        warmup_steps=round(recipe.warmup * steps),
        lr_scheduler_type="linear",
        max_grad_norm=0.3,
        optim="paged_adamw_8bit" if on_gpu else "adamw_torch",
        bf16=on_gpu and torch.cuda.is_bf16_supported(),
        use_cpu=not on_gpu,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would hide a NaN behind the mean
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        seed=seed,
    )


def masked_loss(model: Any, batch: dict[str, Any], *, count: Any = None) -> Any:
    """Mean cross-entropy over the trained positions of a batch.

    Args:
        model: a PEFT-wrapped causal language model.
        batch: `input_ids`, `attention_mask` and `labels`, each (rows, width).
        count: trained tokens in the whole optimiser step, over all its
            micro-batches; the batch's own count when not given.

    Returns:
        A scalar tensor, equal to the loss over all positions.
    """
    import torch

    labels = batch["labels"][:, 1:]
    keep = labels != IGNORE
    inner = model.get_base_model()
    hidden = inner.base_model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        use_cache=False,
    ).last_hidden_state[:, :-1]
    logits = inner.get_output_embeddings()(hidden[keep]).float()
    cap = getattr(inner.config, "final_logit_softcapping", None)
    if cap:  # Gemma bends its logits after the head
        logits = cap * torch.tanh(logits / cap)
    total = torch.nn.functional.cross_entropy(logits, labels[keep], reduction="sum")
    return total / (keep.sum() if count is None else count)
