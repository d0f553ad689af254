"""Run folders: what a step wrote, and the manifest that says it is whole.

A step writes into a staging folder beside its run folder. Only when it ends
well are its files moved in, and the manifest is written last, atomically: a
folder without a manifest is an unfinished step, whatever else lies in it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from phi_kit import __version__

from . import thinking
from .errors import RunError, disk_errors
from .files import digest_json
from .flow import Flow
from .manifests import commit
from .params import StepParams
from .places import runs_root, shown
from .replays import replaying
from .run_folder import RunFolder
from .tally import counting

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class StepRun:
    """A step while it runs: reads its upstream, writes into the staging folder."""

    def __init__(self, params: StepParams, *, staging: Path):
        self.params, self.staging = params, staging
        self.target = home(params)
        self.inputs: dict[str, str] = {}
        # Files that differ from run to run without a different outcome.
        self.aside: set[str] = set()
        self.flow: Flow | None = None
        self.result: dict[str, Any] = {}
        # For the reader of the notebook; the files are what later steps read.
        self.table: pd.DataFrame | None = None
        self.figure: Figure | None = None
        self.started = time.time()

    def read(self, step: str, *, domain: str | None = None) -> RunFolder:
        """The finished run folder of an earlier step.

        Raises:
            RunError: the step has not finished, or `NEEDS` does not name it.
        """
        if step not in self.params.NEEDS:
            raise RunError(f"{self.params.STEP} does not declare that it reads {step}")
        domain = getattr(self.params, "domain", "") if domain is None else domain
        return RunFolder.of(self.params.study, step, domain=domain)

    def save_rows(
        self, rows: pd.DataFrame, name: str = "rows", *, timed: bool = False
    ) -> None:
        """Write a table as `<name>.parquet`.

        A `timed` one holds seconds or memory: later steps that read this folder
        need not run again because those came out otherwise.
        """
        with disk_errors(self.target):
            rows.to_parquet(self.staging / f"{name}.parquet", index=False)
        if timed:
            self.aside.add(f"{name}.parquet")

    def save_figure(self, figure: Figure, name: str) -> Figure:
        """Write a figure as `figures/<name>.png` and hand it back."""
        with disk_errors(self.target):
            path = self.folder("figures") / f"{name}.png"
            # No date, no version in the file: the same figure is the same bytes.
            figure.savefig(path, metadata={"Software": None})
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
        return _work(self.target)

    @property
    def logs(self) -> Path:
        """Where trackers that write files put theirs, beside the steps' folders."""
        root = runs_root() / self.params.study
        return root / "tensorboard" / self.target.relative_to(root)

    @property
    def folder_of_results(self) -> RunFolder:
        """The run folder, once the step has ended."""
        return RunFolder(self.target)


def home(params: StepParams) -> Path:
    """The run folder these parameters write to."""
    domain = getattr(params, "domain", "") if params.PER_DOMAIN else ""
    return RunFolder.of(params.study, params.STEP, domain=domain).path


def _work(target: Path) -> Path:
    return target.with_name(f".{target.name}.work")


def upstream(params: StepParams) -> dict[str, RunFolder]:
    """The run folders a step reads, by `domain/step`."""
    domains = [params.domain] if params.PER_DOMAIN else params.domains
    return {
        f"{domain}/{step}".lstrip("/"): RunFolder.of(params.study, step, domain=domain)
        for step in params.NEEDS
        for domain in (domains if step[:2] < "06" else [""])
    }


def require_upstream(params: StepParams) -> dict[str, str]:
    """Digests of what the step reads.

    Raises:
        RunError: some of it has not finished; all of it is named.
    """
    folders = upstream(params)
    missing = [name for name, folder in folders.items() if not folder.finished]
    if missing:
        first = missing[0].rpartition("/")[2]
        raise RunError(
            f"{params.STEP} reads steps that have not finished: {', '.join(missing)}",
            where=f"study '{params.study}' in {shown(runs_root())}",
            todo=f"run notebooks/{first}.ipynb first, or "
            f"phi-kit run params/{params.study}.yaml --to {params.section()}",
        )
    return {name: folder.manifest["digest"] for name, folder in folders.items()}


def fingerprint(params: StepParams) -> str:
    """What a step's outcome depends on, in 16 hex digits.

    Parameters, the outputs it reads, the model's weights, the seed files'
    content and the kit's version. The study's name is only a place, and what an
    endpoint may spend changes no answer.
    """
    return digest_json(
        {
            "step": params.STEP,
            "kit": __version__,
            "params": params.model_dump(mode="json", exclude={"study", "endpoint"}),
            "inputs": require_upstream(params),
            "outside": params.outside(),
        }
    )


def up_to_date(params: StepParams) -> bool:
    """Whether the finished run folder is what these parameters would give.

    A replayed step has no adapters: an ordinary run does it again.
    """
    folder = RunFolder(home(params))
    if not folder.finished:
        return False
    manifest = folder.manifest
    if manifest.get("replayed") and not replaying():
        return False
    present = all((folder.path / name).is_file() for name in manifest["files"])
    return present and manifest["fingerprint"] == fingerprint(params)


def require_replayable(params: StepParams) -> None:
    """Refuse to replay over a step that a model has carried out.

    Raises:
        RunError: its adapters would be lost.
    """
    folder = RunFolder(home(params))
    if replaying() and folder.finished and not folder.manifest.get("replayed"):
        raise RunError(
            f"{params.STEP} was run with a model; a replay would write over it",
            where=shown(folder.path),
            todo="replay into another folder: PHI_KIT_RUNS=FOLDER, or give the "
            "study another name: --set study=NAME",
        )


@contextmanager
def open_run(params: StepParams) -> Iterator[StepRun]:
    """Run a step inside a `with` block.

    On a clean end the files move into the run folder and the manifest is
    written. On an error nothing of this attempt stays, and what an earlier
    attempt finished is untouched.

    Raises:
        RunError: upstream is unfinished, another process writes this very
            step, the disk is full, or a replay would write over a model's work.
        ModelError: the step loads weights and the model is an endpoint.
    """
    params.require_weights()
    target = home(params)
    require_replayable(params)
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.parent / f".{target.name}.lock", timeout=0)
    try:
        with disk_errors(target), lock:
            yield from _staged(params, target)
    except Timeout:
        raise RunError(
            f"{params.STEP} is being written by another process",
            where=shown(target),
            todo="wait for it, or give this study another name",
        ) from None


def _staged(params: StepParams, target: Path) -> Iterator[StepRun]:
    inputs, mark = require_upstream(params), fingerprint(params)
    staging = target.with_name(f".{target.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)  # left by a killed attempt
    staging.mkdir()
    try:
        run = StepRun(params, staging=staging)
        run.inputs = inputs
        with counting() as samples, thinking.also(params.thinking_tags):
            yield run
        commit(run, mark, samples)
        shutil.rmtree(_work(target), ignore_errors=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
