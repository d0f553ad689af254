"""A finished run folder, as later steps read it: every file against its digest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import RunError
from .files import digest
from .places import runs_root, shown

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class RunFolder:
    """A step's folder, as later steps read it."""

    path: Path

    @classmethod
    def of(cls, study: str, step: str, *, domain: str = "") -> RunFolder:
        """Where a step of a study lies; `domain` is empty for steps 6 and 7."""
        return cls(runs_root() / study / domain / step)

    @property
    def finished(self) -> bool:
        """Whether the manifest, written last, is there."""
        return (self.path / MANIFEST).is_file()

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The step's manifest.

        Raises:
            RunError: there is none, or it cannot be read.
        """
        path = self.path / MANIFEST
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.path.name} has no readable manifest",
                where=shown(path),
                todo=f"run that step first: notebooks/{self.path.name}.ipynb, or "
                f"phi-kit run … --to {self.path.name[3:]}",
            ) from error

    @property
    def result(self) -> dict[str, Any]:
        """The step's findings, as its manifest keeps them."""
        return self.manifest["result"]

    def file(self, name: str) -> Path:
        """A file of the step, checked against the digest in its manifest."""
        path, known = self.path / name, self.manifest["files"]
        if name not in known:
            raise RunError(f"{self.path.name} wrote no '{name}'", where=shown(path))
        if not path.is_file() or digest(path) != known[name]:
            raise RunError(
                f"{name} is not what {self.path.name} wrote",
                where=shown(path),
                todo=f"run the step again: phi-kit run … --from {self.path.name[3:]} "
                "--redo",
            )
        return path

    def folder(self, name: str) -> Path:
        """A folder of the step, every file in it checked."""
        inside = [
            file for file in self.manifest["files"] if file.startswith(f"{name}/")
        ]
        for file in inside:
            self.file(file)
        if not inside:
            raise RunError(f"{self.path.name} wrote no '{name}'", where=str(self.path))
        return self.path / name

    def table(self, name: str = "rows") -> pd.DataFrame:
        """A parquet table of the step."""
        import pandas as pd

        return pd.read_parquet(self.file(f"{name}.parquet"))
