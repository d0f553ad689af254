"""`phi-kit export`: an adapter merged into a model that stands by itself."""

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
) -> None:
    """Merge an adapter into 16-bit weights, compared before and after.

    Of a study, the final adapter of step 6.
    """
    from phi_kit.study.adapter_export import export_adapter

    exported = export_adapter(what, to.resolve())
    typer.echo(f"against the adapter beside the unquantised base: {exported.merged}")
    typer.echo(f"against the adapter beside 4-bit weights: {exported.trained}")
    typer.echo(f"merged: {exported.folder}")
