"""`phi-kit compare`: finished studies side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from .common import say


def compare(
    studies: Annotated[
        list[str],
        typer.Argument(
            metavar="STUDY...",
            help="names or files, or 'SWEEP/*'; the others against the first",
        ),
    ],
) -> None:
    """Set finished studies side by side, paired where their items are the same."""
    from phi_kit.study import side_by_side

    for line in side_by_side.compare(side_by_side.chosen_studies(studies)):
        say(line)
