"""A study of three toy steps, and a project folder with their notebooks.

The kernels import this module too: `environment()` puts it on their path.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

from pydantic import Field, model_validator

from phi_kit.core.params import StepParams
from phi_kit.core.row_counts import RowCounts
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step

PICK_DOMAIN = Step(1, "pick_domain")
FILTER_EDGE = Step(3, "filter_edge", needs=(PICK_DOMAIN,))
BENCHMARK = Step(7, "benchmark", needs=(FILTER_EDGE,), per_domain=False)
STEPS = (PICK_DOMAIN, FILTER_EDGE, BENCHMARK)
STEMS = tuple(step.folder for step in STEPS)
REPO = Path(__file__).parents[2]


class PickDomain(StepParams):
    STEP: ClassVar[Step] = PICK_DOMAIN
    domain: str = "math"
    items: int = Field(4, ge=1)


class FilterEdge(StepParams):
    STEP: ClassVar[Step] = FILTER_EDGE
    domain: str = "math"
    samples: int = Field(4, ge=2)
    band: list[float] = Field([0.2, 0.8])
    rate: float = Field(1e-3, gt=0)
    adapt: bool = False
    note: str = ""

    @model_validator(mode="after")
    def _ordered(self):
        if self.band != sorted(self.band):
            raise ValueError("band should rise")
        return self


class Benchmark(StepParams):
    STEP: ClassVar[Step] = BENCHMARK
    domains: list[str] = Field(["math", "puzzles"])
    items: int = Field(4, ge=1)


PARAMS = {p.STEP.name: p for p in (PickDomain, FilterEdge, Benchmark)}


def load(step):
    return SimpleNamespace(Params=PARAMS[step.name], run=run)


@reuse_finished
def run(params) -> StepRun:
    """Count the execution in a file, then finish."""
    params.require_upstream()
    log = Path("executions.log")
    with open_run(params) as opened, log.open("a") as file:
        file.write(f"{params.STEP} {getattr(params, 'domain', '-')}\n")
        opened.flow = RowCounts()
        opened.flow.take([None, None, "too long"])
        opened.result = params.model_dump(mode="json", exclude={"study"})
    return opened


def install(monkeypatch) -> None:
    """Put the toy steps in the place of the real ones."""
    monkeypatch.setattr("phi_kit.steps.STEPS", STEPS)
    monkeypatch.setattr("phi_kit.steps.load", load)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])


def environment() -> dict[str, str]:
    path = [str(REPO), str(Path(__file__).parent)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def make_project(folder: Path, **cells: str) -> Path:
    """Write notebooks, and `params/toy.yaml`; `cells` adds one, by step."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "params").mkdir()
    text = "study: toy\ndomains: [math, puzzles]\nfilter_edge:\n  samples: 3\n"
    (folder / "params/toy.yaml").write_text(text)
    for step in STEPS:
        write_notebook(folder, step.name, cells.get(step.name, ""))
    return folder


def write_notebook(folder: Path, name: str, extra: str = "") -> None:
    import nbformat  # seconds of imports that the kernels need not pay

    params = PARAMS[name]
    values = params().model_dump(mode="json")
    literals = "\n".join(f"{key.upper()} = {value!r}" for key, value in values.items())
    first = nbformat.v4.new_code_cell(literals, metadata={"tags": ["parameters"]})
    use = f"import toy_study\nparams = toy_study.{params.__name__}.from_notebook("
    sources = [f"{use}globals())", extra, "_ = toy_study.run(params)"]
    book = nbformat.v4.new_notebook(
        cells=[first, *(nbformat.v4.new_code_cell(s) for s in sources if s)],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "", "language": ""}
        },
    )
    nbformat.write(book, folder / "notebooks" / f"{params.STEP}.ipynb")


def executions(folder: Path) -> list[str]:
    log = folder / "executions.log"
    return log.read_text().splitlines() if log.exists() else []


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """`phi-kit run params/toy.yaml` with the toy steps, in a process of its own."""
    code = (
        "import phi_kit.steps, toy_study; phi_kit.steps.STEPS = toy_study.STEPS; "
        "phi_kit.steps.load = toy_study.load; from phi_kit.cli import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "run", "params/toy.yaml", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts background jobs deaf to SIGINT, and they hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def until(condition, *, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A killed process nobody has waited for yet is a zombie, not alive.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
