"""A folder for a workshop: what students get, and what stays with the teacher.

The notebooks are set to the recorded study, so a room needs neither a GPU nor a
network. Students' copies have no solutions; the teacher's have.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from phi_kit import steps
from phi_kit.core.errors import RunError, disk_errors
from phi_kit.core.files import write_atomic
from phi_kit.core.params import ADVANCED
from phi_kit.core.paths import display_path
from phi_kit.study.notebook.execute import first_parameters, notebook_parameters

from .project_folder import carried_files, make_project
from .sample_source import RECORDED, SOURCE, STUDY, recorded_units

GUIDE, HANDOUT = "docs/how-to/workshop.md", "docs/how-to/workshop-handout.md"
_LINE = re.compile(r"(?P<head>(?P<name>\w+): [^=]+ = )(?P<value>.*?)(?P<tail>  # .*)")


def build_workshop(folder: Path) -> list[Path]:
    """Write a workshop into a new or empty folder.

    Args:
        folder: where it goes: `student/` to hand out, `teacher/` to keep.

    Returns:
        The students' notebooks, in order.

    Raises:
        RunError: the folder holds something, or cannot be written.
    """
    student, teacher = folder / "student", folder / "teacher"
    with disk_errors(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunError(
                "this folder is not empty, and nothing in it is overwritten",
                where=display_path(folder),
                todo="name a new one: phi-kit workshop build FOLDER",
            )
        notebooks = make_project(student)
        solutions = student / "notebooks" / "solutions"
        for path in (*notebooks, *sorted(solutions.glob("*.ipynb"))):
            set_recorded(path)
        teacher.mkdir()
        solutions.replace(teacher / "solutions")
        shutil.copyfile(carried_files() / GUIDE, teacher / "GUIDE.md")
        shutil.copyfile(carried_files() / HANDOUT, student / "README.md")
    return notebooks


def set_recorded(path: Path) -> None:
    """Give a notebook's first cell the recorded study's values, and its source.

    Args:
        path: of one of the seven notebooks; it is written again.
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    (step,) = [step for step in steps.STEPS if step.folder == path.stem]
    unit = next(unit for unit in recorded_units() if step == unit.params.STEP)
    values = notebook_parameters(unit.params, first=first_parameters(path))
    values |= {"STUDY": STUDY, ADVANCED: {SOURCE: RECORDED}}
    for cell in notebook["cells"]:
        if "parameters" in cell["metadata"].get("tags", ()):
            lines = "".join(cell["source"]).splitlines()
            text = "\n".join(_with_value(line, values) for line in lines)
            cell["source"] = text.splitlines(keepends=True)
    text = json.dumps(notebook, indent=1, ensure_ascii=False)
    write_atomic(path, f"{text}\n")


def _with_value(line: str, values: dict[str, object]) -> str:
    found = _LINE.fullmatch(line)
    if not found:
        return line
    return f"{found['head']}{values[found['name']]!r}{found['tail']}"
