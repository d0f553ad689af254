"""A training run of five steps; as a program it is killed in the third.

python runs_of_five.py WORK OUT KILL_AT
"""

import os
import signal
import sys
from pathlib import Path

from phi_kit.training.encoding import TrainingRow
from phi_kit.training.qlora import train
from phi_kit.training.trainer import RunHooks
from phi_kit.training.training_config import TrainingConfig

ASKED = "<|im_start|>user\nWhat is {} + {}?<|im_end|>\n<|im_start|>assistant\n"
ROWS = [TrainingRow(ASKED.format(a, b), str(a + b)) for a in range(5) for b in range(4)]
RECIPE = TrainingConfig(rank=4, epochs=1, batch=4, warmup=0.2, save_steps=1)


def run(student, work, out, *, recipe=RECIPE, **more):
    hooks = RunHooks(work=work, **more)
    return train(student, ROWS, recipe, out=out, rng_seed=3, hooks=hooks)


def killer(at):
    """The step's loss is known, its checkpoint is not yet written."""

    def watch(row):
        if row["step"] == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return watch


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import tiny

    student = tiny.tiny_student(tiny.tokenizer())
    work, out, at = sys.argv[1:]
    run(student, Path(work), Path(out), watch=killer(int(at)))
