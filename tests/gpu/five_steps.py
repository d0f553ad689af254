"""A training run of five steps on the embedded model; may be killed in one.

python five_steps.py WORK OUT KILL_AT      (0: not at all)
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from phi_kit.inference import completion
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.qlora import train
from phi_kit.training.trainer import RunHooks
from phi_kit.training.training_config import TrainingConfig

ASKED = "<|im_start|>user\nWhat is {} + {}?<|im_end|>\n<|im_start|>assistant\n"
ROWS = [
    TrainingRow(ASKED.format(a, b), str(a + b)) for a in range(10) for b in range(4)
]
CONFIG = TrainingConfig(epochs=1, batch=8, warmup=0.2, save_steps=1)


def run(work: Path, out: Path, at: int) -> None:
    def watch(row):
        if row["step"] == at:
            os.kill(os.getpid(), signal.SIGKILL)

    student = completion.load("smollm2-135m")
    hooks = RunHooks(work=work, watch=watch)
    done = train(student, ROWS, CONFIG, out=out, rng_seed=3, hooks=hooks)
    print(json.dumps({"losses": done.losses, "resumed": done.resumed}))


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
