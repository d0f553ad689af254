"""Results that another study has computed already, taken over instead of run again.

A fingerprint leaves out a study's name, for that is only a place: equal fingerprints
are one piece of work, wherever it was done.
"""

from __future__ import annotations

import shutil

from .errors import disk_errors
from .files import link_tree
from .finished_run import RunFolder
from .params import StepParams
from .step_run import (
    NOTEBOOK,
    move_in,
    require_replayable,
    staging_folder,
    step_lock,
)
from .step_state import run_folder_path, stale_reason


def take_over(params: StepParams, source: RunFolder) -> bool:
    """Make another study's result the step's own; its files are not doubled.

    The manifest stays as it is, so `params.study` in it names the study that ran
    the step. Nothing writes into the file of a finished step: where one of the two
    is run again it gets new files, and the other keeps these.

    Args:
        params: of the step, whose upstream has finished.
        source: a finished run folder of the same step.

    Returns:
        Whether it was what the step would have come to.

    Raises:
        RunError: another process writes this step, the disk is full, or a replay
            would go over a model's work.
    """
    if not source.finished or stale_reason(params, source):
        return False
    require_replayable(params)
    target = run_folder_path(params)
    staging = staging_folder(target)
    with step_lock(params):
        try:
            shutil.rmtree(staging, ignore_errors=True)  # left by a killed attempt
            with disk_errors(target):
                link_tree(source.path, staging)
            # Somebody may have run it again meanwhile.
            copied = RunFolder(staging)
            if not copied.finished or stale_reason(params, copied):
                return False
            if not (staging / NOTEBOOK).is_file():  # it was run by hand
                (target / NOTEBOOK).unlink(missing_ok=True)
            move_in(staging, target, outcome=copied.outcome)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return True
