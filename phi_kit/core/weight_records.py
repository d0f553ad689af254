"""Folders without weights: a small file says which weights they stand for.

The model and adapter folders of a replay hold everything but the weights, which
nobody has computed. Their record lets them be identified, and a step that wrote
them be compared with the step it repeats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .files import write_atomic

RECORD = "phi_kit_replayed.json"


def write_weight_record(
    folder: Path, identity: str, weights: Mapping[str, str]
) -> None:
    """Say in a folder which weights it stands for.

    Args:
        folder: of a model or an adapter, without its weights.
        identity: of the weights that were recorded.
        weights: their files' digests by name.
    """
    record = {"replayed": True, "identity": identity, "weights": dict(weights)}
    write_atomic(folder / RECORD, json.dumps(record, indent=1) + "\n")


def weight_record(folder: Path) -> dict[str, Any] | None:
    """The record of a folder, with `identity` and `weights`; `None` without one."""
    try:
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def with_recorded_weights(staging: Path, digests: Mapping[str, str]) -> dict[str, str]:
    """Digests by file, where each record is replaced by the weights it names.

    A replayed step thereby has the digest of the step it repeats.

    Args:
        staging: the folder that the names are relative to.
        digests: of the files in it, by relative name.
    """
    completed = {}
    for name, digest in digests.items():
        path = Path(name)
        if path.name != RECORD:
            completed[name] = digest
            continue
        weights = (weight_record(staging / path.parent) or {}).get("weights", {})
        completed |= {str(path.parent / file): value for file, value in weights.items()}
    return completed
