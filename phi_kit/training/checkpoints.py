"""Checkpoints that a run carries on from, and no other run.

They lie in a folder named by everything the adapter depends on. One is used only
if all of its files are as they were written: a run killed while it saved leaves
one that is not, and the one before it stands.
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

from .encoding import Encoded

SEAL = "whole.json"  # written last: every file's digest
_PREFIX = "checkpoint-"  # transformers' own


def key(
    identity: str,
    rows: Sequence[Encoded],
    steps: Sequence[Sequence[int]],
    **settings: Any,
) -> str:
    """Names what a training run's outcome depends on.

    Args:
        identity: of the model's weights.
        rows: as they are trained on.
        steps: the data order.
        settings: recipe, seeds, whatever else decides the outcome.
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
        """Those of the run `name`; what other runs left in `work` goes."""
        with disk_errors(work):
            work.mkdir(parents=True, exist_ok=True)
            for other in work.iterdir():
                if other.name != name:
                    shutil.rmtree(other, ignore_errors=True)
        return cls(work / name)

    def last(self) -> Path | None:
        """The newest whole one; broken ones are removed."""
        found = sorted(self.folder.glob(f"{_PREFIX}*"), key=_step, reverse=True)
        whole = [path for path in found if is_whole(path)]
        for path in found:
            if path not in whole:
                shutil.rmtree(path, ignore_errors=True)
        return whole[0] if whole else None

    @property
    def step(self) -> int:
        """The step the newest whole one was written after; 0 if there is none."""
        last = self.last()
        return _step(last) if last else 0

    @property
    def adapter(self) -> Path:
        """Where the finished adapter waits for the rest of its step."""
        return self.folder / "adapter"


def _step(path: Path) -> int:
    number = path.name.removeprefix(_PREFIX)
    return int(number) if number.isdecimal() else -1


def seal(folder: Path, **facts: Any) -> None:
    """Declare a folder whole, with facts to go by when carrying on."""
    files = {
        path.name: digest(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != SEAL
    }
    write_atomic(folder / SEAL, json.dumps({"files": files, **facts}))


def facts(folder: Path) -> dict[str, Any]:
    """What `seal` noted."""
    return json.loads((folder / SEAL).read_text(encoding="utf-8"))


def is_whole(folder: Path) -> bool:
    """Whether every file is as it was sealed."""
    try:
        files = facts(folder)["files"]
        return all(digest(folder / name) == known for name, known in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
