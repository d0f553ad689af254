"""How much a program has stored, where no quota of the kernel's holds it.

Standard library only: used by the host, and by a program's keeper inside.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # loading `typing` takes longer than a small solution
if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 512


def folder_entries(folder: str, lost: list[OSError]) -> Iterator[os.DirEntry]:
    """Everything below a folder; links are not followed.

    Args:
        folder: where to begin.
        lost: filled with why a folder could not be read, unless it is gone.
    """
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for entry in found:
                    # First handed out: who removes makes it readable.
                    yield entry
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except FileNotFoundError:
            continue
        except OSError as error:
            lost.append(error)


def within_quota(folder: str, megabytes: int, files: int, *, hidden: int = 0) -> bool:
    """Whether a folder is within its size and number of files.

    What cannot be looked into (no right to, too deep) does not fit.

    Args:
        folder: the program's.
        megabytes: how much it may hold.
        files: how many files.
        hidden: bytes that are stored but have no name any more.
    """
    size, lost = hidden, []
    for count, entry in enumerate(folder_entries(folder, lost), 1):
        try:
            size += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
        except FileNotFoundError:
            continue
        except OSError:
            return False
        if count > files or size > megabytes << 20:
            return False
    return not lost and size <= megabytes << 20


def unlinked_bytes(pid: int, folder: str, largest: int) -> int:
    """Bytes of removed files that a process still holds, open or mapped.

    Args:
        pid: the process.
        folder: where its files were.
        largest: what a mapped file is taken for; nobody tells its size.
    """
    sizes = {}
    process = f"/proc/{pid}"
    try:
        for name in os.listdir(f"{process}/fd"):
            try:
                told = os.stat(f"{process}/fd/{name}")
            except OSError:  # closed meanwhile
                continue
            if stat.S_ISREG(told.st_mode) and not told.st_nlink:
                sizes[told.st_ino] = told.st_blocks * _BLOCK
        with open(f"{process}/maps", errors="replace") as lines:
            for line in lines:
                *_, inode, path = [*line.split(None, 5), ""][:6]
                if path.startswith(folder) and path.endswith("(deleted)\n"):
                    sizes.setdefault(int(inode), largest)
    except OSError:  # it has ended, or this system has no such folder
        return 0
    return sum(sizes.values())
