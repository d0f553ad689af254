"""Run folders: what a step wrote, and the manifest that says it is whole.

A step writes into a staging folder beside its run folder. Only when it ends
well are its files moved in, and the manifest is written last, atomically: a
folder without a manifest is an unfinished step, whatever else lies in it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import Timeout

from . import folder_names, thinking
from .compute_record import ComputeRecord, record_compute
from .errors import RunError, StoppedError, disk_errors
from .figures import figure_description, figure_html
from .file_locks import holding
from .files import digest, digest_json, link_tree, versions, write_atomic
from .finished_run import MANIFEST, RunFolder, manifest_checksum
from .params import StepParams
from .paths import TRACKER_LOGS, display_path, ledger_address, runs_root
from .progress import HEADLESS
from .replay_mode import RECORDED, replayed_ledger
from .row_counts import RowCounts
from .sample_counts import SampleCounts, count_samples
from .step_state import (
    fingerprint,
    outdated_upstream,
    run_folder_path,
    stale_reason,
    up_to_date,
)
from .step_table import Step
from .time_spent import TimeSpent, measure_time
from .weight_records import with_recorded_weights

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NOTEBOOK = "notebook.ipynb"
P = TypeVar("P", bound=StepParams)


class SavedFigure:
    """A figure of a finished step, as a notebook shows it.

    Args:
        path: of its PNG file.
    """

    def __init__(self, path: Path):
        self.path = path

    def _repr_png_(self) -> bytes:
        return self.path.read_bytes()

    def _repr_html_(self) -> str:
        png = self._repr_png_()
        return figure_html(png, words=figure_description(png))

    def __repr__(self) -> str:
        return f"<{display_path(self.path)}>"


class StepRun:
    """A step while it runs: reads its upstream, writes into the staging folder."""

    def __init__(self, params: StepParams, *, staging: Path):
        self.params, self.staging = params, staging
        self.target = run_folder_path(params)
        self.inputs: dict[str, str] = {}
        self.replayed = bool(replayed_ledger())  # no model carries it out
        # Files that differ from run to run without a different outcome.
        self.timed_files: set[str] = set()
        self.flow: RowCounts | None = None
        self.result: dict[str, Any] = {}
        # For the reader of the notebook; the files are what later steps read.
        self.table: pd.DataFrame | None = None
        self.figure: Figure | SavedFigure | None = None
        self._saved: dict[str, Any] = {}  # tables and figures by their names
        self.started = time.time()

    def read(self, step: Step, *, domain: str = "") -> RunFolder:
        """The run folder of an earlier step; see `StepParams.read`."""
        return self.params.read(step, domain=domain)

    def save_rows(
        self, rows: pd.DataFrame, name: str = "rows", *, timed: bool = False
    ) -> None:
        """Write a table as `<name>.parquet`.

        A `timed` one holds seconds or memory: later steps that read this folder
        need not run again because those came out otherwise.
        """
        self._saved[name] = rows
        with disk_errors(self.target):
            rows.to_parquet(self.staging / f"{name}.parquet", index=False)
        if timed:
            self.timed_files.add(f"{name}.parquet")

    def save_figure(self, figure: Figure, name: str) -> Figure:
        """Write a figure as `figures/<name>.png` and hand it back.

        One of the kit's own is written as SVG, too, and says so where it shows a
        replay.
        """
        if self.replayed and (mark := getattr(figure, "mark_source", None)):
            mark(RECORDED)
        self._saved[name] = figure
        with disk_errors(self.target):
            path = self.folder("figures") / f"{name}.png"
            # No date, no version in the file: the same figure is the same bytes.
            words = {"Description": getattr(figure, "words", None)}
            figure.savefig(path, metadata={"Software": None, **words})
            if svg := getattr(figure, "svg", None):
                path.with_suffix(".svg").write_text(svg(), encoding="utf-8")
        return figure

    def folder(self, name: str) -> Path:
        """A folder to write into; it moves to the run folder at the end."""
        path = self.staging / name
        with disk_errors(self.target):
            path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def work(self) -> Path:
        """A folder that outlives a killed or failed attempt; gone when the step ends.

        Whatever lies in it must say itself what it is good for: the next attempt
        may have other parameters.
        """
        return _work_folder(self.target)

    @property
    def logs(self) -> Path:
        """Where trackers that write files put theirs, beside the steps' folders."""
        root = runs_root() / self.params.study
        return root / TRACKER_LOGS / self.target.relative_to(root)

    def shown(self) -> dict[str, str]:
        """Which files hold `table` and `figure`; a table that none holds is written."""
        names = {}
        if self.table is not None and self._name_of(self.table) is None:
            self.save_rows(self.table, "shown", timed=True)
        for kind, value in (("table", self.table), ("figure", self.figure)):
            if name := self._name_of(value):
                names[kind] = name
        return names

    def _name_of(self, value: Any) -> str | None:
        return next(
            (name for name, saved in self._saved.items() if saved is value), None
        )

    @property
    def run_folder(self) -> RunFolder:
        """The run folder, once the step has ended."""
        return RunFolder(self.target)


def _work_folder(target: Path) -> Path:
    return target.with_name(f".{target.name}.work")


def reopen(params: StepParams) -> StepRun | None:
    """The step as it ended, if its run folder is what these parameters would give."""
    if not up_to_date(params):
        return None
    run = StepRun(params, staging=run_folder_path(params))
    folder = run.run_folder
    manifest = folder.manifest
    run.inputs, run.result = manifest["inputs"], manifest["result"]
    if flow := manifest["flow"]:
        run.flow = RowCounts(flow["read"], flow["kept"], Counter(flow["dropped"]))
    if name := manifest["shown"].get("table"):
        run.table = folder.table(name)
    if name := manifest["shown"].get("figure"):
        run.figure = SavedFigure(folder.file(f"figures/{name}.png"))
    return run


def reuse_finished(run: Callable[[P], StepRun]) -> Callable[[P], StepRun]:
    """Carry a step out only where that changes anything.

    A run folder that is what the parameters would give is opened instead, in
    seconds, unless `redo` is among them.
    """

    @wraps(run)
    def run_or_reopen(params: P) -> StepRun:
        done = None if params.redo else reopen(params)
        if done is None:
            return run(params)
        since = done.run_folder.manifest["finished"]
        print(
            f"{params.STEP}: finished on {since[:10]} at {since[11:16]} UTC, nothing "
            "has changed: this is that result; REDO = True runs the step again"
        )
        if why := outdated_upstream(params):
            print(f"{params.STEP}: note that {why}")
        return done

    return run_or_reopen


def require_replayable(params: StepParams) -> None:
    """Refuse to replay over a step that a model has carried out.

    Raises:
        RunError: its adapters would be lost.
    """
    folder = RunFolder(run_folder_path(params))
    if replayed_ledger() and folder.finished and not folder.manifest.get("replayed"):
        raise RunError(
            f"{params.STEP} was run with a model; a replay would write over it",
            where=display_path(folder.path),
            todo="replay into another folder: PHI_KIT_RUNS=FOLDER, or give the "
            "study another name: --set study=NAME",
        )


@contextmanager
def open_run(params: StepParams) -> Iterator[StepRun]:
    """Run a step inside a `with` block.

    On a clean end the files move into the run folder and the manifest is
    written. On an error nothing of this attempt stays, and what an earlier
    attempt finished is untouched. Where a finished result is replaced by
    another one, that is said, and the earlier one stays beside it in `….old`.

    Raises:
        RunError: upstream is unfinished, another process writes this very
            step, the disk is full, or a replay would write over a model's work.
        ModelError: the step loads weights and the model is an endpoint.
        StoppedError: it was interrupted; what has been paid for is kept.
    """
    params.require_weights()
    target = run_folder_path(params)
    params.require_upstream()  # before there is a folder
    require_replayable(params)
    with step_lock(params):
        yield from _staged(params, target)


@contextmanager
def step_lock(params: StepParams) -> Iterator[None]:
    """Hold a step's run folder, so that no other process writes it.

    Raises:
        RunError: another process holds it, or it cannot be written.
    """
    target = run_folder_path(params)
    with disk_errors(target):
        for folder in target.parents:
            if runs_root() in folder.parents:
                _require_own(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with disk_errors(target), holding(lock_of_step(target)):
            yield
    except Timeout:
        raise RunError(
            f"{params.STEP} is being written by another process",
            where=display_path(target),
            todo="wait for it, or give this study another name",
        ) from None


def lock_of_step(target: Path) -> Path:
    """The file whose lock a process holds while it writes a run folder."""
    return target.with_name(f".{target.name}.lock")


def _require_own(folder: Path) -> None:
    """Refuse a folder that a disk without upper and lower case takes for another's."""
    if other := folder_names.name_on_disk(folder):
        raise RunError(
            f"'{other}' and '{folder.name}' are one folder on this disk",
            where=display_path(folder),
            todo="give one of them another name",
        )


def _staged(params: StepParams, target: Path) -> Iterator[StepRun]:
    inputs, mark = params.require_upstream(), fingerprint(params)
    staging = staging_folder(target)
    shutil.rmtree(staging, ignore_errors=True)  # left by a killed attempt
    staging.mkdir()
    if RunFolder(target).finished:
        print(f"{params.STEP}: {_replacing(params, target)}")
    try:
        run = StepRun(params, staging=staging)
        run.inputs = inputs
        with (
            count_samples() as samples,
            record_compute() as compute,
            measure_time() as spent,
            thinking.also(params.thinking_tags),
        ):
            try:
                yield run
            except KeyboardInterrupt:
                raise _stopped(run, samples) from None
        write_manifest(run, mark, samples, compute, spent)
        shutil.rmtree(_work_folder(target), ignore_errors=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def staging_folder(target: Path) -> Path:
    """Where a run folder's files are written before they are moved in."""
    return target.with_name(f".{target.name}.partial")


def _replacing(params: StepParams, target: Path) -> str:
    why = stale_reason(params) or "REDO was asked for"
    return (
        f"runs again ({why}); the finished result stays in "
        f"{display_path(previous_result(target))} where the new one comes out otherwise"
    )


def _stopped(run: StepRun, samples: SampleCounts) -> StoppedError:
    """What an interrupted step keeps, in a sentence."""
    safe, n = [], samples.asked
    if n:
        many = f"{n:,} samples are" if n > 1 else "1 sample is"
        where = "kept in the ledger" if ledger_address() else "lost: there is no ledger"
        safe.append(f"{many} {where}")
    if run.work.is_dir():
        safe.append("training is kept up to its last checkpoint")
    return StoppedError(
        f"{run.params.STEP} was stopped; {' and '.join(safe) or 'nothing is lost'}",
        todo="run the cell again, or the same command: it carries on from there",
    )


def write_manifest(
    run: StepRun,
    mark: str,
    samples: SampleCounts,
    compute: ComputeRecord,
    spent: TimeSpent,
) -> None:
    """Write the manifest of a step that ended well and move its files in.

    `digest` names the outcome: what later steps read, and the findings. What it
    took (seconds, samples that had to be paid for) is no part of it, so that a
    resumed step equals one that ran in one go.

    Args:
        run: the step.
        mark: its fingerprint.
        samples: what it asked for.
        compute: the precision its models computed in.
        spent: how long it sampled and trained.
    """
    seen = run.shown()
    files = {
        str(path.relative_to(run.staging)): digest(path)
        for path in sorted(run.staging.rglob("*"))
        if path.is_file()
    }
    data = {
        name: value
        for name, value in files.items()
        if "figures/" not in name and name not in run.timed_files
    }
    manifest = {
        "step": run.params.STEP.folder,
        "fingerprint": mark,
        "digest": digest_json(
            {**with_recorded_weights(run.staging, data), "result": run.result}
        ),
        "replayed": run.replayed,
        "params": run.params.model_dump(mode="json", exclude={"redo"}),
        "inputs": run.inputs,
        "flow": run.flow.as_dict() if run.flow else None,
        "samples": samples.as_dict() if samples.asked else None,
        "compute": compute.as_dict() if compute.precisions else None,
        "result": run.result,
        "files": files,
        "sizes": {name: (run.staging / name).stat().st_size for name in files},
        "shown": seen,
        "seconds": round(time.time() - run.started, 1),
        "spent": spent.as_dict(),
        # By the notebook's own cells; no part of the step's seconds.
        "spent_before": spent.before.as_dict() if spent.before else {},
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": versions(),
    }
    manifest["checksum"] = manifest_checksum(manifest)
    # Whole on disk before anything of the last attempt goes.
    write_atomic(
        run.staging / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False)
    )
    move_in(run.staging, run.target, outcome=manifest["digest"])


def move_in(staging: Path, target: Path, *, outcome: str) -> None:
    """Move a result into its run folder, the manifest last.

    Args:
        staging: where it was written.
        target: the run folder; another result that it holds stays beside it.
        outcome: the digest of the new one.
    """
    _keep_previous(target, unless=outcome)
    target.mkdir(exist_ok=True)
    (target / MANIFEST).unlink(missing_ok=True)
    for old in target.iterdir():
        if old.name != NOTEBOOK:  # the executed notebook is still being written
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for new in sorted(staging.iterdir(), key=lambda path: path.name == MANIFEST):
        new.replace(target / new.name)


def previous_result(target: Path) -> Path:
    """Where the result stays that the one in a run folder has replaced."""
    return target.with_name(f"{target.name}.old")


def _keep_previous(target: Path, *, unless: str) -> None:
    """Keep a finished result beside its folder; the one kept before goes.

    Args:
        target: the run folder.
        unless: the outcome of that digest, for then nothing is lost.
    """
    folder = RunFolder(target)
    try:
        if not folder.finished or folder.manifest["digest"] == unless:
            return
    except RunError:  # nobody can say what it was
        return
    old = previous_result(target)
    partial = old.with_name(f".{old.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a killed attempt
    # A run without a person has already begun to write its own notebook there.
    link_tree(target, partial, leave_out=NOTEBOOK * bool(os.environ.get(HEADLESS)))
    shutil.rmtree(old, ignore_errors=True)
    partial.replace(old)
