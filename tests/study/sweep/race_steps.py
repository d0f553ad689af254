"""A toy step 4 that measures dev items, in the toy study."""

from typing import ClassVar

import fake_study
import pandas as pd
from pydantic import Field

from phi_kit.core import step_table
from phi_kit.core.params import StepParams
from phi_kit.core.rng import rng
from phi_kit.core.step_run import open_run, reuse_finished
from phi_kit.core.step_table import Step

ITEMS, BASE = 100, 0.1


class Probe(StepParams):
    """Trains nothing: its `level` is how often the arm is right."""

    STEP: ClassVar[Step] = step_table.PROBE_SFT
    domain: str = "math"
    arms: list[str] = Field(["teachable"])
    level: float = 0.5
    train_seeds: list[int] = Field([])


class Last(fake_study.Bench):
    """What comes after it."""

    STEP: ClassVar[Step] = Step(
        7, "benchmark", needs=(step_table.PROBE_SFT,), per_domain=False
    )


def install(monkeypatch) -> None:
    """Put the step between the toy steps."""
    pick, edge, _ = fake_study.STEPS
    steps = (pick, edge, Probe.STEP, Last.STEP)
    monkeypatch.setattr("phi_kit.steps.STEPS", steps)
    for params in (Probe, Last):
        monkeypatch.setitem(fake_study.PARAMS, params.STEP.name, params)


def carry_out(params):
    return probe(params) if isinstance(params, Probe) else fake_study.run(params)


@reuse_finished
def probe(params: Probe):
    """Answers of base and of the arm, once per training seed; items by `rng_seed`."""
    log = fake_study.runs_root().parent / "executions.log"
    with open_run(params) as run, log.open("a") as file:
        file.write(f"{params.STEP} {params.level} {params.train_seeds}\n")
        answers = [_answers("base", BASE, params.rng_seed, 0)]
        for seed in params.train_seeds or [params.rng_seed]:
            answers.append(_answers("teachable", params.level, params.rng_seed, seed))
        run.save_rows(pd.concat(answers), "samples")
        run.result = {"level": params.level}
    return run


def _answers(arm, level, rng_seed, train_seed):
    right = rng(rng_seed, arm, level, train_seed).random(ITEMS) < level
    return pd.DataFrame(
        {
            "arm": arm,
            "seed_id": [f"{rng_seed}.{n}" for n in range(ITEMS)],
            "verdict": ["right" if one else "wrong" for one in right],
            "finish": "stop",
            "train_seed": train_seed,
        }
    )
