"""The host's side of a sandboxed process: start, read with a cap, end, clean up."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from phi_kit.sandbox.inside.disk_usage import folder_entries

StopReason = Literal["", "timeout", "output"]
POLL_SECONDS = 0.1
# Seconds for a keeper to end its program.
_PATIENCE = 0.5


class WatchedLimits(Protocol):
    """The part of `sandbox.Limits` that is watched from outside."""

    seconds: float
    output: int
    disk: int
    files: int


@dataclass(frozen=True)
class FinishedRun:
    """A process that is over: why it was stopped, its code, what it sent."""

    stopped: StopReason
    code: int
    cpu: float
    stdout: bytes
    answers: bytes


class RunnerProcess:
    """A started guard: where it is read, and how it ended once it has.

    Args:
        pid: its process, the leader of its group.
        out: what it prints can be read here.
        told: its answers can be read here.
    """

    def __init__(self, pid: int, out: int, told: int):
        self.pid, self.out, self.told = pid, out, told
        self.code, self.cpu = 0, 0.0


@contextmanager
def start_runner(
    command: list[str], order: bytes, stdin: bytes = b"", *, pipes: Sequence[int] = ()
) -> Iterator[RunnerProcess]:
    """A guard that runs until the block is left; nothing of it stays behind.

    Args:
        command: the guard's command line; descriptors are appended: where its
            job can be read, where it answers, and `pipes`.
        order: the job.
        stdin: the program's input.
        pipes: what it reads and writes besides.

    Raises:
        OSError: the process cannot be started.
    """
    with ExitStack() as held:
        job, given = held.enter_context(_file(order)), held.enter_context(_file(stdin))
        out, told = held.enter_context(pipe()), held.enter_context(pipe())
        passed = [job, told.into, *pipes]
        # What it prints as errors goes nowhere: faults come as answers.
        process = subprocess.Popen(
            [*command, *map(str, passed)],
            stdin=given,
            stdout=out.into,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            pass_fds=passed,
            start_new_session=True,
        )
        guard = RunnerProcess(process.pid, out.source, told.source)
        try:
            out.close(out.into)
            told.close(told.into)
            yield guard
        finally:
            # Also when the host itself is interrupted: nothing stays behind.
            _end(process.pid)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            code = process.returncode
            guard.code = code if code >= 0 else 128 - code
            guard.cpu = used.ru_utime + used.ru_stime


def _end(pid: int) -> None:
    """End a guard that has not ended yet; it is not waited for."""
    if not has_exited(pid):
        with exit_descriptor(pid) as gone, selectors.DefaultSelector() as selector:
            # Its keeper waits for the program: who only kills both leaves the
            # program's remains to whoever is the first process here.
            os.kill(pid, signal.SIGTERM)
            if gone is not None:
                selector.register(gone, selectors.EVENT_READ)
            selector.select(_PATIENCE)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def run_to_end(
    command: list[str],
    order: bytes,
    stdin: bytes,
    *,
    limits: WatchedLimits,
) -> FinishedRun:
    """Start a guard, collect what it sends, and end it at its limits.

    Args:
        command: the guard's command line.
        order: the job.
        stdin: the program's input.
        limits: time and output.

    Raises:
        OSError: the process cannot be started.
    """
    with start_runner(command, order, stdin) as guard:
        ends = {guard.out: bytearray(), guard.told: bytearray()}
        stopped = _read(guard.pid, ends, limits)
    out, told = map(bytes, ends.values())
    return FinishedRun(stopped, guard.code, guard.cpu, out, told)


class Pipe:
    """Both ends of a pipe, closed at most once."""

    def __init__(self):
        self.source, self.into = os.pipe()
        self._open = {self.source, self.into}

    def close(self, *ends: int) -> None:
        """Close these ends, or all that are open."""
        for end in ends or tuple(self._open):
            self._open.discard(end)
            os.close(end)


@contextmanager
def pipe() -> Iterator[Pipe]:
    """A pipe that is closed when the block is left."""
    ends = Pipe()
    try:
        yield ends
    finally:
        ends.close()


@contextmanager
def _file(content: bytes) -> Iterator[int]:
    """A nameless file to read from: unlike a pipe it cannot block its writer."""
    into, path = tempfile.mkstemp(prefix="phi-kit-")
    try:
        with os.fdopen(into, "wb") as file:
            file.write(content)
        # Opened anew: who is given it can read it, not write to it.
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        Path(path).unlink()
    try:
        yield source
    finally:
        os.close(source)


def _read(
    pid: int, received: dict[int, bytearray], limits: WatchedLimits
) -> StopReason:
    """Fill `received` until the process is over; why it must be stopped, if so."""
    deadline, cap = time.monotonic() + limits.seconds, limits.output << 10
    with selectors.DefaultSelector() as selector, exit_descriptor(pid) as gone:
        for end in received:
            selector.register(end, selectors.EVENT_READ)
        if gone is not None:
            selector.register(gone, selectors.EVENT_READ)
        over = False
        while not over:
            # Asked before reading: what a dead process wrote is already there.
            over = has_exited(pid)
            left = deadline - time.monotonic()
            if left <= 0:
                return "" if over else "timeout"
            for key, _ in selector.select(0 if over else min(left, POLL_SECONDS)):
                end = key.fd
                if end == gone:
                    continue
                if not _pump(end, received[end], cap, drain=over):
                    selector.unregister(end)
                if len(received[end]) > cap:
                    del received[end][cap:]
                    return "output"
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
def exit_descriptor(pid: int) -> Iterator[int | None]:
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


def has_exited(pid: int) -> bool:
    """Whether a process has ended; it is not waited for."""
    # WNOWAIT: its number stays taken until the group has been killed.
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def remove_folder(folder: Path) -> None:
    """Remove a folder whatever was done to it; links are never followed."""
    with suppress(OSError):
        folder.chmod(0o700)
    for entry in folder_entries(os.fspath(folder), []):
        with suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                Path(entry.path).chmod(0o700)
    with suppress(OSError, RecursionError):
        shutil.rmtree(folder)
    if folder.exists():  # deeper than Python's recursion goes
        subprocess.run(
            ["rm", "-rf", "--", str(folder)], check=False, stderr=subprocess.DEVNULL
        )
