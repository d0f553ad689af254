"""Fifty steps on the embedded model against losses that were stored once.

`PHI_KIT_STORE_REFERENCE=1` stores them anew, after a change that is meant to
change them.
"""

import json
import os
from importlib.metadata import version
from pathlib import Path

import pytest

from phi_kit.inference import completion
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.qlora import train
from phi_kit.training.training_config import TrainingConfig

pytestmark = pytest.mark.slow

FILE = Path(__file__).with_name("reference_losses.json")
STEPS = 50
# Other CPUs, threads and library versions sum in another order; the differences
# grow with the steps. A change of the method is seen at once, and is far larger.
TOLERANCE = {5: 1e-3, STEPS: 5e-2}
LIBRARIES = ("torch", "transformers", "peft", "bitsandbytes")
ASKED = "<|im_start|>user\nWhat is {} + {}?<|im_end|>\n<|im_start|>assistant\n"
ROWS = [
    TrainingRow(ASKED.format(a, b), str(a + b))
    for a in range(20, 30)
    for b in range(40)
]


def test_the_losses_are_those_of_the_reference(tmp_path):
    student = completion.load("smollm2-135m", compute="float32")
    recipe = TrainingConfig(epochs=1, batch=8, learning_rate=5e-4)
    found = train(student, ROWS, recipe, out=tmp_path / "reference", rng_seed=1).losses
    if os.environ.get("PHI_KIT_STORE_REFERENCE"):
        stored = {
            "model": student.identity,
            "versions": {name: version(name) for name in LIBRARIES},
            "losses": [round(loss, 5) for loss in found],
        }
        FILE.write_text(json.dumps(stored, indent=1) + "\n")
    stored = json.loads(FILE.read_text())
    if stored["model"] != student.identity:
        pytest.skip("the embedded model here has other weights: from the hub, maybe")
    assert len(found) == len(stored["losses"]) == STEPS
    for steps, near in TOLERANCE.items():
        said = f"step 1 to {steps}, stored with {stored['versions']}"
        assert found[:steps] == pytest.approx(stored["losses"][:steps], abs=near), said
