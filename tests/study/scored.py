"""A finished step 7 with a domain of its own and two public benchmarks."""

from typing import ClassVar

import pandas as pd
from pydantic import Field

from phi_kit.core import step_table
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.core.step_table import Step
from phi_kit.data.records import Seed, to_frame


class Scored(StepParams):
    STEP: ClassVar[Step] = Step(7, "benchmark", needs=(), per_domain=False)
    domains: list[str] = Field(["math"])
    samples: int = 2
    temperature: float = 0.6
    max_tokens: int | None = 64


PUBLIC = [
    Seed(task, f"Question {number}?", str(number), family=task)
    for task in ("gsm8k", "math-500")
    for number in range(20)
]
SEALED = [Seed("math", f"Sealed {number}?", str(number)) for number in range(20)]
RIGHT = {"base": 5, "final": 15}  # of 20 items, in both samples


def finish(study="demo", *, decision=None):
    """Write the run folder of a finished step 7."""
    rows = [
        {
            "seed_id": seed.id,
            "family": seed.family,
            "sample": sample,
            "text": f"So it is.\nAnswer: {seed.answer}",
            "extracted": seed.answer,
            "tokens": 6,
            "finish": "stop",
            "verdict": "right" if int(seed.answer) < RIGHT[model] else "wrong",
            "lenient": "right",
            "domain": seed.domain,
            "model": model,
        }
        for model in RIGHT
        for seed in (*SEALED, *PUBLIC)
        for sample in range(2)
    ]
    with open_run(Scored(study=study)) as run:
        run.save_rows(pd.DataFrame(rows), "samples")
        run.save_rows(to_frame(PUBLIC), "benchmark_items")
        run.result = {"decision": decision or {}}
    return step_table.BENCHMARK
