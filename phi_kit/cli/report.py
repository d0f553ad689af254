"""`phi-kit report`: one HTML page of what a study has finished."""

from __future__ import annotations

from typing import Annotated

import typer


def report(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="its name or file")],
) -> None:
    """Write report.html from what the study's steps have finished."""
    from phi_kit.core.paths import display_path
    from phi_kit.study import config
    from phi_kit.study.report import study_report

    typer.echo(f"report: {display_path(study_report.write(config.name_of(study)))}")
