"""The same training run by the kit and by TRL, on a GPU, its steps timed alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from phi_kit.core.rng import label_seed
from phi_kit.inference.local.model import LocalModel
from phi_kit.training.data_order import step_order
from phi_kit.training.encoding import TrainingRow, encode
from phi_kit.training.qlora import TrainingResult, train
from phi_kit.training.trainer import RunHooks
from phi_kit.training.training_config import TrainingConfig

from .device import DEVICE, free_memory, peak_memory, settle

SEED, NAME = 1, "arm"


class Clock:
    """Seconds of each optimiser step, and the most memory torch allocated and held."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.allocated = self.held = 0

    def callback(self) -> Any:
        """A Trainer's callback that times its steps."""
        from transformers import TrainerCallback

        clock = self

        class Timed(TrainerCallback):
            def on_step_begin(self, *_, **__):
                settle()
                self.began = time.perf_counter()

            def on_step_end(self, *_, **__):
                settle()
                clock.steps.append(time.perf_counter() - self.began)
                clock.allocated, clock.held = peak_memory()

        return Timed()

    @property
    def step(self) -> float:
        """Of a step in the middle; the first one warms up."""
        return statistics.median(self.steps[1:])


def ours(
    student: LocalModel,
    rows: Sequence[TrainingRow],
    config: TrainingConfig,
    clock: Clock,
) -> TrainingResult:
    """The kit's trainer as the steps call it."""
    hooks = RunHooks(callbacks=[clock.callback()])
    with TemporaryDirectory() as folder:
        out = Path(folder, NAME)
        return train(student, rows, config, out=out, rng_seed=SEED, hooks=hooks)


def trl(
    student: LocalModel,
    rows: Sequence[TrainingRow],
    config: TrainingConfig,
    clock: Clock,
    *,
    micro: int,
    same_start: bool = False,
) -> list[float]:
    """TRL's SFTTrainer in bf16, with our rows in our order; its losses.

    As fast as it can be made with what is installed: Liger's kernels where they are.

    Args:
        student: a model that is not needed afterwards: TRL leaves hooks on it.
        rows: as ours.
        config: as ours; checkpointing is on where the config says `on`.
        clock: is told the steps.
        micro: rows of a micro-batch.
        same_start: the adapter in float32 with our first weights, where TRL would
            have it in bf16.
    """
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model
    from trl import SFTConfig, SFTTrainer

    encoded = [encode(student, row) for row in rows]
    order = step_order(
        encoded,
        batch=config.batch,
        epochs=[1.0] * len(encoded),
        rng_seed=label_seed(SEED, "order"),
    )
    data = Dataset.from_list(
        [
            {
                "input_ids": encoded[i].ids,
                "completion_mask": [int(label >= 0) for label in encoded[i].labels],
            }
            for step in order
            for i in step
        ]
    )
    on_card = DEVICE == "cuda"
    torch.manual_seed(label_seed(SEED, "adapter", NAME))
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.rank,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(student.model, lora)
    fresh = {
        name: weight.detach().clone()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }
    with TemporaryDirectory() as folder:
        arguments = SFTConfig(
            output_dir=folder,
            num_train_epochs=1,
            learning_rate=config.learning_rate,
            warmup_steps=round(config.warmup * len(order)),
            max_grad_norm=0.3,
            optim="paged_adamw_8bit" if on_card else "adamw_torch",
            train_sampling_strategy="sequential",
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=config.batch // micro,
            gradient_checkpointing=config.gradient_checkpointing == "on",
            completion_only_loss=True,
            max_length=None,
            bf16=on_card,
            use_cpu=not on_card,
            use_liger_kernel=on_card and find_spec("liger_kernel") is not None,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = SFTTrainer(
            model=model,
            args=arguments,
            train_dataset=data,
            processing_class=student.tokenizer,
        )
        for name, weight in model.named_parameters():
            if same_start and name in fresh:
                weight.data = fresh[name]
        free_memory()
        trainer.add_callback(clock.callback())
        try:
            trainer.train()
        finally:
            model.unload()
            vars(student.model).pop("peft_config", None)
            student.model.eval()
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]
