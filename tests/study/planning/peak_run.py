"""Training in a process of its own: what memory was predicted, and what it took.

    python peak_run.py NAME

prints both in bytes. The peak is the kernel's own count, reset before training.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from peaks import peak, reset

from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.types import SampleRequest, SamplingParams
from phi_kit.models.architecture import model_sizes
from phi_kit.models.chat_template import Asked
from phi_kit.models.loading import product_dtype
from phi_kit.study.planning.memory_estimate import MicroBatch, added, estimate
from phi_kit.training import memory
from phi_kit.training.encoding import TrainingRow, encode
from phi_kit.training.qlora import train
from phi_kit.training.trainer import step_trainer_class
from phi_kit.training.training_config import TrainingConfig

# Rows, tokens of each or so, recipe.
RUNS = {
    "short": (16, 60, {"batch": 8}),
    "long": (
        2,
        600,
        {
            "batch": 2,
            "rank": 8,
            "max_row_tokens": 700,
            "gradient_checkpointing": "on",
        },
    ),
    "wide": (
        4,
        240,
        {"batch": 2, "rank": 64, "dequantise": "off", "gradient_checkpointing": "off"},
    ),
}


def rows_of(student: LocalModel, number: int, tokens: int) -> list[TrainingRow]:
    """Rows of about so many tokens, half of them trained on, no two parts alike."""
    draw = random.Random(number)
    half = tokens // 4  # a number and its space are two tokens
    found = []
    for _ in range(number):
        asked, said = (
            " ".join(str(draw.randrange(10)) for _ in range(half)) for _ in "ab"
        )
        found.append(
            TrainingRow(student.render("Go on.", asked), said, Asked("Go on.", asked))
        )
    return found


def predicted(student: LocalModel, rows: list[TrainingRow], config) -> float:
    """Bytes that will be in use at the peak, as `phi-kit plan` predicts them."""
    step_trainer_class()  # what the Trainer imports counts as in use
    memory.release()
    lengths = sorted(len(encode(student, row).ids) for row in rows)
    most = max(memory.MICRO_BATCH_TOKENS["cpu"], lengths[-1])
    micro = MicroBatch(
        tokens=min(most, sum(lengths[-config.batch :])),
        rank=config.rank,
        checkpointing=config.gradient_checkpointing == "on",
    ).on_cpu(dequantized=config.dequantise != "off", products=product_dtype().itemsize)
    terms = estimate(model_sizes("smollm2-135m"), micro)
    return 1e6 * memory.used_mb() + added(terms, micro)


def main(name: str) -> None:
    """Sample a little, as the probe does, predict, train, compare."""
    number, tokens, settings = RUNS[name]
    config = TrainingConfig(epochs=1, **settings)
    student = completion.load("smollm2-135m")
    rows = rows_of(student, number, tokens)
    list(student.stream([SampleRequest(rows[0].prompt, 0, 1)], SamplingParams(4, 1.0)))
    expected = predicted(student, rows, config)
    reset()
    with TemporaryDirectory() as folder:
        done = train(student, rows, config, out=Path(folder, name), rng_seed=1)
    found = {"predicted": expected, "measured": peak(), "rows": done.rows}
    print(json.dumps({**found, "tokens": done.tokens}))


if __name__ == "__main__":
    main(sys.argv[1])
