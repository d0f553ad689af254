"""`phi-kit withdraw`: take a source out of a study, and all that came from it."""

from __future__ import annotations

from typing import Annotated

import typer

from .common import Sets, StudyFile, run_study_file, say


def withdraw(
    study: StudyFile,
    source: Annotated[str, typer.Argument(help="as a row's `source` names it")],
    *,
    sets: Sets = None,
    mark_only: Annotated[
        bool, typer.Option("--mark-only", help="do not run the study again")
    ] = False,
) -> None:
    """Withdraw a source: its seeds, every row made of them, and what was trained on.

    Domains that hold nothing of it stay as they are, and samples that are paid for
    are not paid for again.
    """
    from phi_kit.study import config, withdrawal

    loaded = config.load(study, sets or ())
    for line in withdrawal.withdraw(loaded, source):
        say(line)
    if not mark_only:
        run_study_file(study, None, None, sets, False)
