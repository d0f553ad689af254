"""A domain of one's own through the seven real notebooks, and again from the ledger.

The second time with no model in reach.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import fake_study
import pytest

pytestmark = pytest.mark.slow


def phi_kit(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "phi_kit", *words],
        env={**os.environ, "PHI_KIT_LEDGER": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The study file."""
    folder = tmp_path_factory.mktemp("own")
    rows = fake_study.write_sums(folder / "sums.csv")
    text = fake_study.OWN_STUDY + fake_study.OWN_SMALL
    return str(fake_study.write_study(folder / "own.yaml", text, rows))


def replayed(
    own: str, ledger: Path, runs: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """Replay where there is no model, and no way to get one."""
    return phi_kit(
        "ledger",
        "replay",
        str(ledger),
        own,
        *words,
        PHI_KIT_RUNS=str(runs),
        PHI_KIT_CACHE=str(runs / "cache"),
        HF_HUB_OFFLINE="1",
        PIP_NO_INDEX="1",
    )


def manifests(runs: Path) -> dict[str, dict]:
    return {
        str(path.parent.relative_to(runs)): json.loads(path.read_text())
        for path in sorted(runs.rglob("manifest.json"))
    }


@pytest.fixture(scope="module")
def recorded(own: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folders of a study that a model has carried out, and its ledger."""
    runs = tmp_path_factory.mktemp("recorded")
    done = phi_kit("run", own, PHI_KIT_RUNS=str(runs))
    assert done.returncode == 0, done.stdout + done.stderr
    return runs


def digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def digest(recorded: Path) -> str:
    """The ledger as the model left it."""
    return digest_of(recorded / "ledger.sqlite")


@pytest.fixture(scope="module")
def again(
    own: str, recorded: Path, digest: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same from the ledger."""
    runs = tmp_path_factory.mktemp("replayed")
    done = replayed(own, recorded / "ledger.sqlite", runs)
    assert done.returncode == 0, done.stdout + done.stderr
    return runs


def test_rows_of_a_users_own_file_go_through_all_steps(recorded):
    collected = manifests(recorded)["own/plus/02_collect_seeds"]
    assert collected["flow"]["read"] == 60
    assert collected["flow"]["dropped"]["sealed"] == 16


def test_the_same_study_comes_out(recorded, again):
    real, other = manifests(recorded), manifests(again)
    assert len(real) == 7
    assert set(other) == set(real)
    for step, manifest in real.items():
        for part in ("fingerprint", "digest", "result", "flow", "params"):
            assert other[step][part] == manifest[part], (step, part)
        tables = {n: d for n, d in manifest["files"].items() if n.endswith(".parquet")}
        assert tables
        tables.pop("looks.parquet", None)  # the hour in which test was opened
        assert tables.items() <= other[step]["files"].items()


def test_every_manifest_and_the_report_say_so(recorded, again):
    assert {m["replayed"] for m in manifests(recorded).values()} == {False}
    assert {m["replayed"] for m in manifests(again).values()} == {True}
    assert "Replayed: no step" in (again / "own" / "report.html").read_text()
    assert "Replayed:" not in (recorded / "own" / "report.html").read_text()


def test_no_model_was_there(recorded, again):
    for manifest in manifests(again).values():
        counted = manifest["samples"]
        assert counted is None or counted["paid"] == 0
    assert list(recorded.rglob("*.safetensors"))
    assert not list(again.rglob("*.safetensors"))


def test_a_missing_sample_is_named_and_not_invented(own, recorded, again, tmp_path):
    copy = tmp_path / "copy.sqlite"
    with (
        sqlite3.connect(recorded / "ledger.sqlite") as plain,
        sqlite3.connect(copy) as other,
    ):
        plain.backup(other)
        key, prompt = other.execute(
            "SELECT key, prompt FROM samples WHERE model LIKE '%+%' LIMIT 1"
        ).fetchone()
        other.execute("DELETE FROM samples WHERE key = ?", [key])
    steps = shutil.copytree(again, tmp_path / "runs")
    for later in ("plus/04_probe_sft", "plus/05_synthesize", "07_benchmark"):
        shutil.rmtree(steps / "own" / later)
    done = replayed(own, copy, steps)
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "the ledger has no sample 0 of smollm2-135m+" in said
    question = prompt.partition("user")[2].split("<|im_end|>")[0].strip()
    assert question.splitlines()[0] in done.stderr
    finished = manifests(steps)
    assert "own/plus/03_filter_edge" in finished
    assert "own/07_benchmark" not in finished


def test_a_replay_is_refused_over_the_real_run(own, recorded):
    before = manifests(recorded)
    done = replayed(own, recorded / "ledger.sqlite", recorded, "--redo")
    shutil.rmtree(recorded / "cache", ignore_errors=True)
    assert done.returncode == 1
    assert "would write over it" in done.stderr
    assert manifests(recorded) == before


def test_nothing_is_written_into_the_ledger(recorded, digest, again):
    assert digest_of(recorded / "ledger.sqlite") == digest


def test_the_next_run_pays_for_nothing(own, recorded):
    done = phi_kit("run", own, "--from", "7", "--redo", PHI_KIT_RUNS=str(recorded))
    assert done.returncode == 0, done.stderr
    (last,) = [m for s, m in manifests(recorded).items() if "07_" in s]
    assert last["samples"]["paid"] == 0
    assert last["samples"]["from_ledger"] == last["samples"]["asked"] > 0
