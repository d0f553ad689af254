"""Replay: a recorded ledger stands in for every model.

`PHI_KIT_REPLAY` names the ledger. What a model's or an adapter's folder would
hold in weights is then a small file that says what they were.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phi_kit.core.files import write_atomic

REPLAY = "PHI_KIT_REPLAY"
MARK = "phi_kit_replayed.json"


def replaying() -> str:
    """The ledger that is replayed; empty in an ordinary run."""
    return os.environ.get(REPLAY, "").strip()


def mark(folder: Path, identity: str, weights: Mapping[str, str]) -> None:
    """Say in a folder which weights it stands for.

    Args:
        folder: of a model or an adapter, without its weights.
        identity: of the weights that were recorded.
        weights: their files' digests by name.
    """
    says = {"replayed": True, "identity": identity, "weights": dict(weights)}
    write_atomic(folder / MARK, json.dumps(says, indent=1) + "\n")


def marked(folder: Path) -> dict[str, Any] | None:
    """What the mark of a folder says; `None` where there is none."""
    try:
        return json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def recorded(staging: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Digests by file, those of replayed weights as they were recorded.

    A replayed step thereby has the digest of the step it repeats.
    """
    found = {}
    for name, value in files.items():
        place = Path(name)
        if place.name != MARK:
            found[name] = value
            continue
        weights = (marked(staging / place.parent) or {}).get("weights", {})
        found |= {str(place.parent / file): is_ for file, is_ in weights.items()}
    return found
