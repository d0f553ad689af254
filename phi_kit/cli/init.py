"""`phi-kit init`: a folder with the notebooks and studies, outside a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="a new folder")],
) -> None:
    """Write notebooks, studies and a README into a new folder."""
    from phi_kit.course.project_folder import make_project

    notebooks = make_project(folder)
    typer.echo(f"{len(notebooks)} notebooks and their solutions, params/ and README.md")
    typer.echo(f"next: cd {folder} && phi-kit lab")
