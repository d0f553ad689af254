"""`phi-kit run`: the notebooks of a study, in order."""

from __future__ import annotations

from .common import First, Last, Redo, Sets, StudyFile, run_study_file


def run(
    study: StudyFile,
    first: First = None,
    last: Last = None,
    *,
    sets: Sets = None,
    redo: Redo = False,
) -> None:
    """Run a study: its notebooks in order, finished steps skipped.

    A STEP is named filter_edge, 03_filter_edge or 3.
    """
    run_study_file(study, first, last, sets, redo)
