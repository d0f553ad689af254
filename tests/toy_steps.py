"""Two steps that cost nothing."""

import os
import signal
import time
from typing import ClassVar

import pandas as pd
from pydantic import Field

from phi_kit.core import sample_counts
from phi_kit.core.params import StepParams
from phi_kit.core.row_counts import RowCounts
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step


class Toy(StepParams):
    """A first step."""

    STEP: ClassVar[Step] = Step(1, "toy")
    domain: str = "math"
    size: int = 3


class Next(StepParams):
    """A step that reads the first."""

    STEP: ClassVar[Step] = Step(2, "next", needs=(Toy.STEP,))
    domain: str = "math"


class Last(StepParams):
    """A step that reads the second, of all domains."""

    STEP: ClassVar[Step] = Step(6, "last", needs=(Next.STEP,), per_domain=False)
    domains: list[str] = Field(["math"])


@reuse_finished
def run(params: Toy) -> StepRun:
    """A table, a figure, counts, and a note of when it was carried out.

    With `TOY_INTERRUPT` in the environment somebody stops it after 131 samples.
    """
    from matplotlib.figure import Figure

    with open_run(params) as run:
        run.save_rows(pd.DataFrame({"unseen": [0]}), "other")
        run.table = pd.DataFrame({"x": range(params.size), "word": "a"})
        run.save_rows(run.table)
        run.flow = RowCounts()
        run.flow.take([None] * params.size + ["too long"])
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([0, 1])
        run.figure = run.save_figure(figure, "line")
        run.result = {"at": time.time(), "kept": params.size}
        for _ in range(131):
            sample_counts.record_generated(1, None)
        if os.environ.get("TOY_INTERRUPT"):
            signal.raise_signal(signal.SIGINT)
            time.sleep(60)
    return run
