"""How much a program has stored, where the kernel enforces no quota.

Standard library only: used by the host, and by a program's watchdog inside.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # loading `typing` takes longer than a small solution
if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 512


def folder_entries(folder: str, errors: list[OSError]) -> Iterator[os.DirEntry]:
    """Everything below a folder; links are not followed.

    Args:
        folder: where to begin.
        errors: filled with why a folder could not be read, unless it is gone.
    """
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    # Yielded first: a caller that removes it makes it readable.
                    yield entry
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except FileNotFoundError:
            continue
        except OSError as error:
            errors.append(error)


def within_quota(folder: str, megabytes: int, files: int, *, hidden: int = 0) -> bool:
    """Whether a folder is within its size and number of files.

    A folder that cannot be read (no right to, too deep) counts as too large.

    Args:
        folder: the program's.
        megabytes: how much it may hold.
        files: how many files.
        hidden: bytes that are stored but have no name any more.
    """
    size, errors = hidden, []
    for count, entry in enumerate(folder_entries(folder, errors), 1):
        try:
            size += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
        except FileNotFoundError:
            continue
        except OSError:
            return False
        if count > files or size > megabytes << 20:
            return False
    return not errors and size <= megabytes << 20


def unlinked_bytes(pid: int, folder: str, largest: int) -> int:
    """Bytes of removed files that a process still holds, open or mapped.

    Args:
        pid: the process.
        folder: where its files were.
        largest: the size taken for a mapped file, whose size is not known.
    """
    sizes = {}
    process = f"/proc/{pid}"
    try:
        for name in os.listdir(f"{process}/fd"):
            try:
                status = os.stat(f"{process}/fd/{name}")
            except OSError:  # closed meanwhile
                continue
            if stat.S_ISREG(status.st_mode) and not status.st_nlink:
                sizes[status.st_ino] = status.st_blocks * _BLOCK
        with open(f"{process}/maps", errors="replace") as lines:
            for line in lines:
                *_, inode, path = [*line.split(None, 5), ""][:6]
                if path.startswith(folder) and path.endswith("(deleted)\n"):
                    sizes.setdefault(int(inode), largest)
    except OSError:  # it has ended, or this system has no such folder
        return 0
    return sum(sizes.values())
