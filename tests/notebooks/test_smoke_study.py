"""The seven real notebooks on the real model, killed three times on their way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from phi_kit.core import folder_names
from phi_kit.study import config
from phi_kit.study.notebook.execute import notebook_parameters
from phi_kit.study.notebook.warm_kernels import COLD

ROOT = Path(__file__).resolve().parents[2]
SMOKE = str(ROOT / "params" / "smoke.yaml")
# In three different notebooks, one of them per study rather than per domain.
KILLS = ("math/.03_filter_edge", "puzzles/.04_probe_sft", ".06_expand_domains")

pytestmark = pytest.mark.slow


def phi_kit(*words: str) -> list[str]:
    return [sys.executable, "-m", "phi_kit", *words]


def environment(runs: Path) -> dict[str, str]:
    return {**os.environ, "PHI_KIT_RUNS": str(runs), "PHI_KIT_LEDGER": ""}


def manifests(runs: Path) -> dict[str, int]:
    """When each step's manifest was written, by its place in the study."""
    found = sorted((runs / "smoke").rglob("manifest.json"))
    return {
        str(path.parent.relative_to(runs / "smoke")): path.stat().st_mtime_ns
        for path in found
    }


def outcome(runs: Path, place: str) -> str:
    """The digest of what a step has written and found."""
    text = (runs / "smoke" / place / "manifest.json").read_text()
    return json.loads(text)["digest"]


def kill_in(step: str, *, runs: Path) -> dict[str, int]:
    """Run the study until `step` writes, `kill -9` it; what had finished."""
    command = phi_kit("run", SMOKE)
    run = subprocess.Popen(command, env=environment(runs), cwd=runs)
    working = runs / "smoke" / f"{step}.partial"
    deadline = time.monotonic() + 300
    while not working.exists():
        assert run.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, f"{step} never started"
        time.sleep(0.05)
    time.sleep(1)
    run.send_signal(signal.SIGKILL)
    run.wait()
    return manifests(runs)


@pytest.fixture(scope="module")
def study(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[dict[str, int]]]:
    """The smoke study, killed three times and then finished."""
    runs = tmp_path_factory.mktemp("runs")
    seen = [kill_in(step, runs=runs) for step in KILLS]
    done = subprocess.run(
        phi_kit("run", SMOKE),
        env=environment(runs),
        cwd=runs,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return runs, [*seen, manifests(runs)]


def test_the_final_adapter_exports(study, tmp_path):
    runs, _ = study
    done = subprocess.run(
        phi_kit("export", "smoke", "--to", "merged"),
        env=environment(runs),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the likeliest token is the same at" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["merged"]
    names = {path.name for path in (tmp_path / "merged").iterdir()}
    assert {"model.safetensors", "tokenizer.json"} <= names


def test_kernels_that_start_cold_give_the_same_tables(study, tmp_path):
    warm, _ = study
    done = subprocess.run(
        phi_kit("run", SMOKE, "--set", "domains=[math]", "--to", "probe_sft"),
        env=environment(tmp_path) | {COLD: "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cold = {place: outcome(tmp_path, place) for place in manifests(tmp_path)}
    assert len(cold) == 4  # sampled and trained
    assert cold == {place: outcome(warm, place) for place in cold}


def test_every_training_run_passed_the_gate_and_says_so(study):
    runs, _ = study
    for place in ("math/04_probe_sft", "puzzles/04_probe_sft", "06_expand_domains"):
        folder = runs / "smoke" / place
        result = json.loads((folder / "manifest.json").read_text())["result"]
        assert set(result["gate"]) == {p.name for p in (folder / "adapters").iterdir()}
        for report in result["gate"].values():
            assert report["read"] == report["kept"] + report["too_long"]
            assert report["train_template"] == report["evaluation_template"]
            assert report["sealed"]
        for adapter in (folder / "adapters").iterdir():
            card = (adapter / "README.md").read_text()
            assert "| held-out accuracy, dev of" in card


def test_a_killed_study_finishes_and_no_finished_step_runs_twice(study):
    _, seen = study
    assert len(seen[-1]) == 12
    for earlier, later in pairwise(seen):
        assert len(earlier) < len(later)
        assert earlier.items() <= later.items()


def test_the_next_run_has_nothing_to_do(study):
    runs, seen = study
    done = subprocess.run(
        phi_kit("run", SMOKE),
        env=environment(runs),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("nothing changed") == 12
    assert manifests(runs) == seen[-1]


@pytest.mark.parametrize("step", ["probe_sft", "expand_domains"])
def test_run_all_on_a_finished_notebook_trains_nothing(study, tmp_path, step):
    runs, seen = study
    params = next(u.params for u in config.load(SMOKE).units() if u.step == step)
    notebook = ROOT / "notebooks" / f"{params.STEP}.ipynb"
    words = ["-y", json.dumps(notebook_parameters(params))]
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "papermill", str(notebook), "out.ipynb", *words],
        env=environment(runs),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert time.monotonic() - began < 120  # most of it are imports and the model
    written = (tmp_path / "out.ipynb").read_text()
    assert "nothing has changed: this is that result" in written
    assert manifests(runs) == seen[-1]


def test_what_lies_in_the_runs_folder_is_nobodys_name(study):
    runs, _ = study
    beside = {path.name for path in runs.iterdir()} - {"smoke"}
    inside = {path.name for path in (runs / "smoke").iterdir()} - {"math", "puzzles"}
    assert {"ledger.sqlite"} <= beside
    assert {"06_expand_domains", "07_benchmark", "report.html"} <= inside
    assert all(map(folder_names.study_fault, beside))
    assert all(map(folder_names.domain_fault, inside))


def test_rows_add_up_in_every_step_that_drops_some(study):
    runs, _ = study
    flows = [
        json.loads(path.read_text())["flow"]
        for path in (runs / "smoke").rglob("manifest.json")
    ]
    flows = [flow for flow in flows if flow]
    assert len(flows) == 7  # steps 2, 3 and 5 of two domains, and step 6
    for flow in flows:
        assert flow["kept"] + sum(flow["dropped"].values()) == flow["read"]


def test_a_changed_parameter_makes_stale_exactly_what_depends_on_it(study):
    runs, _ = study
    done = subprocess.run(
        phi_kit("status", SMOKE, "--set", "math.synthesize.arm=random"),
        env=environment(runs),
        capture_output=True,
        text=True,
        check=True,
    )
    stale = {line.split()[0] for line in done.stdout.splitlines() if " stale " in line}
    # 06 and 07 follow when 05 has been redone and has come out different.
    assert stale == {"05"}


def test_every_figure_and_the_report_are_there(study):
    runs, seen = study
    report = (runs / "smoke" / "report.html").read_text()
    assert report.count("data:image/svg+xml;base64,") >= 12
    for step in seen[-1]:
        assert list((runs / "smoke" / step / "figures").glob("*.png")), step


def test_the_report_says_where_the_time_went(study):
    runs, seen = study
    spent = [
        json.loads((runs / "smoke" / step / "manifest.json").read_text())["spent"]
        for step in seen[-1]
    ]
    assert {kind for times in spent for kind in times} == {"sampling", "training"}
    report = (runs / "smoke" / "report.html").read_text()
    (share,) = re.findall(r"everything else (\d+\.\d)\s% of the time", report)
    assert 0 < float(share) < 100


def test_executed_notebooks_hold_no_path_of_this_machine(study):
    runs, seen = study
    for step in seen[-1]:
        text = (runs / "smoke" / step / "notebook.ipynb").read_text()
        assert str(ROOT) not in text, step


def test_plain_papermill_lands_in_the_same_folders_from_anywhere(study, tmp_path):
    runs, _ = study
    notebook = ROOT / "notebooks" / "02_collect_seeds.ipynb"
    words = [
        "-p",
        "STUDY",
        "smoke",
        "-p",
        "DOMAIN",
        "puzzles",
        "-p",
        "MAX_CHARS",
        "900",
    ]
    before = manifests(runs)
    subprocess.run(
        [sys.executable, "-m", "papermill", str(notebook), "out.ipynb", *words],
        env=environment(runs),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    after = manifests(runs)
    changed = {step for step in after if after[step] != before.get(step)}
    # What was there before stays beside it.
    assert changed == {"puzzles/02_collect_seeds", "puzzles/02_collect_seeds.old"}
    path = runs / "smoke" / "puzzles" / "02_collect_seeds" / "manifest.json"
    assert json.loads(path.read_text())["params"]["max_chars"] == 900


def test_a_plan_of_it_comes_true(study, tmp_path, monkeypatch):
    """Within a factor of 2.5, on a machine that does other things as well; it says
    what it measured, and leaves nothing behind.
    """
    from phi_kit.cli import app
    from phi_kit.study import config
    from phi_kit.study.planning import plan_table, speed_probe

    measure, measured = speed_probe.measure, []

    def noted(*given, **named):
        measured.append(measure(*given, **named))
        return measured[-1]

    monkeypatch.setattr(speed_probe, "measure", noted)

    runs, _ = study
    took = sum(
        json.loads(path.read_text())["seconds"]
        for path in (runs / "smoke").rglob("manifest.json")
    )
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path))
    done = CliRunner().invoke(app, ["plan", "smoke", "--seconds", "20"])
    assert done.exit_code == 0, done.output
    assert "tokens/s sampled" in done.stdout
    assert re.search(r"\d+ of \d+ seeds teachable", done.stdout)
    assert not list(tmp_path.rglob("*"))
    steps = plan_table.plan_steps(config.load("smoke").units(), measured[0], 0)
    said = sum(step.seconds - plan_table.NOTEBOOK for step in steps)
    assert took / 2.5 < said < took * 2.5
    assert all(step.most >= step.seconds for step in steps)
