"""A finished run folder, as later steps read it: every file against its digest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import RunError
from .files import digest, digest_json
from .paths import display_path, runs_root
from .step_table import Step

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.json"
_MAX_DIGESTED = 32_000_000  # bytes; of larger files `damage` compares the size


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class _RowCounts(_Strict):
    read: int
    kept: int
    dropped: dict[str, int]


class Manifest(_Strict):
    """What a manifest holds; `runs/<study>/…/manifest.json`.

    `checksum` is over all the rest. Manifests of earlier versions lack some of it.
    """

    params: dict[str, Any] = {}
    step: str = ""
    digest: str = ""
    result: dict[str, Any] = {}
    files: dict[str, str] = {}
    finished: str = ""
    fingerprint: str = ""
    replayed: bool = False
    inputs: dict[str, str] = {}
    flow: _RowCounts | None = None
    samples: dict[str, Any] | None = None
    compute: dict[str, Any] | None = None
    sizes: dict[str, int] = {}
    shown: dict[str, str] = {}
    seconds: float = 0.0
    spent: dict[str, float] | None = None
    versions: dict[str, str] = {}
    checksum: str = ""


def manifest_checksum(manifest: dict[str, Any]) -> str:
    """The digest of a manifest without its checksum, as it is read from a file."""
    rest = {name: value for name, value in manifest.items() if name != "checksum"}
    return digest_json(json.loads(json.dumps(rest)))


def parse_manifest(text: str) -> dict[str, Any]:
    """A manifest's JSON, in the right form and unchanged.

    Raises:
        ValueError: it says what is wrong.
    """
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from error
    try:
        whole = Manifest.model_validate(manifest)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise ValueError(f"{where}: {fault['msg']}".removeprefix(": ")) from error
    if whole.checksum and whole.checksum != manifest_checksum(manifest):
        raise ValueError("it was changed after the step had written it")
    for name in whole.files:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"the file {name!r} lies outside of its folder")
    return whole.model_dump()


@dataclass(frozen=True)
class RunFolder:
    """A step's folder, as later steps read it."""

    path: Path

    @classmethod
    def of(cls, study: str, step: Step, *, domain: str = "") -> RunFolder:
        """Where a step of a study lies; one that runs per study needs no domain."""
        inside = domain if step.per_domain else ""
        return cls(runs_root() / study / inside / step.folder)

    @property
    def finished(self) -> bool:
        """Whether the manifest, written last, is there."""
        try:
            return (self.path / MANIFEST).is_file()
        except OSError:  # a folder nobody may look into; writing there says so
            return False

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The step's manifest.

        Raises:
            RunError: there is none, or it cannot be read.
        """
        path, name = self.path / MANIFEST, self.path.name
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise RunError(
                f"{name} has not finished: it has no manifest",
                where=display_path(path),
                todo=f"run that step first: notebooks/{name}.ipynb, or "
                f"phi-kit run … --to {name}",
            ) from None
        except (OSError, ValueError) as error:
            raise self._unreadable(str(error)) from error
        try:
            return parse_manifest(text)
        except ValueError as error:
            raise self._unreadable(str(error)) from error

    def _unreadable(self, why: str) -> RunError:
        name = self.path.name
        return RunError(
            f"{name} has no readable manifest: {why}",
            where=display_path(self.path / MANIFEST),
            todo=f"run that step again: notebooks/{name}.ipynb, or phi-kit run … "
            f"--from {name}",
        )

    @property
    def outcome(self) -> str:
        """The digest of the step's outcome, as later steps note it.

        Raises:
            RunError: there is no manifest, or it names none.
        """
        if not (digest := self.manifest["digest"]):
            raise self._unreadable("digest: is missing")
        return digest

    @property
    def damage(self) -> str:
        """Which file of a finished step is not as it wrote it; empty if all are.

        Of large files only the size is looked at; `file` reads them all.
        """
        for name, expected in self.manifest["files"].items():
            path, size = self.path / name, self.manifest["sizes"].get(name)
            try:
                if path.stat().st_size != size:
                    return f"{name} has another size"
                if size <= _MAX_DIGESTED and digest(path) != expected:
                    return f"{name} was changed"
            except FileNotFoundError:
                return f"{name} is gone"
            except OSError as error:
                return f"{name} cannot be read: {error.strerror}"
        return ""

    @property
    def result(self) -> dict[str, Any]:
        """The step's findings, as its manifest keeps them."""
        return self.manifest["result"]

    def file(self, name: str) -> Path:
        """A file of the step, checked against the digest in its manifest."""
        path, digests = self.path / name, self.manifest["files"]
        if name not in digests:
            raise RunError(
                f"{self.path.name} wrote no '{name}'", where=display_path(path)
            )
        if not path.is_file() or digest(path) != digests[name]:
            raise RunError(
                f"{name} is not what {self.path.name} wrote",
                where=display_path(path),
                todo=f"run the step again: phi-kit run … --from {self.path.name} "
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
