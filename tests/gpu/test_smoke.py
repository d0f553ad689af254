"""The seven notebooks on a GPU: every step for real, in kernels of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from .conftest import ROOT
from .device import needs_card

pytestmark = [pytest.mark.gpu, needs_card]


@pytest.mark.seconds(330)
def test_the_smoke_study_runs(study, record):
    status = study.finished(within=300)
    said = study.log.read_text(errors="replace")
    assert status == 0, said[-4000:]
    assert "kernels start cold" not in said
    found = sorted((study.runs / "smoke").rglob("manifest.json"))
    assert len(found) == 12
    steps = {
        str(path.parent.relative_to(study.runs / "smoke")): float(
            json.loads(path.read_text())["seconds"]
        )
        for path in found
    }
    each = ", ".join(f"{step} {seconds:.0f}" for step, seconds in steps.items())
    record(
        "smoke_study",
        study.took,
        "seconds",
        n=len(steps),
        what="params/smoke.yaml from its start to its report, beside the tests that "
        f"measure nothing; seconds of its notebooks: {each}",
    )
    assert (study.runs / "smoke" / "report.html").is_file()


@pytest.mark.seconds(120)
def test_its_adapter_is_exported_and_the_study_planned(study):
    commands = {
        "export": ["export", "smoke", "--to", "merged"],
        "plan": ["plan", "params/smoke.yaml", "--seconds", "6"],
    }
    other = {"plan": {"PHI_KIT_RUNS": str(study.runs.parent / "other")}}
    both = {
        name: subprocess.Popen(
            [sys.executable, "-m", "phi_kit", *words],
            env=study.environment | other.get(name, {}),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, words in commands.items()
    }
    said = {name: process.communicate(timeout=110)[0] for name, process in both.items()}
    for name, process in both.items():
        assert process.returncode == 0, said[name]
    print(said["plan"])
    assert "fits into" in said["plan"]
    assert "is assumed to do so in the study" in said["plan"]
