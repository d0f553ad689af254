"""The host's side of a sandboxed process: start, read with a cap, end, clean up."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Stopped = Literal["", "timeout", "output", "disk"]
_TICK = 0.1


class Bounds(Protocol):
    """The part of `sandbox.Limits` that is watched from outside."""

    seconds: float
    output: int
    disk: int
    files: int


@dataclass(frozen=True)
class Ended:
    """A process that is over: why it was stopped, its code, what it sent."""

    stopped: Stopped
    code: int
    cpu: float
    stdout: bytes
    answers: bytes


def run(
    command: list[str],
    order: bytes,
    stdin: bytes,
    *,
    limits: Bounds,
    folder: Path | None,
) -> Ended:
    """Start a guard, collect what it sends, and end it at its limits.

    Args:
        command: the guard's command line; two descriptors are appended, where
            its job can be read and where it answers.
        order: the job.
        stdin: the program's input.
        limits: time, output, and what `folder` may hold.
        folder: watched for its size, where no quota stands.

    Raises:
        OSError: the process cannot be started.
    """
    with _file(order) as job, _file(stdin) as given, _pipe() as out, _pipe() as told:
        # What it prints as errors goes nowhere: faults come as answers.
        process = subprocess.Popen(
            [*command, str(job), str(told.into)],
            stdin=given,
            stdout=out.into,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            pass_fds=(job, told.into),
            start_new_session=True,
        )
        try:
            out.close_into()
            told.close_into()
            ends = {out.source: bytearray(), told.source: bytearray()}
            stopped = _read(process.pid, ends, limits, folder)
        finally:
            # Also when the host itself is interrupted: nothing stays behind.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    code = process.returncode
    return Ended(
        stopped,
        code if code >= 0 else 128 - code,
        used.ru_utime + used.ru_stime,
        bytes(ends[out.source]),
        bytes(ends[told.source]),
    )


class _Pipe:
    """Both ends of a pipe, closed at most once."""

    def __init__(self):
        self.source, self.into = os.pipe()
        self._open = {self.source, self.into}

    def close_into(self) -> None:
        self._open.discard(self.into)
        os.close(self.into)

    def close(self) -> None:
        for end in self._open:
            os.close(end)


@contextmanager
def _pipe() -> Iterator[_Pipe]:
    pipe = _Pipe()
    try:
        yield pipe
    finally:
        pipe.close()


@contextmanager
def _file(content: bytes) -> Iterator[int]:
    """A nameless file to read from: unlike a pipe it cannot block its writer."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file.fileno()


def _read(
    pid: int, received: dict[int, bytearray], limits: Bounds, folder: Path | None
) -> Stopped:
    """Fill `received` until the process is over; why it must be stopped, if so."""
    deadline, cap = time.monotonic() + limits.seconds, limits.output << 10
    with selectors.DefaultSelector() as selector, _exit(pid) as exits:
        for end in received:
            selector.register(end, selectors.EVENT_READ)
        if exits is not None:
            selector.register(exits, selectors.EVENT_READ)
        over = False
        while not over:
            # Asked before reading: what a dead process wrote is already there.
            over = _is_over(pid)
            left = deadline - time.monotonic()
            if left <= 0:
                return "" if over else "timeout"
            for key, _ in selector.select(0 if over else min(left, _TICK)):
                end = key.fd
                if end == exits:
                    continue
                if not _pump(end, received[end], cap, drain=over):
                    selector.unregister(end)
                if len(received[end]) > cap:
                    del received[end][cap:]
                    return "output"
            if folder and not _fits(folder, limits):
                return "disk"
    return ""


def _pump(end: int, into: bytearray, cap: int, *, drain: bool) -> bool:
    """Read what is there; False at the end of the pipe."""
    while len(into) <= cap:
        piece = os.read(end, 1 << 16)
        into += piece
        if not piece:
            return False
        if not drain or not _ready(end):
            return True
    return True


def _ready(end: int) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(end, selectors.EVENT_READ)
        return bool(selector.select(0))


@contextmanager
def _exit(pid: int) -> Iterator[int | None]:
    """A descriptor that becomes readable when the process ends, on Linux."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_over(pid: int) -> bool:
    # WNOWAIT: its number stays taken until the group has been killed.
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _entries(folder: Path) -> Iterator[os.DirEntry]:
    """Everything below a folder; links are not followed, and no depth is too deep."""
    waiting = [os.fspath(folder)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                # First handed out: who removes makes it readable.
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)


def _fits(folder: Path, limits: Bounds) -> bool:
    """Whether a folder is within its size and number of files."""
    size = 0
    for count, entry in enumerate(_entries(folder), 1):
        with suppress(OSError):
            size += entry.stat(follow_symlinks=False).st_blocks * 512
        if count > limits.files or size > limits.disk << 20:
            return False
    return True


def remove(folder: Path) -> None:
    """Remove a folder whatever was done to it; links are never followed."""
    with suppress(OSError):
        folder.chmod(0o700)
    for entry in _entries(folder):
        with suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                Path(entry.path).chmod(0o700)
    with suppress(OSError, RecursionError):
        shutil.rmtree(folder)
    if folder.exists():  # deeper than Python's recursion goes
        subprocess.run(
            ["rm", "-rf", "--", str(folder)], check=False, stderr=subprocess.DEVNULL
        )
