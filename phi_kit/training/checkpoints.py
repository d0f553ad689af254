"""Checkpoints that a run carries on from, and no other run.

They lie in a folder named by everything the adapter depends on. A checkpoint is used
only if it is complete, all of its files being as they were written: a run killed
while it saved leaves one that is not, and the previous one is used.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phi_kit.core.errors import disk_errors
from phi_kit.core.files import digest, digest_json, versions, write_atomic

from .encoding import EncodedRow

COMPLETE_FILE = "whole.json"  # written last: every file's digest
_PREFIX = "checkpoint-"  # transformers' own


def run_key(
    identity: str,
    rows: Sequence[EncodedRow],
    steps: Sequence[Sequence[int]],
    **settings: Any,
) -> str:
    """A name for all that a training run's outcome depends on.

    Args:
        identity: of the model's weights.
        rows: as they are trained on.
        steps: the data order.
        settings: the config, seeds, whatever else decides the outcome.
    """
    data = [(row.ids, row.labels) for row in rows]
    libraries = dict(versions())
    return digest_json([identity, data, list(map(list, steps)), settings, libraries])


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run."""

    folder: Path

    @classmethod
    def of(cls, work: Path, name: str) -> Checkpoints:
        """The checkpoints of the run `name`; other runs' in `work` are deleted."""
        with disk_errors(work):
            work.mkdir(parents=True, exist_ok=True)
            for other in work.iterdir():
                if other.name != name:
                    shutil.rmtree(other, ignore_errors=True)
        return cls(work / name)

    def last(self) -> Path | None:
        """The newest complete checkpoint; broken ones are removed."""
        folders = sorted(self.folder.glob(f"{_PREFIX}*"), key=step_of, reverse=True)
        complete = [path for path in folders if is_complete(path)]
        for path in folders:
            if path not in complete:
                shutil.rmtree(path, ignore_errors=True)
        return complete[0] if complete else None

    @property
    def step(self) -> int:
        """The step of the newest complete checkpoint; 0 if there is none."""
        last = self.last()
        return step_of(last) if last else 0

    @property
    def adapter(self) -> Path:
        """Where the finished adapter waits for the rest of its step."""
        return self.folder / "adapter"


def step_of(path: Path) -> int:
    """The step a checkpoint was written after, from its name; -1 if it has none."""
    number = path.name.removeprefix(_PREFIX)
    return int(number) if number.isdecimal() else -1


def mark_complete(folder: Path, **notes: Any) -> None:
    """Declare a folder complete, with notes to go by when carrying on."""
    files = {
        path.name: digest(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != COMPLETE_FILE
    }
    write_atomic(folder / COMPLETE_FILE, json.dumps({"files": files, **notes}))


def completion_notes(folder: Path) -> dict[str, Any]:
    """The notes that `mark_complete` wrote."""
    return json.loads((folder / COMPLETE_FILE).read_text(encoding="utf-8"))


def is_complete(folder: Path) -> bool:
    """Whether every file is as it was when the folder was marked complete."""
    try:
        files = completion_notes(folder)["files"]
        return all(
            digest(folder / name) == expected for name, expected in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
