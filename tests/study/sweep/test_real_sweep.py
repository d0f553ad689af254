"""A sweep of the smoke study on the embedded model, by the real notebooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SWEEP = """\
base: smoke
sets:
  domains: [math]
  probe_sft.arms: [teachable]
  probe_sft.few_shot: 0
to: probe_sft
workers: 2
grid:
  probe_sft.learning_rate: [5e-4, 1e-3, 2e-3]
"""
ALONE = "learning_rate-0.002"


def phi_kit(runs: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "phi_kit", *words],
        env={**os.environ, "PHI_KIT_RUNS": str(runs), "PHI_KIT_LEDGER": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def manifest(runs: Path, study: str, step: str) -> dict:
    return json.loads((runs / study / "math" / step / "manifest.json").read_text())


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The run folders, and what the sweep said."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "rates.yaml").write_text(SWEEP)
    said = phi_kit(folder / "runs", "sweep", str(folder / "rates.yaml"))
    return folder, said


def test_variants_that_differ_from_step_4_on_share_steps_1_to_3(swept):
    folder, said = swept
    assert "6 notebooks run, 0 finished earlier" in said
    for step in ("01_pick_domain", "02_collect_seeds", "03_filter_edge"):
        found = list((folder / "runs/rates").glob(f"*/math/{step}/manifest.json"))
        assert len(found) == 3
        assert len({path.stat().st_ino for path in found}) == 1  # one file, three names
    probes = list((folder / "runs/rates").glob("*/math/04_probe_sft/rows.parquet"))
    assert len({path.stat().st_ino for path in probes}) == 3
    for notebook in (folder / "runs").rglob("notebook.ipynb"):
        assert notebook.stat().st_size < 1e6


def test_another_sweep_that_shares_steps_1_to_4_runs_only_the_rest(swept):
    folder, _ = swept
    more = SWEEP.replace("to: probe_sft", "to: synthesize")
    more = more.replace(
        "[5e-4, 1e-3, 2e-3]", "[1e-3]\n  synthesize.organic_share: [0.5, 1.0]"
    )
    (folder / "shares.yaml").write_text(more)
    said = phi_kit(folder / "runs", "sweep", str(folder / "shares.yaml"))
    assert "2 notebooks run, 4 finished earlier" in said
    probe = "math/04_probe_sft/rows.parquet"
    first = folder / "runs/rates/learning_rate-0.001" / probe
    shared = list((folder / "runs/shares").glob(f"*/{probe}"))
    assert [path.stat().st_ino for path in shared] == [first.stat().st_ino] * 2


def test_a_variant_is_what_its_study_alone_would_be(swept, tmp_path):
    folder, _ = swept
    sets = ["domains=[math]", "probe_sft.arms=[teachable]", "probe_sft.few_shot=0"]
    sets += ["probe_sft.learning_rate=2e-3"]
    words = [word for one in sets for word in ("--set", one)]
    phi_kit(tmp_path, "run", "smoke", *words, "--to", "probe_sft")
    for step in ("01_pick_domain", "03_filter_edge", "04_probe_sft"):
        alone = manifest(tmp_path, "smoke", step)
        variant = manifest(folder / "runs", f"rates/{ALONE}", step)
        assert alone["fingerprint"] == variant["fingerprint"]
        # (Not the whole outcome: step 4 also keeps how fast it trained.)
        for file in ("rows.parquet", "samples.parquet"):
            assert alone["files"].get(file) == variant["files"].get(file)
        assert alone["result"] == variant["result"]


def test_variants_are_compared_and_reported(swept):
    folder, _ = swept
    said = phi_kit(folder / "runs", "compare", "rates/*")
    assert "math.probe_sft.learning_rate" in said
    assert "math, dev, teachable" in said
    assert "report.html" in phi_kit(folder / "runs", "report", f"rates/{ALONE}")
    assert "3 finished; 6 of 6" in phi_kit(
        folder / "runs", "status", str(folder / "rates.yaml")
    )
