"""Row accounting: kept + dropped by reason = read, at every step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .errors import DataError


@dataclass
class RowCounts:
    """Counts rows on their way through a step; none is lost silently.

    `unread` are rows that there are, and that a limit kept from being read.
    """

    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    unread: int = 0

    def take(self, reasons: Iterable[str | None]) -> None:
        """Count rows: `None` is kept, a text is why a row was dropped."""
        for reason in reasons:
            self.read += 1
            if reason is None:
                self.kept += 1
            else:
                self.dropped[reason] += 1

    def as_dict(self) -> dict[str, Any]:
        """Counts for the manifest.

        Raises:
            DataError: the counts do not add up, which is a bug of the step.
        """
        if self.kept + self.dropped.total() != self.read:
            raise DataError(
                f"rows were lost: read {self.read}, kept {self.kept}, "
                f"dropped {dict(self.dropped)}"
            )
        counts = {"read": self.read, "kept": self.kept, "dropped": dict(self.dropped)}
        return counts | ({"unread": self.unread} if self.unread else {})

    def __str__(self) -> str:
        why = ", ".join(f"{count} {name}" for name, count in self.dropped.most_common())
        of = f" of {self.read + self.unread}" if self.unread else ""
        return f"read {self.read}{of} = kept {self.kept} + dropped {why or 0}"
