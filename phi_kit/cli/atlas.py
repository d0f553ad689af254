"""`phi-kit atlas`: one page and one table of all variants of a sweep."""

from __future__ import annotations

from typing import Annotated

import typer


def atlas(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="its name or file")],
) -> None:
    """Write atlas.html and atlas.parquet from what the variants have finished."""
    from phi_kit.core.paths import display_path
    from phi_kit.study.atlas import atlas_page
    from phi_kit.study.sweep import sweep_config

    is_file = sweep.endswith((".yaml", ".yml"))
    written = atlas_page.write(sweep_config.load(sweep).name if is_file else sweep)
    typer.echo(f"atlas: {display_path(written.page)}")
    typer.echo(f"table: {display_path(written.table)}")
