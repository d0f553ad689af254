"""Run a study: its notebooks in order, finished steps skipped.

Whether a notebook succeeded is read from its step's manifest, from nothing else.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from filelock import Timeout

from phi_kit import steps
from phi_kit.core.errors import RunError, StudyError, did_you_mean, disk_errors
from phi_kit.core.file_locks import holding, is_held
from phi_kit.core.finished_run import MANIFEST, RunFolder
from phi_kit.core.number_format import aligned_table, duration
from phi_kit.core.paths import (
    REPORT,
    SWEEP_STATE,
    display_path,
    project_root,
    runs_root,
)
from phi_kit.core.row_counts import RowCounts
from phi_kit.core.step_run import NOTEBOOK, lock_of_step, require_replayable
from phi_kit.core.step_state import (
    changes,
    fingerprint,
    outdated_upstream,
    run_folder_path,
    stale_reason,
    step_state,
    up_to_date,
)
from phi_kit.core.taken_over import take_over
from phi_kit.core.yaml12 import shown as printable

from .config import Study, Unit
from .notebook.warm_kernels import WarmKernels, warm_kernels
from .time_use import time_use

Say = Callable[[str], None]
# The kernel of a killed run ends within a second or two, unless it is inside one
# long operation.
ORPHAN_SECONDS = 20.0
_GLANCE_SECONDS = 0.2  # `phi-kit status` looks whether a lock is held by taking it


def run_study(
    study: Study,
    *,
    first: str | None = None,
    last: str | None = None,
    redo: bool = False,
    say: Say = print,
) -> None:
    """Execute the notebooks of a study, in order.

    Args:
        study: what to run.
        first: the step to begin with: `filter_edge`, `03_filter_edge` or `3`.
        last: the step to end with.
        redo: run the chosen steps even if nothing about them changed.
        say: takes one line of text at a time.

    Raises:
        StudyError: `first` or `last` is no step, or they are the wrong way round.
        RunError: a step failed, or another process is running this study.
        ModelError: a chosen step loads weights and the model is an endpoint.
    """
    from .notebook.kernel import kernel_environment  # imports Jupyter's libraries

    if (runs_root() / study.name / SWEEP_STATE).is_file():
        raise StudyError(
            f"'{study.name}' is a sweep; give the study another name",
            where=display_path(runs_root() / study.name),
            todo="--set study=NAME",
        )
    units = units_between(study, first=first, last=last)
    for unit in units:  # before hours of sampling, not after
        unit.params.require_weights()
    began = time.monotonic()
    ran: list[RunFolder] = []
    done = list(takewhile(partial(_is_done, redo=redo), units))
    if len(done) == len(units):
        for unit in units:  # nothing is written, so nothing need be writable
            _say_done(unit, say=say)
    else:
        # For one notebook a template would only be a detour.
        warm = warm_kernels(say) if len(done) + 1 < len(units) else nullcontext()
        with run_lock(study.name), kernel_environment(), warm as kernels:
            for unit in units:
                if redo or not _taken_over(unit, study.starts_from, say=say):
                    ran += run_unit(unit, redo=redo, say=say, warm=kernels)
    took = time.monotonic() - began
    say(f"study '{study.name}' is finished after {duration(took)}")
    if use := time_use(ran, total=took):
        say(f"of these steps, {use}")
    report = runs_root() / study.name / REPORT
    if report.is_file() and units and units[-1].step == steps.STEPS[-1].name:
        say(f"report: {display_path(report)}")


def units_between(
    study: Study, *, first: str | None, last: str | None
) -> Sequence[Unit]:
    """The units from step `first` to step `last`, both included.

    Raises:
        StudyError: one of them is no step, or they are the wrong way round.
    """
    names = [step.name for step in steps.STEPS]
    low = names.index(step_named(first)) if first else 0
    high = names.index(step_named(last)) if last else len(names) - 1
    if low > high:
        raise StudyError(f"--from {first} comes after --to {last}")
    return [unit for unit in study.units() if unit.step in names[low : high + 1]]


def step_named(text: str) -> str:
    """The step meant by `filter_edge`, `03_filter_edge`, `03` or `3`.

    Raises:
        StudyError: there is none.
    """
    wanted = text.strip().lower().removesuffix(".ipynb")
    for step in steps.STEPS:
        number = str(step.number)
        if wanted in (step.name, step.folder, number, number.zfill(2)):
            return step.name
    plain = wanted.lstrip("0123456789").lstrip("_")
    near = did_you_mean(plain, [step.name for step in steps.STEPS])
    raise StudyError(f"there is no step '{printable(text)}'{near}")


@contextmanager
def run_lock(name: str, *, what: str = "study") -> Iterator[None]:
    """Hold the lock of a study or a sweep: no second run writes the same folders.

    Raises:
        RunError: another process holds it.
    """
    folder = runs_root() / name
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = ExitStack()
    try:
        with disk_errors(folder):
            lock.enter_context(holding(run_lock_file(name), seconds=_GLANCE_SECONDS))
    except Timeout:
        raise RunError(
            f"another phi-kit run of {what} '{name}' is going on",
            where=display_path(folder),
            todo=f"wait for it, or give this {what} another name"
            + ": --set study=NAME" * (what == "study"),
        ) from None
    with lock:
        yield


def run_lock_file(name: str) -> Path:
    """The file whose lock the run of a study or a sweep holds."""
    return runs_root() / name / ".lock"


def _is_done(unit: Unit, *, redo: bool) -> bool:
    return not (redo or unit.params.redo) and up_to_date(unit.params)


def _say_done(unit: Unit, *, say: Say) -> None:
    say(f"[{unit.title}] finished earlier, nothing changed")
    if why := outdated_upstream(unit.params):
        say(f"[{unit.title}] yet {why}; run without --from")


def _taken_over(unit: Unit, study: str, *, say: Say) -> bool:
    """Whether a step's result has come from another study, where one is named.

    Raises:
        RunError: there is no such study, or the result cannot be taken over.
    """
    if not study or unit.params.redo or _is_done(unit, redo=False):
        return False
    if not (runs_root() / study).is_dir():
        names = [folder.name for folder in runs_root().glob("[!.]*/")]
        raise RunError(
            f"there is no run of a study '{study}' to start from"
            f"{did_you_mean(study, names)}",
            where=display_path(runs_root()),
        )
    source = RunFolder.of(study, unit.params.STEP, domain=unit.domain)
    if not source.finished:
        return False
    if why := stale_reason(unit.params, source):
        say(f"[{unit.title}] '{study}' has another result: {why}")
        return False
    taken = take_over(unit.params, source)
    if taken:
        say(f"[{unit.title}] taken over from '{study}'")
    return taken


def run_unit(
    unit: Unit,
    *,
    redo: bool = False,
    say: Say,
    warm: WarmKernels | None = None,
    patience: float = ORPHAN_SECONDS,
) -> list[RunFolder]:
    """Execute a unit's notebook, unless its step is finished and nothing changed.

    Inside `kernel_environment`.

    Args:
        unit: what to run.
        redo: run it even if nothing changed.
        say: takes one line of text at a time.
        warm: where the kernel comes from, if not from nothing.
        patience: seconds to wait for another process that writes the step.

    Returns:
        Its run folder; nothing if it was not executed.

    Raises:
        RunError: the step failed, or another process writes it.
    """
    from .notebook.execute import (
        LineWriter,
        execute,
        first_parameters,
        notebook_parameters,
    )

    target, redo = run_folder_path(unit.params), redo or unit.params.redo
    if _is_done(unit, redo=redo):
        _say_done(unit, say=say)
        return []
    notebook = project_root() / "notebooks" / f"{unit.params.STEP}.ipynb"
    if not notebook.is_file():
        raise RunError("there is no such notebook", where=display_path(notebook))
    require_replayable(unit.params)
    expected, before = fingerprint(unit.params), _manifest_version(target)
    if _waited_for_lock(unit, target, say=say, patience=patience) and _is_done(
        unit, redo=redo
    ):
        _say_done(unit, say=say)  # by that process
        return []
    began = time.monotonic()
    say(f"[{unit.title}] starts")
    out = LineWriter(f"[{unit.title}] ", say)
    with disk_errors(target):
        params = unit.params.model_copy(update={"redo": redo})
        first = first_parameters(notebook)
        parameters = notebook_parameters(params, first=first)
        execute(notebook, target / NOTEBOOK, parameters, out=out, warm=warm)
    _require_written(unit, target, expected=expected, before=before)
    manifest = RunFolder(target).manifest
    counts = row_summary(manifest) + _samples(manifest)
    say(f"[{unit.title}] done in {duration(time.monotonic() - began)}{counts}")
    return [RunFolder(target)]


def _waited_for_lock(unit: Unit, target: Path, *, say: Say, patience: float) -> bool:
    """Wait until no other process writes a step, such as a killed run's kernel.

    Returns:
        Whether there was one.

    Raises:
        RunError: one still does after that many seconds.
    """
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not is_held(lock_of_step(target)):
            return False
    say(f"[{unit.title}] another process writes this step; waiting for it")
    try:
        with disk_errors(target), holding(lock_of_step(target), seconds=patience):
            pass
    except Timeout:
        raise RunError(
            f"{unit.params.STEP} is being written by another process",
            where=display_path(target),
            todo="wait for it or shut its kernel down in JupyterLab, or give "
            "this study another name: --set study=NAME",
        ) from None
    return True


def _manifest_version(target: Path) -> tuple[int, int] | None:
    """What tells one writing of the manifest from the next: inode and time."""
    try:
        manifest = (target / MANIFEST).stat()
    except OSError:
        return None
    return manifest.st_ino, manifest.st_mtime_ns


def _require_written(
    unit: Unit, target: Path, *, expected: str, before: tuple[int, int] | None
) -> None:
    """Raise unless this attempt finished the step with the study's parameters."""
    notebook, run = display_path(target / NOTEBOOK), f"steps.{unit.step}.run(params)"
    if _manifest_version(target) in (None, before):
        raise RunError(
            f"{unit.params.STEP} ran to its end, yet did not finish its step",
            where=notebook,
            todo=f"the notebook must call {run}; is that line still there?",
        )
    manifest = RunFolder(target).manifest
    if manifest["fingerprint"] == expected:
        return
    differ = [
        f"{name} was {then!r} instead of {wanted!r}"
        for name, wanted, then in changes(unit.params, manifest["params"])
    ]
    raise RunError(
        f"{unit.params.STEP} did not run as the study says: "
        + ("; ".join(differ) or "what it reads changed meanwhile"),
        where=notebook,
        todo="let no cell after the parameters cell set a parameter"
        if differ
        else "run the same command again",
    )


def row_summary(manifest: dict[str, Any]) -> str:
    """The row counts of a finished step; empty if it counts none."""
    flow = manifest.get("flow")
    if not flow:
        return ""
    counts = flow["read"], flow["kept"], Counter(flow["dropped"])
    return f"; {RowCounts(*counts, unread=flow.get('unread', 0))}"


def _samples(manifest: dict[str, Any]) -> str:
    """The sample counts of a finished step; empty if it asks no model."""
    samples = manifest.get("samples")
    if not samples:
        return ""
    return f"; {samples['asked']} samples, {samples['from_ledger']} from the ledger"


def status(study: Study) -> list[str]:
    """One line per unit: finished, stale or missing, since when; then why."""
    states = [(unit.title, step_state(unit.params)) for unit in study.units()]
    cells = [(name, step.kind, step.since) for name, step in states]
    table = aligned_table(cells, left=3)
    why = [f"{name}: {step.why}" for name, step in states if step.why]
    return [*table, *(["stale, because"] if why else []), *why]
