"""The seven notebooks on a GPU: every step for real, in kernels of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from .conftest import ROOT

pytestmark = pytest.mark.gpu


@pytest.mark.seconds(330)
def test_the_smoke_study_runs(study, record):
    status = study.finished(within=300)
    said = study.log.read_text(errors="replace")
    assert status == 0, said[-4000:]
    assert "kernels start cold" not in said
    record("smoke study, beside other tests", study.took, "s")
    found = sorted((study.runs / "smoke").rglob("manifest.json"))
    assert len(found) == 12
    for path in found:
        manifest = json.loads(path.read_text())
        step = path.parent.relative_to(study.runs / "smoke")
        record(f"  {step}", float(manifest["seconds"]), "s")
    assert (study.runs / "smoke" / "report.html").is_file()


@pytest.mark.seconds(100)
def test_its_adapter_is_exported_merged(study, record):
    done = subprocess.run(
        [sys.executable, "-m", "phi_kit", "export", "smoke", "--to", "merged"],
        env=study.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.seconds(100)
def test_it_can_be_planned(study):
    done = subprocess.run(
        [
            *(sys.executable, "-m", "phi_kit", "plan", "params/smoke.yaml"),
            *("--seconds", "6"),
        ],
        env={**study.environment, "PHI_KIT_RUNS": str(study.runs.parent / "other")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fits into" in done.stdout
