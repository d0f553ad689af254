"""The same training run by the kit and by TRL's SFTTrainer, and its peak memory.

    python one_run.py ours|trl

prints the losses and the peak resident memory (MB) of training in a process that did
nothing else.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peaks import peak, reset

from phi_kit import domains
from phi_kit.core.rng import label_seed
from phi_kit.data.generators import generate_items
from phi_kit.domains.worked import worked
from phi_kit.evaluation.ask import training_rows
from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.models import catalog
from phi_kit.models.quantization import nf4_config
from phi_kit.training.data_order import step_order
from phi_kit.training.encoding import TrainingRow, encode
from phi_kit.training.qlora import train
from phi_kit.training.trainer import RunHooks
from phi_kit.training.training_config import TrainingConfig

MODEL = "smollm2-135m"
ROWS, SEED, NAME = 48, 1, "arm"
RECIPE = TrainingConfig(epochs=1, batch=8, warmup=0)


def quickstart_rows(student: LocalModel, n: int = ROWS) -> list[TrainingRow]:
    """Questions and their worked solutions, as the quickstart trains on them."""
    math = domains.get("math").in_style("steps")
    streams = [
        generate_items("math", family, rng_seed=1, split="bench")
        for family in math.chosen(["sum-1", "story-1", "product-1"])
    ]
    seeds = [next(streams[i % len(streams)]) for i in range(n)]
    return training_rows(student, math, [(seed, worked(seed)) for seed in seeds])


class Clock:
    """Seconds of a Trainer's optimiser steps, without what comes before them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def callback(self) -> Any:
        """A Trainer's callback that times its steps."""
        from transformers import TrainerCallback

        clock = self

        class Timed(TrainerCallback):
            def on_step_begin(self, *_, **__):
                self.began = time.perf_counter()

            def on_step_end(self, *_, **__):
                clock.seconds += time.perf_counter() - self.began

        return Timed()


def ours(student: LocalModel, rows: list[TrainingRow], clock: Clock) -> list[float]:
    """The kit's trainer as the steps call it."""
    hooks = RunHooks(callbacks=[clock.callback()])
    with TemporaryDirectory() as folder:
        out = Path(folder, NAME)
        return train(student, rows, RECIPE, out=out, rng_seed=SEED, hooks=hooks).losses


def trl(
    student: LocalModel, rows: list[TrainingRow], clock: Clock, **settings: Any
) -> list[float]:
    """TRL's SFTTrainer as it comes, but for what the comparison needs.

    Rows, data order, first adapter, learning rate, warm-up and clipping are ours. It
    computes in the type that the model was loaded in; its adapter is in float32.
    """
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model
    from trl import SFTConfig, SFTTrainer

    encoded = [encode(student, row) for row in rows]
    order = step_order(
        encoded,
        batch=RECIPE.batch,
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
    torch.manual_seed(label_seed(SEED, "adapter", NAME))
    rank = RECIPE.rank
    config = LoraConfig(
        r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = get_peft_model(student.model, config)
    fresh = {
        n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad
    }
    with TemporaryDirectory() as folder:
        arguments = SFTConfig(
            output_dir=folder,
            num_train_epochs=1,
            learning_rate=RECIPE.learning_rate,
            max_grad_norm=0.3,
            train_sampling_strategy="sequential",
            completion_only_loss=True,
            bf16=student.model.dtype == torch.bfloat16,
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **settings,
        )
        trainer = SFTTrainer(
            model=model,
            args=arguments,
            train_dataset=data,
            processing_class=student.tokenizer,
        )
        for name, parameter in model.named_parameters():
            if name in fresh:
                parameter.data = fresh[name]
        trainer.add_callback(clock.callback())
        trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    model.unload()
    vars(student.model).pop("peft_config", None)
    return losses


def plainly_loaded(dtype: torch.dtype = torch.float32) -> LocalModel:
    """The model as one loads it for TRL, with nothing of the kit's around it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = catalog.resolve(MODEL)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        quantization_config=nf4_config(dtype),
        device_map="cpu",
    )
    return LocalModel(MODEL, model, AutoTokenizer.from_pretrained(folder))


if __name__ == "__main__":
    which = sys.argv[1]
    plain = which == "trl"
    student = plainly_loaded() if plain else completion.load(MODEL, compute="float32")
    run = {"ours": ours, "trl": trl}[which]
    reset()  # loading is not training
    losses = run(student, quickstart_rows(student), Clock())
    print(json.dumps({"losses": losses, "peak": peak() / 1e6}))
