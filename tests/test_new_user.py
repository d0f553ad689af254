"""The path of a new user, from a bare machine on: the docs' own lines, run and timed.

Needs make, a Python with pip, and a package index; `PYTHON` names another Python.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import countries
import pytest

ROOT = Path(__file__).resolve().parents[1]
START = (ROOT / "docs" / "start.md").read_text()
OWN = (ROOT / "docs" / "your-own-domain.md").read_text()
NOT_COPIED = (".git", ".venv", "runs", "_build", "_made", "__pycache__")

pytestmark = pytest.mark.sweep


def commands(page: str, heading: str) -> str:
    """The first block of commands after some words."""
    after = page.partition(heading)[2]
    assert after, heading
    return re.search(r"```(?:bash)?\n(.*?)```", after, re.DOTALL)[1]


class Machine:
    """A machine on which nobody has used the kit: a copy, and an empty home."""

    def __init__(self, folder: Path):
        self.folder, self.home = folder / "phi_kit", folder / "home"
        self.home.mkdir()
        skipped = shutil.ignore_patterns(*NOT_COPIED)
        shutil.copytree(ROOT, self.folder, ignore=skipped)

    def run(self, lines: str) -> float:
        """Run lines as they stand; the seconds that they took."""
        mine = ("PHI_KIT_", "PYTHON", "VIRTUAL_ENV", "XDG_", "HF_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(mine)}
        if "PYTHON" in os.environ:
            kept["PYTHON"] = os.environ["PYTHON"]
        began = time.monotonic()
        done = subprocess.run(
            ["bash", "-e", "-c", lines],
            cwd=self.folder,
            env={**kept, "HOME": str(self.home)},
            capture_output=True,
            text=True,
        )
        seconds = time.monotonic() - began
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        print(f"\n{seconds:7.0f} s  {lines.strip().splitlines()[-1]}")
        return seconds


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Machine:
    """With the kit installed, as every `make` target does first."""
    found = Machine(tmp_path_factory.mktemp("bare"))
    found.run("make setup")
    return found


def test_a_toy_study_comes_to_a_report(machine):
    machine.run(commands(START, "numbers mean nothing:"))
    assert (machine.folder / "runs/smoke/report.html").is_file()


def test_the_readmes_first_lines_come_to_a_report(machine):
    block = commands((ROOT / "README.md").read_text(), "# phi_kit")
    first, lab = block.strip().splitlines()
    assert first.startswith("make quickstart")
    assert lab.startswith("make lab")  # `tests/notebooks/test_workshop_lab.py`
    machine.run(first)
    assert (machine.folder / "runs/quickstart/report.html").is_file()


def test_an_own_csv_comes_to_a_report(machine):
    (machine.folder / "data").mkdir(exist_ok=True)
    countries.capitals(machine.folder / "data/capitals.csv")
    study = re.search(r"```yaml\n(.*?)```", OWN, re.DOTALL)[1]
    (machine.folder / "params/geography.yaml").write_text(study)
    machine.run(commands(START, "Once both are there:"))
    assert (machine.folder / "runs/geography/report.html").is_file()


def test_a_first_sweep_comes_to_an_atlas(machine):
    machine.run(commands(START, "**The first sweep**"))
    assert (machine.folder / "runs/first/atlas.html").is_file()
    assert len(list((machine.folder / "runs/first").glob("*/math/03_filter_edge"))) == 3


def test_a_first_workshop_is_built_and_this_machine_is_ready(machine):
    machine.run(commands(START, "**The first workshop**"))
    made = machine.folder / "my-workshop/student/notebooks"
    assert len(list(made.glob("0*.ipynb"))) == 7
