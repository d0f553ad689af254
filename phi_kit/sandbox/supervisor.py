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
# Seconds for a watchdog to end its program.
_PATIENCE = 0.5


class WatchedLimits(Protocol):
    """The part of `sandbox.Limits` that the host watches."""

    seconds: float
    output: int
    disk: int
    files: int


@dataclass(frozen=True)
class FinishedRun:
    """A process that has ended: why it was stopped, its exit code, what it sent."""

    stopped: StopReason
    code: int
    cpu: float
    stdout: bytes
    answers: bytes


class RunnerProcess:
    """A started runner; exit code and processor seconds are set when it has ended.

    Args:
        pid: its process, the leader of its group.
        stdout: the descriptor where its output is read.
        answers: the descriptor where its answers are read.
    """

    def __init__(self, pid: int, stdout: int, answers: int):
        self.pid, self.stdout, self.answers = pid, stdout, answers
        self.code, self.cpu = 0, 0.0


@contextmanager
def start_runner(
    command: list[str], job: bytes, stdin: bytes = b"", *, pipes: Sequence[int] = ()
) -> Iterator[RunnerProcess]:
    """A runner that lives until the block is left; nothing of it stays behind.

    Args:
        command: the runner's command line; descriptors are appended: where its
            job can be read, where it answers, and `pipes`.
        job: the job as JSON.
        stdin: the program's input.
        pipes: further descriptors that it reads and writes.

    Raises:
        OSError: the process cannot be started.
    """
    with ExitStack() as stack:
        job_file = stack.enter_context(_file(job))
        input_file = stack.enter_context(_file(stdin))
        stdout, answers = stack.enter_context(pipe()), stack.enter_context(pipe())
        passed = [job_file, answers.into, *pipes]
        # Its standard error is discarded: faults come as answers.
        process = subprocess.Popen(
            [*command, *map(str, passed)],
            stdin=input_file,
            stdout=stdout.into,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
            pass_fds=passed,
            start_new_session=True,
        )
        runner = RunnerProcess(process.pid, stdout.source, answers.source)
        try:
            stdout.close(stdout.into)
            answers.close(answers.into)
            yield runner
        finally:
            # Also when the host itself is interrupted: nothing stays behind.
            _end(process.pid)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            code = process.returncode
            runner.code = code if code >= 0 else 128 - code
            runner.cpu = used.ru_utime + used.ru_stime


def _end(pid: int) -> None:
    """End a runner that has not ended yet, without waiting for it."""
    if not has_exited(pid):
        with exit_descriptor(pid) as exited, selectors.DefaultSelector() as selector:
            # Its watchdog waits for the program. Killing both at once would leave
            # a dead child to the first process of this machine.
            os.kill(pid, signal.SIGTERM)
            if exited is not None:
                selector.register(exited, selectors.EVENT_READ)
            selector.select(_PATIENCE)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def run_to_end(
    command: list[str],
    job: bytes,
    stdin: bytes,
    *,
    limits: WatchedLimits,
) -> FinishedRun:
    """Start a runner, collect what it sends, and end it at its limits.

    Args:
        command: the runner's command line.
        job: the job as JSON.
        stdin: the program's input.
        limits: time and output.

    Raises:
        OSError: the process cannot be started.
    """
    with start_runner(command, job, stdin) as runner:
        received = {runner.stdout: bytearray(), runner.answers: bytearray()}
        stopped = _read(runner.pid, received, limits)
    stdout, answers = map(bytes, received.values())
    return FinishedRun(stopped, runner.code, runner.cpu, stdout, answers)


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
        # Opened again, for reading only.
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
    with selectors.DefaultSelector() as selector, exit_descriptor(pid) as exited:
        for end in received:
            selector.register(end, selectors.EVENT_READ)
        if exited is not None:
            selector.register(exited, selectors.EVENT_READ)
        over = False
        while not over:
            # Asked before reading: what a dead process wrote is already there.
            over = has_exited(pid)
            left = deadline - time.monotonic()
            if left <= 0:
                return "" if over else "timeout"
            for key, _ in selector.select(0 if over else min(left, POLL_SECONDS)):
                end = key.fd
                if end == exited:
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
        chunk = os.read(end, 1 << 16)
        into += chunk
        if not chunk:
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
    """Remove a folder, whatever a program did to it; links are not followed."""
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
