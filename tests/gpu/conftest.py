"""What tests on a GPU share: the embedded model, large ones, figures, time limits."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from phi_kit.core.files import versions
from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.models import catalog, loading

from . import made

ROOT = Path(__file__).resolve().parents[2]
OUT = Path(os.environ.get("PHI_KIT_GPU_OUT") or tempfile.mkdtemp(prefix="phi-kit-gpu-"))
HERE = torch.cuda.is_available()
# What else runs on the card meanwhile; stands beside each figure.
BESIDE = os.environ.get("PHI_KIT_GPU_BESIDE", "")
SECONDS = 60  # of a test that names no limit
figures: list[dict] = []

Record = Callable[..., None]


def pytest_configure(config):
    config.addinivalue_line("markers", "seconds(n): how long a test may take")


def pytest_collection_modifyitems(items):
    """Without a card all of it is skipped, and says so."""
    if not HERE:
        why = "there is no CUDA device here: torch.cuda.is_available() is false"
        for item in items:
            if item.path.parent == Path(__file__).parent:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(autouse=True)
def limit(request):
    """End a test that takes too long; the next one finds the card's memory free."""
    mark = request.node.get_closest_marker("seconds")

    def late(*_):
        raise TimeoutError(f"{request.node.name} took more than its time")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(mark.args[0] if mark else SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    torch.cuda.set_per_process_memory_fraction(1.0)
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


@pytest.fixture(scope="session")
def record() -> Record:
    """Keep a figure: at once, for a later test may take the process with it."""
    card = torch.cuda.get_device_name()

    def add(name: str, figure: float, unit: str, **more: object) -> None:
        row = {"name": name, "figure": round(figure, 4), "unit": unit, **more}
        if BESIDE:
            row["beside"] = BESIDE
        figures.append(row)
        print(f"{name}: {row['figure']} {unit} {more or ''}", flush=True)
        OUT.mkdir(parents=True, exist_ok=True)
        whole = {"card": card, "versions": dict(versions()), "figures": figures}
        (OUT / "gpu.json").write_text(json.dumps(whole, indent=1) + "\n")

    return add


def pytest_runtest_logreport(report):
    """Say at once what failed: a time limit outside may end the run before the end."""
    if report.failed:
        print(f"FAILED {report.nodeid}\n{report.longreprtext[-1500:]}", flush=True)


def pytest_terminal_summary(terminalreporter):
    for row in figures:
        terminalreporter.write_line(
            f"{row['name']:44}{row['figure']:>12} {row['unit']}"
        )
    if figures:
        terminalreporter.write_line(f"{torch.cuda.get_device_name()}; {OUT}/gpu.json")


@pytest.fixture(scope="session")
def student() -> LocalModel:
    """The embedded model in NF4, as a step loads it."""
    return completion.load("smollm2-135m")


@pytest.fixture(scope="session")
def exact() -> Iterator[LocalModel]:
    """The same in float32, whose greedy choices no rounding turns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "compute_dtype", lambda: torch.float32)
        yield completion.load.__wrapped__("smollm2-135m", four_bit=False)


@pytest.fixture(scope="module", params=["phi-4-mini", "phi-4"], ids=["mini", "full"])
def large(request) -> Iterator[LocalModel]:
    """A model of Phi-4-mini's sizes, and of Phi-4's, with random weights."""
    yield made.student(request.param)
    gc.collect()
    torch.cuda.empty_cache()


@pytest.fixture
def small_card():
    """Let torch have only so many bytes more than it has."""

    def shrink(more: float) -> None:
        gc.collect()
        torch.cuda.empty_cache()
        _, total = torch.cuda.mem_get_info()
        part = (torch.cuda.memory_reserved() + more) / total
        torch.cuda.set_per_process_memory_fraction(min(part, 1.0))

    return shrink


class Study:
    """The smoke study, running beside the tests that measure nothing."""

    def __init__(self, folder: Path):
        self.runs, self.log = folder / "runs", folder / "log"
        self.began, self.took = time.monotonic(), 0.0
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "phi_kit", "run", "params/smoke.yaml"],
                env=self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PHI_KIT_RUNS": str(self.runs), "PHI_KIT_LEDGER": ""}

    def finished(self, *, within: float) -> int:
        """Wait for it; its exit status."""
        try:
            status = self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            raise
        finally:
            OUT.mkdir(parents=True, exist_ok=True)
            (OUT / "smoke.log").write_bytes(self.log.read_bytes())
        self.took = self.took or time.monotonic() - self.began
        return status


@pytest.fixture(scope="session", autouse=True)
def study(request, tmp_path_factory) -> Iterator[Study | None]:
    """Begun first, waited for in `test_smoke`, before anything is timed."""
    wanted = any("test_smoke" in str(item.path) for item in request.session.items)
    if not (wanted and HERE):
        yield None
        return
    catalog.resolve("smollm2-135m")  # once, not by both
    running = Study(tmp_path_factory.mktemp("study"))
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(20)
