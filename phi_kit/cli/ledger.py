"""`phi-kit ledger`: show, export and replay recorded samples."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from .common import First, Last, Redo, Sets, StudyFile, run_study_file, say

ledger = typer.Typer(
    no_args_is_help=True, help="Every sample ever paid for: look, export, replay."
)


@ledger.command()
def stats() -> None:
    """Show samples, tokens and cost of each model."""
    from phi_kit.cache import ledger_export

    for line in ledger_export.summary_lines():
        typer.echo(line)


@ledger.command()
def export(
    out: Annotated[
        Path, typer.Argument(metavar="OUT.jsonl|OUT.parquet", help="the file to write")
    ],
    *,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="M", help="its name or identity; else all"),
    ] = None,
) -> None:
    """Write samples into a file, one row each."""
    from phi_kit.cache import ledger_export

    count = ledger_export.export_samples(out, model=model)
    typer.echo(f"{count} samples: {out}")


@ledger.command()
def replay(
    recorded: Annotated[
        str,
        typer.Argument(metavar="LEDGER", help="a file, or a PostgreSQL URL"),
    ],
    study: StudyFile,
    first: First = None,
    last: Last = None,
    *,
    sets: Sets = None,
    redo: Redo = False,
) -> None:
    """Run a study without a model, from the samples of a recorded ledger.

    The run folders go where others do; every manifest says that it is a replay.
    """
    from phi_kit.cache.store import open_ledger
    from phi_kit.core.replay_mode import REPLAY

    if "://" not in recorded:
        recorded = str(Path(recorded).expanduser().resolve())
    os.environ[REPLAY] = recorded
    say(f"replaying {open_ledger(readonly=True).location}: no model runs")
    run_study_file(study, first, last, sets, redo)
