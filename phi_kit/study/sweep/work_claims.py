"""Who runs which notebook: a lock for each, in `runs/.claims/`.

Two sweeps may need the same. The one that holds a notebook's claim runs it; the other
waits, and finds the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, Timeout

from phi_kit.core.errors import disk_errors
from phi_kit.core.file_locks import is_held, let_go, take_lock
from phi_kit.core.paths import runs_root


def claims_folder() -> Path:
    """Where the locks are; made if there is none.

    Raises:
        RunError: it cannot be.
    """
    folder = runs_root() / ".claims"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


class WorkClaims:
    """The claims of this process, by the fingerprints of what is claimed."""

    def __init__(self) -> None:
        self._held: dict[str, BaseFileLock] = {}

    def take(self, mark: str) -> bool:
        """Claim a notebook; whether no other process had.

        Raises:
            RunError: the disk is full or cannot be written to.
        """
        path = claims_folder() / f"{mark}.lock"
        with disk_errors(path):
            try:
                self._held[mark] = take_lock(path)
            except Timeout:
                return False
        return True

    def let_go(self, mark: str) -> None:
        """Leave a notebook to others."""
        let_go(self._held.pop(mark))


@contextmanager
def work_claims() -> Iterator[WorkClaims]:
    """Claims for a sweep; what it still holds at its end is let go.

    Raises:
        RunError: their folder cannot be made.
    """
    for left in claims_folder().glob("*.lock"):
        is_held(left)  # by a killed sweep: then it is removed
    claims = WorkClaims()
    try:
        yield claims
    finally:
        for mark in list(claims._held):
            claims.let_go(mark)
