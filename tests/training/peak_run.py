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
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.estimate import predicted
from phi_kit.training.qlora import train
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
            TrainingRow(student.render("Go on.", asked), said, ("Go on.", asked))
        )
    return found


def main(name: str) -> None:
    """Predict, train, compare."""
    number, tokens, settings = RUNS[name]
    recipe = TrainingConfig(epochs=1, **settings)
    student = completion.load("smollm2-135m")
    rows = rows_of(student, number, tokens)
    said = predicted(student, recipe, rows=rows)
    reset()
    with TemporaryDirectory() as folder:
        done = train(student, rows, recipe, out=Path(folder, name), rng_seed=1)
    found = {"predicted": said.total, "measured": peak(), "tokens": done.tokens}
    terms = {key: value for key, value in vars(said).items() if isinstance(value, int)}
    print(json.dumps({**found, **terms, "fit": said.fit.__dict__, "rows": done.rows}))


if __name__ == "__main__":
    main(sys.argv[1])
