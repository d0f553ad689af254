"""The end of a step: its manifest, written last, and its files moved in."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import RunError
from .files import digest, digest_json, write_atomic
from .finished_run import MANIFEST, RunFolder, checksum
from .progress import HEADLESS
from .replay_mode import replayed_ledger
from .sample_counts import Tally
from .versions import versions
from .weight_records import with_recorded_weights

if TYPE_CHECKING:
    from .step_run import StepRun

NOTEBOOK = "notebook.ipynb"


def commit(run: StepRun, mark: str, samples: Tally) -> None:
    """Write the manifest of a step that ended well and move its files in.

    `digest` names the outcome: what later steps read, and the findings. What it
    took (seconds, samples that had to be paid for) is no part of it, so that a
    resumed step equals one that ran in one go.

    Args:
        run: the step.
        mark: its fingerprint.
        samples: what it asked for.
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
        if "figures/" not in name and name not in run.aside
    }
    outcome = with_recorded_weights(run.staging, data)
    manifest = {
        "step": run.params.STEP,
        "fingerprint": mark,
        "digest": digest_json({**outcome, "result": run.result}),
        "replayed": bool(replayed_ledger()),
        "params": run.params.model_dump(mode="json", exclude={"redo"}),
        "inputs": run.inputs,
        "flow": run.flow.as_dict() if run.flow else None,
        "samples": samples.as_dict() if samples.asked else None,
        "result": run.result,
        "files": files,
        "sizes": {name: (run.staging / name).stat().st_size for name in files},
        "shown": seen,
        "seconds": round(time.time() - run.started, 1),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "versions": versions(),
    }
    manifest["checksum"] = checksum(manifest)
    # Whole on disk before anything of the last attempt goes.
    write_atomic(
        run.staging / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False)
    )
    _keep(run.target, unless=manifest["digest"])
    run.target.mkdir(exist_ok=True)
    (run.target / MANIFEST).unlink(missing_ok=True)
    for old in run.target.iterdir():
        if old.name != NOTEBOOK:  # the executed notebook is still being written
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for new in sorted(run.staging.iterdir(), key=lambda path: path.name == MANIFEST):
        new.replace(run.target / new.name)


def old_of(target: Path) -> Path:
    """Where the result stays that the one in a run folder has replaced."""
    return target.with_name(f"{target.name}.old")


def _keep(target: Path, *, unless: str) -> None:
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
    old, partial = old_of(target), target.with_name(f".{target.name}.old.partial")
    shutil.rmtree(partial, ignore_errors=True)  # left by a killed attempt
    # A run without a person has already begun to write its own notebook there.
    leave = shutil.ignore_patterns(NOTEBOOK) if os.environ.get(HEADLESS) else None
    shutil.copytree(target, partial, copy_function=_link, ignore=leave)
    shutil.rmtree(old, ignore_errors=True)
    partial.replace(old)


def _link(source: str, target: str) -> None:
    # No byte is copied where the disk can give a file a second name.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
