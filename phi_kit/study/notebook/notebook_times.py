"""When an executed notebook began and ended, as papermill noted it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class NotebookTimes:
    """Began, first cell begun, and ended: as far as it has come."""

    began: datetime
    first_cell: datetime
    ended: datetime

    @property
    def seconds(self) -> float:
        """All of it, the start of its kernel included."""
        return (self.ended - self.began).total_seconds()

    @property
    def kernel_start(self) -> float:
        """Seconds from the notebook's start to that of its first cell."""
        return (self.first_cell - self.began).total_seconds()


def notebook_times(notebook: Path) -> NotebookTimes | None:
    """The times of an executed notebook; it may not have come to its end.

    Returns:
        `None` where nobody has noted them: no file, or one run by hand.
    """
    try:
        book = json.loads(notebook.read_text())
        whole = [*_noted(book["metadata"])]
        cells = [time for cell in book["cells"] for time in _noted(cell["metadata"])]
        return NotebookTimes(min(whole), min(cells), max([*whole, *cells]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _noted(metadata: dict) -> Iterator[datetime]:
    """Start and end, as far as they are there."""
    noted = metadata.get("papermill", {})
    for name in ("start_time", "end_time"):
        if text := noted.get(name):
            yield datetime.fromisoformat(text)
