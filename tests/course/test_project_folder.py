"""`phi-kit init` writes a folder in which a student can begin."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.core.errors import RunError
from phi_kit.core.paths import project_root
from phi_kit.course.project_folder import make_project, without_solutions
from phi_kit.study import config

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def cells(path):
    return json.loads(path.read_text())["cells"]


def solved(path):
    return [c for c in cells(path) if "solution" in c["metadata"].get("tags", ())]


def test_a_project_has_student_copies_and_whole_notebooks(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    done = CliRunner().invoke(app, ["init", str(folder)])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("7 notebooks and their solutions")
    notebooks, solutions = folder / "notebooks", folder / "notebooks/solutions"
    assert [p.name for p in sorted(notebooks.glob("*.ipynb"))] == NAMES
    for name in NAMES:
        source = ROOT / "notebooks" / name
        assert (solutions / name).read_bytes() == source.read_bytes()
        assert not solved(notebooks / name)
        kept = [cell for cell in cells(source) if cell not in solved(source)]
        assert cells(notebooks / name) == kept
    assert any(solved(solutions / name) for name in NAMES)
    # It is a project: studies are found in it, from any folder of it.
    monkeypatch.chdir(notebooks)
    assert project_root() == folder
    assert config.load("quickstart").path == folder / "params/quickstart.yaml"
    for link in ("docs/glossary.md", "docs/your-own-domain.md", "README.md"):
        assert (folder / link).is_file()
    for page in folder.rglob("docs/**/*.md"):
        for target in re.findall(r"\]\(([\w./-]+\.md)\)", page.read_text()):
            assert (page.parent / target).is_file(), (page, target)


def test_every_exercise_has_its_solution_and_no_solution_stands_before_it():
    found = 0
    for name in NAMES:
        sources = ["".join(cell["source"]) for cell in cells(ROOT / "notebooks" / name)]
        asked = [s for s in sources if s.startswith("answer = None")]
        calls = [s.splitlines()[-1].partition(".check(")[0] for s in asked]
        answers = ["".join(c["source"]) for c in solved(ROOT / "notebooks" / name)]
        found += len(calls)
        for call in calls:
            assert sum(f"{call}.check(" in answer for answer in answers) == 1
        if answers:
            assert sources[-len(answers) :] == answers
            assert answers[0] == "## Solutions"
    assert found >= 9


@pytest.mark.parametrize("inside", ["notes.txt", "notebooks/mine.ipynb"])
def test_nothing_is_overwritten(tmp_path, inside):
    mine = tmp_path / inside
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        make_project(tmp_path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [mine]
    with pytest.raises(RunError, match="not empty"):
        make_project(mine)


def test_an_empty_folder_will_do(tmp_path):
    assert len(make_project(tmp_path)) == 7


def test_only_tagged_cells_go():
    plain = {"metadata": {}, "source": "### BEGIN SOLUTION\n1\n### END SOLUTION"}
    tagged = {"metadata": {"tags": ["solution", "raises-exception"]}, "source": "2"}
    book = {"cells": [plain, tagged], "metadata": {"kernelspec": {}}}
    assert without_solutions(book) == {**book, "cells": [plain]}


@pytest.mark.slow
def test_a_wheel_carries_what_folders_are_made_of(tmp_path):
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import sys, phi_kit.cli as c; c.app(sys.argv[1:])"
    for words in (["init", "mine"], ["workshop", "build", "room"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert "7 notebooks" in done.stdout, done.stderr
    made = tmp_path / "mine/notebooks/solutions"
    assert sorted(path.name for path in made.glob("*.ipynb")) == NAMES
    assert (tmp_path / "mine/params/sweeps/bands.yaml").is_file()
    assert (tmp_path / "room/teacher/GUIDE.md").is_file()
    assert (tmp_path / "site/phi_kit/course/recorded/workshop.sqlite.xz").is_file()
    assert (tmp_path / "site/phi_kit/cli/jupyter/labconfig").is_dir()
