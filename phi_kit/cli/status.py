"""`phi-kit status`: which steps are finished, stale or missing."""

from __future__ import annotations

import typer

from .common import Sets, StudyFile


def status(study: StudyFile, *, sets: Sets = None) -> None:
    """Show which steps of a study are finished, stale or missing."""
    from phi_kit.study import config, runner

    for line in runner.status(config.load(study, sets or ())):
        typer.echo(line)
