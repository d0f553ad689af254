"""`phi-kit claims`: whether the method holds, as a page of what a sweep has shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def claims(
    sweep: Annotated[
        str,
        typer.Argument(
            metavar="SWEEP.yaml", help="the claims sweep, or one of its form"
        ),
    ] = "claims",
    out: Annotated[
        Path, typer.Option(help="folder of the page and of its figure")
    ] = Path("docs"),
) -> None:
    """Write claims.md and its figure from what the claims sweep has finished."""
    from phi_kit.core.paths import display_path
    from phi_kit.study.claims_page import write_claims
    from phi_kit.study.sweep import sweep_config

    page = write_claims(sweep_config.load(sweep), out)
    typer.echo(f"claims: {display_path(page)}")
