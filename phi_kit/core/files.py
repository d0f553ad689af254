"""Digests and versions that a result depends on; files written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from phi_kit import __version__

from .errors import disk_errors

_VERSIONS = ("torch", "transformers", "peft", "bitsandbytes", "datasets", "papermill")


def digest(path: Path) -> str:
    """sha256 of a file, first 16 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def digest_json(value: Any) -> str:
    """sha256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_atomic(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        RunError: the disk is full or the folder cannot be written to.
    """
    partial = path.with_name(f".{path.name}.partial")
    with disk_errors(path):
        try:
            with partial.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            # Where nothing can be written, nothing can be taken away either.
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise


def link_tree(source: Path, target: Path, *, leave_out: str = "") -> None:
    """Copy a folder, without a byte where the disk can give a file a second name.

    Args:
        source: the folder.
        target: the copy, which is not there yet.
        leave_out: a file of the folder itself that is not copied.

    Raises:
        OSError: as the disk raises it.
    """
    target.mkdir()
    for entry in source.iterdir():
        copy = target / entry.name
        if entry.is_dir():
            link_tree(entry, copy)
        elif entry.name != leave_out:
            try:
                copy.hardlink_to(entry)
            except OSError:
                shutil.copy2(entry, copy)


def versions() -> Mapping[str, str]:
    """The versions a result may depend on."""
    installed = {"phi_kit": __version__, "python": sys.version.split()[0]}
    for name in _VERSIONS:
        try:
            installed[name] = version(name)
        except PackageNotFoundError:
            continue
    return installed
