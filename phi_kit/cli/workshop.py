"""`phi-kit workshop`: a folder to hand out, a laptop checked, a study recorded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from .common import run_study_file, say

workshop = typer.Typer(
    no_args_is_help=True, help="The seven notebooks for a room: no GPU, no network."
)
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="a new folder")]


@workshop.command()
def build(folder: Folder) -> None:
    """Write what students get and what the teacher keeps."""
    from phi_kit.course.workshop_folder import build_workshop

    notebooks = build_workshop(folder)
    typer.echo(f"{folder}/student: {len(notebooks)} notebooks without solutions")
    typer.echo(f"{folder}/teacher: the guide, and the notebooks with solutions")


@workshop.command()
def check() -> None:
    """Look whether this machine is ready: ask it the day before."""
    from phi_kit.course import readiness

    found = []
    for one in readiness.look():
        found.append(one.ready)
        typer.echo(f"{'ok  ' if one.ready else 'NOT '} {one.words}")
    typer.echo(
        "ready" if all(found) else "not ready: see the lines that begin with NOT"
    )
    if not all(found):
        raise typer.Exit(1)


@workshop.command()
def record(folder: Folder) -> None:
    """Run the workshop's study with a model, and pack its ledger into the kit.

    For those who change the study or the steps: the recording has to fit them.
    """
    from phi_kit.core.paths import LEDGER
    from phi_kit.course.sample_source import PACKED, STUDY, pack_ledger

    os.environ["PHI_KIT_RUNS"] = str(folder.resolve())
    os.environ.pop("PHI_KIT_LEDGER", None)  # one with this study's samples alone
    run_study_file(STUDY, None, None, None, False)
    pack_ledger(folder.resolve() / LEDGER)
    say(f"recorded: {PACKED.stat().st_size / 1e6:.1f} MB in {PACKED}")
