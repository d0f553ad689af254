"""`phi-kit synthesize`: step 5, or a few of its rows before it is run."""

from __future__ import annotations

from typing import Annotated

import typer

from .common import Redo, Sets, StudyFile, run_study_file, say


def synthesize(
    study: StudyFile,
    *,
    sets: Sets = None,
    preview: Annotated[
        int,
        typer.Option(
            min=0, metavar="ROWS", help="show so many rows with every gate's word"
        ),
    ] = 0,
    domain: Annotated[
        str, typer.Option(help="only this domain of the study, in a preview")
    ] = "",
    redo: Redo = False,
) -> None:
    """Run a study up to its frozen sets, or preview the rows that would be made.

    A preview asks models about these few rows alone, and estimates the rest.
    """
    from phi_kit.core.errors import StudyError
    from phi_kit.steps import synthesize as step
    from phi_kit.study import config, row_preview

    if not preview:
        run_study_file(study, None, "synthesize", sets, redo)
        return
    units = config.load(study, sets or ()).units()
    chosen = [
        unit
        for unit in units
        if isinstance(unit.params, step.Params) and domain in ("", unit.domain)
    ]
    if not chosen:
        raise StudyError(f"the study has no domain '{domain}'")
    for unit in chosen:
        say(f"{unit.domain}:")
        for line in row_preview.preview(unit.params, preview).lines():
            say(line)
