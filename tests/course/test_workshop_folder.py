"""A workshop folder: students begin from the recording, teachers have it whole."""

import ast
import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from phi_kit import steps
from phi_kit.cli import app, lab
from phi_kit.course import readiness
from phi_kit.course.sample_source import as_recorded, recorded_units

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def cells(path, tag):
    found = json.loads(path.read_text())["cells"]
    return [c for c in found if tag in c["metadata"].get("tags", ())]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("workshop") / "ours"
    done = CliRunner().invoke(app, ["workshop", "build", str(place)])
    assert done.exit_code == 0, done.output
    assert "7 notebooks without solutions" in done.stdout
    return place


def test_solutions_are_the_teachers_alone(folder):
    for name in NAMES:
        assert not cells(folder / "student/notebooks" / name, "solution")
        assert cells(folder / "teacher/solutions" / name, "solution")
    found = {str(p.relative_to(folder)) for p in folder.rglob("*.ipynb")}
    assert len(found) == 2 * len(NAMES)
    assert "Half a day" in (folder / "teacher/GUIDE.md").read_text()
    assert "phi-kit workshop check" in (folder / "student/README.md").read_text()
    assert (folder / "student/params/workshop.yaml").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_a_students_first_cell_is_the_recorded_study(folder, name):
    for path in (
        folder / "student/notebooks" / name,
        folder / "teacher/solutions" / name,
    ):
        (cell,) = cells(path, "parameters")
        body = ast.parse("".join(cell["source"])).body
        given = {node.target.id: ast.literal_eval(node.value) for node in body}
        assert given.pop("ADVANCED") == {"SOURCE": "recorded"}
        (step,) = [one for one in steps.STEPS if one.folder == path.stem]
        unit = next(unit for unit in recorded_units() if step == unit.params.STEP)
        params = steps.load(step).Params.from_namespace(given)
        assert as_recorded(params) == unit.params
        # Nothing else is touched: every line keeps its comment.
        (own,) = cells(ROOT / "notebooks" / name, "parameters")
        comments = [
            [line.partition("  # ")[2].strip() for line in one["source"]]
            for one in (cell, own)
        ]
        assert comments[0] == comments[1]


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    done = CliRunner().invoke(app, ["workshop", "build", str(tmp_path)])
    assert done.exit_code == 1
    assert "not empty" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_laptop_that_is_not_ready_is_told_why(monkeypatch, tmp_path):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path))
    fine = readiness.LaptopCheck(True, "the recording")
    monkeypatch.setattr(readiness, "_recording", lambda: fine)
    monkeypatch.setattr(readiness, "_first_step", lambda: fine)
    monkeypatch.setattr(readiness, "LEAST_MEMORY", 0.1)
    monkeypatch.setattr(readiness, "LEAST_DISK", 0.0)
    done = CliRunner().invoke(app, ["workshop", "check"])
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("ready\n")
    monkeypatch.setattr(readiness, "LEAST_DISK", 1e9)
    done = CliRunner().invoke(app, ["workshop", "check"])
    assert done.exit_code == 1
    assert "NOT " in done.stdout
    assert "free for results: 1e+09 are needed" in done.stdout


def test_lab_opens_the_start_page_and_hands_on_what_it_does_not_know(monkeypatch):
    started = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "mine")
    monkeypatch.setattr(os, "execv", lambda *words: started.append(words))
    done = CliRunner().invoke(app, ["lab", "--allow-root", "--port=1"])
    assert done.exit_code == 0, done.output
    ((program, words),) = started
    assert program == sys.executable
    assert words[3:] == [
        "--LabApp.default_url=/lab/tree/notebooks/README.md",
        "--allow-root",
        "--port=1",
    ]
    first, *others = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert others == ["mine"]
    settings = Path(first) / "labconfig/default_setting_overrides.json"
    viewers, news = json.loads(settings.read_text()).values()
    assert viewers == {"defaultViewers": {"markdown": "Markdown Preview"}}
    assert news == {"checkForUpdates": False, "fetchNews": "false"}
    assert lab.PASSED_ON["ignore_unknown_options"]
