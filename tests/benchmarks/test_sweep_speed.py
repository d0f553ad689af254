"""What does a sweep save over a loop that executes every variant's notebooks?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import papermill
import pytest

from phi_kit.core.paths import project_root
from phi_kit.study.notebook.execute import notebook_parameters
from phi_kit.study.sweep import sweep_config

pytestmark = pytest.mark.bench

VARIANTS = 24
SWEEP = """\
base: smoke
sets: {domains: [math], probe_sft.arms: [teachable], probe_sft.few_shot: 0}
to: probe_sft
workers: 2
"""


def write_sweep(folder: Path, variants: int) -> Path:
    """A sweep whose variants differ from step 4 on."""
    rates = [round(1e-4 * number, 6) for number in range(1, variants + 1)]
    path = folder / "rates.yaml"
    path.write_text(f"{SWEEP}grid:\n  probe_sft.learning_rate: {rates}\n")
    return path


def swept(path: Path, **environment: str) -> float:
    """Seconds that `phi-kit sweep` takes."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "phi_kit", "sweep", str(path)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return time.perf_counter() - began


def looped(path: Path, folder: Path) -> float:
    """Seconds that plain papermill takes, one variant after another."""
    began = time.perf_counter()
    for variant in sweep_config.load(path).variants:
        for unit in variant.units:
            name = f"{unit.params.STEP}.ipynb"
            papermill.execute_notebook(
                str(project_root() / "notebooks" / name),
                str(folder / f"{variant.name}-{name}"),
                notebook_parameters(unit.params),
                cwd=str(project_root()),
                progress_bar=False,
            )
    return time.perf_counter() - began


def digests(runs: Path) -> dict[str, str]:
    """The outcome of every step of every variant."""
    return {
        str(path.relative_to(runs)): json.loads(path.read_text())["digest"]
        for path in runs.glob("rates/*/math/*/manifest.json")
    }


def compared(folder: Path, patch: pytest.MonkeyPatch, *, variants: int) -> list[float]:
    """Seconds of the loop and of the sweep, over the same recorded samples."""
    path, recorded = write_sweep(folder, variants), folder / "recorded"
    swept(path, PHI_KIT_RUNS=str(recorded), PHI_KIT_LEDGER="")
    patch.setenv("PHI_KIT_REPLAY", str(recorded / "ledger.sqlite"))
    patch.setenv("PHI_KIT_RUNS", str(folder / "loop"))
    loop = looped(path, folder)
    sweep = swept(path, PHI_KIT_RUNS=str(folder / "sweep"))
    assert len(digests(folder / "loop")) == 4 * variants
    assert digests(folder / "loop") == digests(folder / "sweep")
    return [loop, sweep]


def test_a_sweep_against_a_loop(record, tmp_path, monkeypatch):
    loop, sweep = compared(tmp_path, monkeypatch, variants=VARIANTS)
    record(
        "sweep_vs_papermill_loop",
        loop / sweep,
        unit="times as long",
        n=1,
        what=f"{VARIANTS} variants of the smoke study's math that differ from step 4 "
        f"on, {4 * VARIANTS} notebooks by plain papermill one after another "
        f"({loop:.0f} s) against a sweep of two workers ({sweep:.0f} s), samples "
        "replayed from the ledger; the same outcomes",
    )
    assert loop / sweep >= 3
