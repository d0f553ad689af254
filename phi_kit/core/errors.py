"""The kit's one kind of error: it says what, where and what to do next.

Everything a user can cause (a wrong study file, a missing column, a full
disk) is raised as a `PhiKitError`. Anything else that surfaces is a bug.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

_LONGEST_WORD = 100  # characters of a word that may be a misspelt name
# "File too large" counts: quotas and container limits report it for a full disk.
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# A file stands where a folder belongs, or the other way round.
_NAME_TAKEN = {errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY}
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS} | _NAME_TAKEN


class _MessageError(BaseException):
    """What happened, where and what to do next.

    Args:
        what: what went wrong, in one sentence.
        where: the file, line, column or row it concerns.
        todo: the next thing to do.
    """

    def __init__(self, what: str, *, where: str = "", todo: str = ""):
        super().__init__(what, where, todo)
        self.what, self.where, self.todo = what, where, todo

    def __reduce__(self) -> tuple[Any, ...]:
        # To another process and back: two of the arguments have to be named.
        return partial(type(self), where=self.where, todo=self.todo), (self.what,)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.todo:
            lines.append(f"  to do: {self.todo}")
        return "\n".join(lines)

    # IPython calls this in place of a long traceback: a reader's own mistake
    # deserves the message, not forty lines of library frames.
    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class PhiKitError(_MessageError, Exception):
    """A fault the reader can mend."""


class StoppedError(_MessageError, KeyboardInterrupt):
    """The reader stopped a step; it says what is kept."""


class StudyError(PhiKitError, ValueError):
    """A study file or a parameter that cannot be used."""


class DataError(PhiKitError, ValueError):
    """Rows, columns or files that cannot be read as seeds."""


class ModelError(PhiKitError, RuntimeError):
    """A model that cannot be found, read or run."""


class RunError(PhiKitError, RuntimeError):
    """A step that cannot start or did not finish."""


class DiskFullError(RunError):
    """There is no room for what a step writes."""


class KernelDiedError(RunError):
    """A kernel ended in the middle of a notebook, by no doing of a cell's."""


class SealError(PhiKitError, PermissionError):
    """A step tried to read held-out items it has no business with."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the nearest known name, else what is known."""
    names = {name.lower(): name for name in sorted(known)}
    near = get_close_matches(word.lower()[:_LONGEST_WORD], names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{names[near[0]]}'?"
    return f"; known: {', '.join(names.values())}" if names else ""


@contextmanager
def disk_errors(path: Path | str) -> Iterator[None]:
    """Turn a full disk or a place that cannot be written to into one clear message."""
    try:
        yield
    except PhiKitError:
        raise
    except Exception as error:
        if _errno(error) in _DISK_FULL:
            raise DiskFullError(
                f"the disk is full: {os.strerror(_errno(error))}",
                where=str(path),
                todo="free some space and run the same command again; "
                "nothing half-written was left behind",
            ) from error
        if _errno(error) in _NOT_WRITABLE:
            raise RunError(
                f"cannot write here: {os.strerror(_errno(error))}",
                where=_in_the_way(error) or str(path),
                todo="make the folder writable or move away what stands there, or set "
                "PHI_KIT_RUNS to another folder",
            ) from error
        if _errno(error) == errno.ENAMETOOLONG:
            raise RunError(
                "this path is too long for the disk",
                where=f"{str(path)[:100]}…",
                todo="choose shorter names, or set PHI_KIT_RUNS to a folder nearer "
                "to the disk's root",
            ) from error
        raise


def tells_of_full_disk(text: str) -> bool:
    """Whether the text of some error, of whatever library, is that of a full disk."""
    words = [os.strerror(number) for number in _DISK_FULL]
    numbers = [f"(os error {number})" for number in _DISK_FULL]
    return any(part in text for part in words + numbers)


def _in_the_way(error: Exception) -> str:
    name = getattr(error, "filename2", None) or getattr(error, "filename", None)
    return str(name) if name and _errno(error) in _NAME_TAKEN else ""


def _errno(error: Exception) -> int | None:
    # safetensors hides it in its text: `… (os error 28)`
    number = re.search(r"\(os error (\d+)\)", str(error))
    return int(number[1]) if number else getattr(error, "errno", None)
