"""What tests on a GPU share: the embedded model, large ones, figures, time limits."""

from __future__ import annotations

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
from benchmark_file import FILE, BenchmarkFile

from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.models import catalog

from . import device, made

ROOT = FILE.parent
OUT = os.environ.get("PHI_KIT_GPU_OUT")
if device.REHEARSAL and not OUT:
    OUT = tempfile.mkdtemp(prefix="phi-kit-gpu-")
FIGURES = Path(OUT or ROOT) / FILE.name
TEST_SECONDS = 60  # of a test that names no limit
RUN_SECONDS = 10**6 if device.REHEARSAL else 460  # of all tests together
LEAST_SECONDS = 5  # that must be left for a test to begin
UP = f"the run's {RUN_SECONDS} s are up"
# Nothing is timed before the study, which runs beside the first ones, has ended.
ORDER = ("test_correct", "test_warm_kernels_gpu", "test_engines", "test_smoke")
ends = time.monotonic() + RUN_SECONDS

Record = Callable[..., None]


def pytest_configure(config):
    config.addinivalue_line("markers", "seconds(n): how long a test may take")


def pytest_collection_modifyitems(items):
    """What is timed comes last; without a card all of it is skipped, and says so."""
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    stems = [*ORDER, "test_speed"]
    ordered = iter(sorted(here, key=lambda item: stems.index(item.path.stem)))
    items[:] = [next(ordered) if item in here else item for item in items]
    if not (torch.cuda.is_available() or device.REHEARSAL):
        why = "there is no CUDA device here: torch.cuda.is_available() is false"
        for item in here:
            item.add_marker(pytest.mark.skip(reason=why))


def pytest_runtest_setup():
    if ends - time.monotonic() < LEAST_SECONDS:
        pytest.skip(UP)


@pytest.fixture(autouse=True)
def limit(request):
    """End a test that takes too long; the next one finds the card's memory free."""
    mark = request.node.get_closest_marker("seconds")
    seconds, left = mark.args[0] if mark else TEST_SECONDS, ends - time.monotonic()
    seconds = RUN_SECONDS if device.REHEARSAL else seconds

    def late(*_):
        if left < seconds:
            pytest.skip(UP)
        raise TimeoutError(f"{request.node.name} took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, max(min(seconds, left), 1))
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    device.free_memory()


_figures: list[BenchmarkFile] = []  # one, once something has been measured


@pytest.fixture(scope="session")
def record() -> Record:
    """Keep a figure in benchmarks.json, with the card's name."""
    file = BenchmarkFile(FIGURES, card=device.name())
    _figures.append(file)

    def add(name: str, figure: float, unit: str, *, what: str, n: int = 1) -> None:
        row = file.add(f"gpu_{name}", figure, unit=unit, n=n, what=what)
        print(f"{row['name']}: {row['figure']} {unit}; {what}", flush=True)

    return add


def pytest_runtest_logreport(report):
    """Say at once what failed: a time limit outside may end the run before the end."""
    if report.failed:
        print(f"FAILED {report.nodeid}\n{report.longreprtext[-1500:]}", flush=True)


def pytest_terminal_summary(terminalreporter):
    for file in _figures:
        for row in file.measured.values():
            terminalreporter.write_line(
                f"{row['name']:44}{row['figure']:>12} {row['unit']}"
            )
        terminalreporter.write_line(f"{device.name()}; {file.path}")


@pytest.fixture(scope="session")
def student() -> LocalModel:
    """The embedded model in NF4, as a step loads it, and the kit's own engine."""
    return completion.load("smollm2-135m")


@pytest.fixture(scope="session")
def exact() -> LocalModel:
    """The same in float32, whose greedy choices no rounding turns."""
    return completion.load.__wrapped__(
        "smollm2-135m", four_bit=False, compute="float32"
    )


@pytest.fixture(scope="module", params=["phi-4-mini", "phi-4"], ids=["mini", "full"])
def large(request) -> Iterator[LocalModel]:
    """A model of Phi-4-mini's sizes, and of Phi-4's, with random weights."""
    yield made.student(request.param)
    device.free_memory()


@pytest.fixture
def small_card():
    """Let torch have only so many bytes more than it has."""

    def shrink(more: float) -> None:
        device.free_memory()
        _, total = torch.cuda.mem_get_info()
        part = (torch.cuda.memory_reserved() + more) / total
        torch.cuda.set_per_process_memory_fraction(min(part, 1.0))

    return shrink


class Study:
    """The smoke study, running beside the tests that measure nothing."""

    def __init__(self, folder: Path):
        self.runs, self.log, self.began = folder / "runs", folder / "log", time.time()
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
            return self.process.wait(within)
        finally:
            if OUT:
                Path(OUT, "smoke.log").write_bytes(self.log.read_bytes())

    @property
    def took(self) -> float:
        """Seconds, up to its last word."""
        return self.log.stat().st_mtime - self.began


@pytest.fixture(scope="session", autouse=True)
def study(request, tmp_path_factory) -> Iterator[Study | None]:
    """Begun first, waited for in `test_smoke`, before anything is timed."""
    wanted = any("test_smoke" in str(item.path) for item in request.session.items)
    if not wanted or device.REHEARSAL or not torch.cuda.is_available():
        yield None
        return
    catalog.resolve("smollm2-135m")  # once, not by both
    running = Study(tmp_path_factory.mktemp("study"))
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(20)
