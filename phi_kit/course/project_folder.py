"""A folder to work in, outside a checkout: notebooks, studies, a README.

A wheel carries them in `phi_kit/project`; a checkout has them at its root. The
notebooks come in two forms from one source: without the cells tagged `solution`, to
work in, and whole in `notebooks/solutions`. Teachers who use nbgrader or otter-grader
may mark further cells in their own copies: nothing here minds their markers.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import phi_kit
from phi_kit.core.errors import RunError, disk_errors
from phi_kit.core.files import write_atomic
from phi_kit.core.paths import display_path

SOLUTION = "solution"  # the tag of cells that a student's copy lacks
_FOLDERS = ("notebooks", "params")
_FILES = (
    "docs/glossary.md",
    "docs/your-own-domain.md",
    "docs/how-to/own-transform.md",
)
_README = """# A phi_kit project

    phi-kit lab                          # the notebooks by hand, in JupyterLab
    phi-kit run params/smoke.yaml        # every step, at a toy size
    phi-kit run params/quickstart.yaml   # the whole method on a laptop

Begin with [notebooks/README.md](notebooks/README.md). The notebooks have exercises;
`notebooks/solutions/` holds the same ones with their solutions. Results go to `runs/`.
A study of your own is a file in `params/`.
"""


def make_project(folder: Path) -> list[Path]:
    """Write a project into a new or empty folder.

    Args:
        folder: where it goes.

    Returns:
        The student's notebooks, in order.

    Raises:
        RunError: the folder holds something, or cannot be written.
    """
    with disk_errors(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunError(
                "this folder is not empty, and nothing in it is overwritten",
                where=display_path(folder),
                todo="name a new one: phi-kit init FOLDER",
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FOLDERS:
            shutil.copytree(
                carried_files() / name,
                folder / name,
                ignore=shutil.ignore_patterns(".*", "ruff.toml"),
            )
        for name in _FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(carried_files() / name, folder / name)
        write_atomic(folder / "README.md", _README)
        return _split_solutions(folder / "notebooks")


def carried_files() -> Path:
    """Where notebooks, params and docs lie: in the wheel, or in the checkout."""
    package = Path(phi_kit.__file__).resolve().parent
    carried = package / "project"
    return carried if carried.is_dir() else package.parent


def without_solutions(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook without its cells tagged `solution`."""
    kept = [
        cell
        for cell in notebook["cells"]
        if SOLUTION not in cell["metadata"].get("tags", ())
    ]
    return {**notebook, "cells": kept}


def _split_solutions(notebooks: Path) -> list[Path]:
    """Move whole notebooks to `solutions/` and leave a student's copy of each."""
    solutions = notebooks / "solutions"
    solutions.mkdir()
    paths = sorted(notebooks.glob("*.ipynb"))
    for path in paths:
        whole = path.read_text(encoding="utf-8")
        write_atomic(solutions / path.name, whole)
        student = without_solutions(json.loads(whole))
        text = json.dumps(student, indent=1, ensure_ascii=False)
        write_atomic(path, f"{text}\n")
    return paths
