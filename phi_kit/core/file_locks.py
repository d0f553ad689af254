"""Locks that are files: each held by one process, and gone once it is let go.

The kernel holds them, so a killed process leaves its file behind and never a lock.
Whoever takes such a file's lock next removes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout


def take_lock(path: Path, *, seconds: float = 0.0) -> BaseFileLock:
    """Hold a file's lock until `let_go`, from whatever thread.

    Args:
        path: of the file; it appears while somebody holds it.
        seconds: to wait for another holder; -1 for as long as it takes.

    Raises:
        filelock.Timeout: another process still holds it.
        OSError: the file cannot be made.
    """
    lock = FileLock(path, timeout=seconds, thread_local=False)
    lock.acquire()
    return lock


def let_go(lock: BaseFileLock) -> None:
    """Let a lock go, and its file with it.

    Who waits for the file that is removed here looks whether it still has a name, and
    takes the lock of a new one if it has none.
    """
    # Where a disk knows no locks the file itself is one, and goes as it is released.
    if not isinstance(lock, SoftFileLock):
        with suppress(OSError):  # Windows keeps a file that is open
            Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


@contextmanager
def holding(path: Path, *, seconds: float = 0.0) -> Iterator[None]:
    """Hold a file's lock for a block.

    Args:
        path: as `take_lock` takes it.
        seconds: as there.

    Raises:
        filelock.Timeout: another process still holds it.
        OSError: the file cannot be made.
    """
    lock = take_lock(path, seconds=seconds)
    try:
        yield
    finally:
        let_go(lock)


def is_held(path: Path) -> bool:
    """Whether a process holds a file's lock now; what nobody holds is removed."""
    if not path.exists():
        return False
    try:
        with holding(path):
            return False
    except (Timeout, OSError):
        return True
