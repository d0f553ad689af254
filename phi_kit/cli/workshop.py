"""`phi-kit workshop`: a folder to hand out, a laptop checked, a room's guesses."""

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
def guesses(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="PLACE...", help="students' files of guesses, or folders with them"
        ),
    ],
    *,
    study: Annotated[
        str, typer.Option("--study", metavar="NAME", help="whose guesses")
    ] = "workshop",
    out: Annotated[
        Path, typer.Option("--out", metavar="PAGE.html", help="the page to write")
    ] = Path("guesses.html"),
) -> None:
    """Draw what a room guessed beside what was measured, question by question."""
    from phi_kit.course.room_guesses import guess_files, room_guesses, write_page

    files = guess_files(places, study=study)
    rooms = room_guesses(files)
    for room in rooms:
        typer.echo(f"{room.question.title}: {room.figure.finding}")
    write_page(rooms, out)
    typer.echo(f"{len(files)} people, {len(rooms)} questions: {out}")


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
