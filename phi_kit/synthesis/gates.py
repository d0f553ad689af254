"""Gates: each takes rows and says of every one whether it goes on, or why not.

A gate is a function from rows to those that are kept and those that are dropped, each
with its reason, and is written down once. `GateLog` sends the rows through one gate
after another and holds every row to account: what came in went on or was dropped, and
what no gate has looked at yet, because a step was stopped, has that for a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from phi_kit.core.errors import RunError
from phi_kit.core.files import digest_json
from phi_kit.data.dropped_rows import Reason
from phi_kit.data.records import Seed, to_frame

if TYPE_CHECKING:
    import pandas as pd

STOPPED = "stopped before it was looked at"


@dataclass(frozen=True)
class MixRow:
    """A candidate row: the seed, what to answer, and how it came about.

    Args:
        seed: what is asked, with its gold and its parent.
        completion: what the row teaches; empty as long as it has no response.
        kind: `organic`, `synthetic` or `self`.
        by: the transform that made it.
        occurrence: its number among rows of the same content, from 0.
    """

    seed: Seed
    completion: str
    kind: str
    by: str
    occurrence: int = 0

    @property
    def id(self) -> str:
        """A hash of what it asks and teaches, and its number among its equals."""
        said = [self.seed.id, self.completion, self.kind, self.by]
        return f"{digest_json(said)[:12]}-{self.occurrence}"


def numbered(rows: Iterable[MixRow]) -> list[MixRow]:
    """Rows that know how many of their content stand before them.

    Seeds may stand twice in a source: a content hash alone would lose one of them.
    """
    seen: Counter[tuple[str, str, str, str]] = Counter()
    found = []
    for row in rows:
        said = (row.seed.id, row.completion, row.kind, row.by)
        found.append(replace(row, occurrence=seen[said]))
        seen[said] += 1
    return found


class DroppedRow(NamedTuple):
    """A row that a gate does not let through.

    Attributes:
        row: as it came in.
        gate: its name.
        reason: why; a `Reason` has its particulars.
    """

    row: MixRow
    gate: str
    reason: str


# What goes on, and what was dropped with its reason.
Passed = tuple[list[MixRow], list[tuple[MixRow, str]]]
Gate = Callable[[Sequence[MixRow]], Passed]


def row_by_row(fault: Callable[[MixRow], str | None]) -> Gate:
    """A gate that looks at each row for itself.

    Args:
        fault: why a row is dropped, or `None`.
    """

    def gate(rows: Sequence[MixRow]) -> Passed:
        kept, dropped = [], []
        for row in rows:
            reason = fault(row)
            if reason is None:
                kept.append(row)
            else:
                dropped.append((row, reason))
        return kept, dropped

    return gate


class GateLog:
    """Rows on their way through the gates.

    Attributes:
        rows: those that no gate has dropped.
        dropped: all others, each once.
        counts: by gate, in order: rows that came in, and that went on.
        makers: what made the rows, in the order of their first.
        at: the gate that the rows stand before.
        expected: what models are being asked for; `take` says what came of it.
    """

    def __init__(self, rows: Iterable[MixRow] = ()):
        self.rows: list[MixRow] = []
        self.makers: list[str] = []
        self.at = ""
        self.expected: list[MixRow] = []
        self.dropped: list[DroppedRow] = []
        self.counts: dict[str, dict[str, int]] = {}
        self.add(rows)

    def add(self, rows: Iterable[MixRow]) -> None:
        """Further rows, for the gates that come."""
        more = numbered(rows)
        self.rows = [*self.rows, *more]
        self.makers = list(dict.fromkeys([*self.makers, *(row.by for row in more)]))

    def expect(self, rows: Iterable[MixRow]) -> None:
        """What models will be asked for, so that it is told if they are stopped."""
        self.expected = numbered(rows)

    def take(self, name: str, passed: Passed) -> None:
        """Rows that come through a gate only now, and what it refused.

        Args:
            name: of the gate.
            passed: replies that became rows, and those that did not.
        """
        kept, dropped = passed
        self.expected = []
        self.add(kept)
        gone = numbered(row for row, _ in dropped)
        self.makers = list(dict.fromkeys([*self.makers, *(row.by for row in gone)]))
        self.dropped += [
            DroppedRow(row, name, reason)
            for row, (_, reason) in zip(gone, dropped, strict=True)
        ]
        self.counts[name] = {"in": len(kept) + len(dropped), "kept": len(kept)}

    def send(self, name: str, gate: Gate) -> None:
        """Send all rows through a gate.

        Raises:
            RunError: the gate lost a row or passed one twice, which is its bug.
        """
        came, self.at = self.rows, name
        kept, dropped = gate(came)
        marks = [_origin(row) for row in came]
        went = {_origin(row) for row in kept}
        gone = [_origin(row) for row, _ in dropped]
        if set(marks) != went | set(gone) or went & set(gone) or _twice(gone):
            raise RunError(
                f"the gate '{name}' lost rows: {len(came)} came, {len(went)} went on, "
                f"{len(gone)} were dropped"
            )
        self.rows = list(kept)
        self.dropped += [DroppedRow(row, name, reason) for row, reason in dropped]
        self.counts[name] = {"in": len(came), "kept": len(kept)}

    def join(self, later: GateLog) -> None:
        """Take over the rows of a later round, with their fates and counts.

        Rows that were made before get further numbers.

        Args:
            later: its rows came through its gates; it is used up.
        """
        mine = [*self.rows, *(one.row for one in self.dropped)]
        had = Counter((row.seed.id, row.kind, row.by) for row in mine)

        def moved(row: MixRow) -> MixRow:
            before = had[row.seed.id, row.kind, row.by]
            return replace(row, occurrence=row.occurrence + before)

        self.rows += [moved(row) for row in later.rows]
        self.dropped += [one._replace(row=moved(one.row)) for one in later.dropped]
        self.makers = list(dict.fromkeys([*self.makers, *later.makers]))
        for name, told in later.counts.items():
            sums = self.counts.setdefault(name, {"in": 0, "kept": 0})
            for end, n in told.items():
                sums[end] += n

    def stopped(self, before: str) -> list[DroppedRow]:
        """Every row with a reason, those that no gate has judged included.

        Args:
            before: the gate that the rest was to come to.
        """
        left = [*self.expected, *self.rows]
        return [
            *self.dropped,
            *(DroppedRow(row, before, Reason(STOPPED)) for row in left),
        ]


def _origin(row: MixRow) -> tuple[str, str, str, int]:
    """What a gate may not change of a row; its response it may."""
    return row.seed.id, row.kind, row.by, row.occurrence


def _twice(marks: Sequence[Any]) -> bool:
    return len(set(marks)) < len(marks)


def dropped_frame(dropped: Sequence[DroppedRow]) -> pd.DataFrame:
    """The dropped rows as a table: seed, `completion`, `by`, `gate`, `reason`."""
    return to_frame(
        [one.row.seed for one in dropped],
        row_id=[one.row.id for one in dropped],
        completion=[one.row.completion for one in dropped],
        by=[one.row.by for one in dropped],
        gate=[one.gate for one in dropped],
        reason=[str(one.reason) for one in dropped],
        detail=[getattr(one.reason, "detail", "") for one in dropped],
    )
