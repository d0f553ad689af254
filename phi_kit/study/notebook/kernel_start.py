"""How long the kernel of an executed notebook took to start, as papermill noted it."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path


def kernel_start(notebook: Path) -> float | None:
    """Seconds from the notebook's start to that of its first cell.

    Args:
        notebook: as executed; it may not have come to its end.

    Returns:
        `None` where nobody has noted it: no file, or one run by hand.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        book = json.loads(notebook.read_text())
        began = _time(book["metadata"])
        first = min(_time(cell["metadata"]) for cell in book["cells"] if _noted(cell))
        return (first - began).total_seconds()
    return None


def _noted(cell: dict) -> bool:
    return bool(cell["metadata"].get("papermill", {}).get("start_time"))


def _time(metadata: dict) -> datetime:
    return datetime.fromisoformat(metadata["papermill"]["start_time"])
