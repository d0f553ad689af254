"""`phi-kit export`: a merged model, or a study's scores, for others to read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="STUDY|ADAPTER", help="a study's name or file, or an adapter folder"
        ),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="a new folder")],
    *,
    results: Annotated[
        bool, typer.Option("--results", help="a study's scores, not its model")
    ] = False,
) -> None:
    """Merge an adapter into 16-bit weights, compared before and after.

    Of a study, the final adapter of step 6. With --results its scores of step 7 as
    lm-evaluation-harness, the Hugging Face hub and Every Eval Ever have them.
    """
    if results:
        _export_results(what, to)
        return
    from phi_kit.study.adapter_export import export_adapter

    exported = export_adapter(what, to.resolve())
    typer.echo(f"against the adapter beside the unquantised base: {exported.merged}")
    typer.echo(f"against the adapter beside 4-bit weights: {exported.trained}")
    typer.echo(f"merged: {exported.folder}")


def _export_results(study: str, to: Path) -> None:
    from phi_kit.study import config
    from phi_kit.study.results_export import export_results

    for path in export_results(config.name_of(study), to.resolve()):
        typer.echo(f"results: {path}")
