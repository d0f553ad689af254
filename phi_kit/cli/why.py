"""`phi-kit why`: where a row of a frozen set comes from, and what came of a seed."""

from __future__ import annotations

from typing import Annotated

import typer

from .common import say


def why(
    name: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="a row's id or its beginning; with --down also a source"
        ),
    ],
    study: Annotated[
        str | None,
        typer.Argument(help="a study's name or file; else all are looked at"),
    ] = None,
    *,
    down: Annotated[
        bool, typer.Option("--down", help="show the rows made of it instead")
    ] = False,
) -> None:
    """Show the family tree of a row, from its source to its verdict."""
    from phi_kit.study import config
    from phi_kit.synthesis import lineage

    only = config.name_of(study) if study else ""
    if down:
        for where, table in lineage.descendants_anywhere(name, study=only):
            say(f"{where}: {len(table)} rows come from {name}")
            for row in table.itertuples():
                say(f"  {row.row_id}  {row.by or 'as it is':<18} {row.fate}")
        return
    where, tree = lineage.why_anywhere(name, study=only)
    say(f"{where}")
    say(str(tree))
