"""Products in bf16 train and answer like float32, as far as can be told.

On the embedded model, whose weights are laid out for either; the last word on how near
the numbers are. Where oneDNN has no bf16 there is nothing to compare.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from phi_kit.inference import completion
from phi_kit.inference.draw import draw
from phi_kit.inference.types import SamplingParams
from phi_kit.models import loading
from phi_kit.models.product_rates import ProductRates
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.qlora import train
from phi_kit.training.training_config import TrainingConfig

pytestmark = [
    pytest.mark.sweep,
    pytest.mark.skipif(
        torch.cuda.is_available() or not torch.ops.mkldnn._is_mkldnn_bf16_supported(),
        reason="about CPUs on which oneDNN has bf16",
    ),
]

ASKED = "<|im_start|>user\nWhat is {} + {}?<|im_end|>\n<|im_start|>assistant\n"
PAIRS = [(a, b) for a in range(20, 30) for b in range(40)]
STEPS, HELDOUT, SAMPLES = 24, 60, 4


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """By way of computing: losses of a run, right answers before and after it."""
    found = {}
    order = np.random.default_rng(0).permutation(len(PAIRS))
    rows = [TrainingRow(ASKED.format(*PAIRS[i]), str(sum(PAIRS[i]))) for i in order]
    trained, asked = rows[: 8 * STEPS], rows[-HELDOUT:]
    recipe = TrainingConfig(epochs=1, batch=8, learning_rate=1e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "product_rates", lambda: ProductRates(1.0, 2.0))
        for compute in ("float32", "auto"):
            student = completion.load.__wrapped__("smollm2-135m", compute=compute)
            before = right(student, asked)
            folder = tmp_path_factory.mktemp(compute) / "arm"
            losses = train(student, trained, recipe, out=folder, rng_seed=1).losses
            with student.adapter(folder) as tuned:
                found[compute] = {
                    "losses": np.array(losses),
                    "before": before,
                    "after": right(tuned, asked),
                }
    return found


def right(student, rows):
    """Share of right answers to each question."""
    drawn = draw(
        student,
        [row.prompt for row in rows],
        SamplingParams(4, 0.6),
        k=SAMPLES,
        rng_seed=1,
    )
    return np.array(
        [
            sum(sample.text.strip() == row.completion for sample in samples) / SAMPLES
            for row, samples in zip(rows, drawn, strict=True)
        ]
    )


def test_the_loss_curve_is_that_of_float32(outcomes):
    exact, rounded = (outcomes[how]["losses"] for how in ("float32", "auto"))
    assert len(exact) == len(rounded) == STEPS
    assert exact[-3:].mean() < 0.7 * exact[:3].mean()  # it learns
    gaps = rounded - exact
    assert np.abs(gaps).max() > 0  # products in bf16 it is
    assert np.abs(gaps[:5]).max() < 0.02
    assert np.abs(gaps).max() < 0.1
    assert abs(gaps.mean()) < 0.02


@pytest.mark.parametrize("when", ["before", "after"])
def test_accuracies_agree_within_their_interval(outcomes, when):
    """Of the paired difference, 99 %: question by question."""
    exact, rounded = (outcomes[how][when] for how in ("float32", "auto"))
    gaps = rounded - exact
    margin = 2.58 * gaps.std(ddof=1) / math.sqrt(len(gaps))
    assert margin < 0.1  # otherwise it could not tell
    assert abs(gaps.mean()) <= margin
