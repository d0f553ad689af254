"""Errors that can stop a training run, in words that say what to do next."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable
from pathlib import Path

from phi_kit.core.errors import PhiKitError, RunError, StudyError, disk_errors
from phi_kit.models.shortage import is_out_of_memory


class TrainingStoppedError(RunError, KeyboardInterrupt):
    """Training was stopped by Ctrl-C or by JupyterLab's stop button."""


def explain(
    error: BaseException, *, name: str, work: Path, step: Callable[[], int]
) -> BaseException:
    """The error to raise in place of `error`, whose frames are cleared.

    A traceback keeps every local variable of the frames it went through: the model
    with its adapter, the optimiser, a step's activations. A notebook keeps the last
    traceback, and with it gigabytes.

    Args:
        error: what stopped the run.
        name: of the run.
        work: where its checkpoints lie.
        step: gives the step of the last complete one.
    """
    explained = _explained(error, name, work, step())
    link: BaseException | None = error
    while link is not None:
        if link.__traceback__ is not None:
            traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    return explained


def _explained(error: BaseException, name: str, work: Path, step: int) -> BaseException:
    again = f"carries on after step {step}" if step else "starts from the beginning"
    if isinstance(error, TrainingStoppedError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return TrainingStoppedError(
            f"training of {name} was stopped by hand",
            where=f"the last checkpoint is that of step {step}" if step else name,
            todo=f"run the same cell or command again: it {again}",
        )
    if isinstance(error, PhiKitError):
        return error
    if is_out_of_memory(error):
        return RunError(
            f"memory ran out in training {name}, even with one row at a time",
            where=str(error).partition("\n")[0][:200],
            todo="close other programs, or lower max_row_tokens or rank, or take a "
            f"smaller model; with the same parameters it {again}",
        )
    if (explained := _tracker_error(error)) is not None:
        return explained
    return _disk_error(error, work, again) or error


def _disk_error(error: BaseException, work: Path, again: str) -> RunError | None:
    # torch's writer hides the reason: `PytorchStreamWriter failed writing file`
    if "PytorchStreamWriter" in str(error) or "unexpected pos" in str(error):
        error = OSError(errno.ENOSPC, "a checkpoint could not be written")
    trace = error.__traceback__
    try:
        with disk_errors(work):
            raise error
    except RunError as full:
        todo = f"{full.todo}; training {again}"
        return RunError(full.what, where=full.where, todo=todo)
    except BaseException:
        error.__traceback__ = trace  # as it was before it was raised in here
        return None


def _tracker_error(error: BaseException) -> PhiKitError | None:
    text = str(error)
    if isinstance(error, ValueError) and "are supported" in text:
        return StudyError(text, where="report_to", todo="correct its name, or empty it")
    if isinstance(error, RuntimeError) and "requires" in text and "installed" in text:
        return RunError(
            text.partition(". ")[0],
            where="report_to",
            todo="install it into this environment, or empty report_to",
        )
    return None
