"""The host's side of sandboxed processes: start, read with a cap, end, clean up.

A program runs alone (`run_to_end`); tests and the solution that they call run as a
pair (`ProcessPair`). The two talk by pipes of their own, so that no byte a solution
writes is ever read here; only the tests' process, which runs no code of the
solution's, reports the verdict.
"""

from __future__ import annotations

import json
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
from typing import Any, Literal, Protocol

from phi_kit.core.child_exits import children_are_ignored
from phi_kit.core.errors import RunError

from .inside.disk_usage import folder_entries, within_quota

StopReason = Literal["", "timeout", "output"]
POLL_SECONDS = 0.1
_CHUNK = 1 << 16
# Seconds for a watchdog to end its program.
_PATIENCE = 0.5
# Seconds for the kernel to end a process that has closed its pipes.
_EXIT_SECONDS = 0.5


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
        RunError: this process cannot hear how it ended.
    """
    if children_are_ignored():
        raise RunError(
            "this process ignores the end of its children (SIGCHLD), so no outcome of "
            "a sandboxed program can be told",
            todo="signal.signal(signal.SIGCHLD, signal.SIG_DFL), in the main thread",
        )
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
            runner.code, runner.cpu = _collect(process)


def _collect(process: subprocess.Popen) -> tuple[int, float]:
    """Wait for a runner; its exit code as a shell gives it, its processor seconds."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    return (code if code >= 0 else 128 - code), used.ru_utime + used.ru_stime


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
        chunk = os.read(end, _CHUNK)
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


@dataclass(frozen=True)
class TestsRun:
    """How a run of tests against a solution ended.

    Args:
        verdict: the tests' verdict; `None` if they gave none.
        stopped: why there is none: `timeout`, `output`, `disk`, `killed` (a
            process is gone) or `broken` (the isolation could not be set up).
        called: whether the solution was called at all, its loading included.
        message: why the isolation could not be set up.
    """

    __test__ = False  # no class of tests, whatever its name

    verdict: dict[str, Any] | None
    stopped: str = ""
    called: bool = False
    message: str = ""


class _AnswerLines:
    """The lines of one process that carry its nonce."""

    def __init__(self, process: RunnerProcess, nonce: str):
        self.process, self._nonce = process, nonce
        self._unread = bytearray()
        self.ready: dict[str, Any] | None = None
        self.open = True

    def read(self) -> list[dict[str, Any]]:
        """Read what is there, and return the whole lines of it."""
        chunk = os.read(self.process.answers, _CHUNK)
        self.open = bool(chunk)
        self._unread += chunk
        *lines, rest = bytes(self._unread).split(b"\n")
        self._unread = bytearray(rest)
        messages = []
        for line in lines:
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(message, dict) and message.get("nonce") == self._nonce:
                messages.append(message)
        if messages and self.ready is None:
            # Written before any code of the item's runs.
            self.ready = messages.pop(0)
        return messages


class ProcessPair:
    """Waits for the verdict of the tests, or for a limit.

    Args:
        tests: the tests' process and the nonce of its lines.
        solution: the same of the solution.
        limits: what both together may use.
        folder: the solution's folder, which is measured in the end where the
            kernel holds no quota.
    """

    def __init__(
        self,
        tests: tuple[RunnerProcess, str],
        solution: tuple[RunnerProcess, str],
        limits: WatchedLimits,
        folder: Path | None,
    ):
        self._tests, self._solution = _AnswerLines(*tests), _AnswerLines(*solution)
        self._limits, self._folder = limits, folder
        self._called, self._printed = False, 0

    def run(self) -> TestsRun:
        """Wait for the end of the conversation."""
        deadline = time.monotonic() + self._limits.seconds
        with selectors.DefaultSelector() as selector, ExitStack() as stack:
            for side in (self._tests, self._solution):
                selector.register(side.process.answers, selectors.EVENT_READ, side)
                selector.register(side.process.stdout, selectors.EVENT_READ, None)
                exited = stack.enter_context(exit_descriptor(side.process.pid))
                if exited is not None:
                    selector.register(exited, selectors.EVENT_READ, "exited")
            while (left := deadline - time.monotonic()) > 0:
                # Asked before reading: what a dead process wrote is already there.
                over = has_exited(self._tests.process.pid)
                events = selector.select(0 if over else min(left, POLL_SECONDS))
                for key, _ in events:
                    if done := self._handle(selector, key.data, key.fd):
                        return done
                if over and not events:
                    return self._stop("killed")
        return self._stop("timeout")

    def _handle(
        self, selector: selectors.BaseSelector, side: Any, descriptor: int
    ) -> TestsRun | None:
        """React to one readable descriptor; the result, once there is one."""
        if side == "exited":
            selector.unregister(descriptor)
            return None
        if side is None:
            return self._count_output(selector, descriptor)
        messages = side.read()
        if side.ready and side.ready.get("ready") is not True:
            return self._stop("broken", str(side.ready.get("words", "")))
        if not side.open and side.ready is None:
            return self._stop("broken")
        if side is self._solution:
            # After its first line anybody may have written there.
            if side.ready:
                selector.unregister(descriptor)
            return None
        for message in messages:
            if "verdict" in message:
                if message["verdict"].get("gone"):
                    self._wait_for_solution()
                return self._within_quota(message["verdict"])
            self._called = True
        if not side.open:
            selector.unregister(descriptor)
        return None

    def _count_output(
        self, selector: selectors.BaseSelector, descriptor: int
    ) -> TestsRun | None:
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            selector.unregister(descriptor)
        if descriptor == self._solution.process.stdout:
            self._printed += len(chunk)
        too_much = self._printed > self._limits.output << 10
        return self._stop("output") if too_much else None

    def _within_quota(self, verdict: dict[str, Any]) -> TestsRun:
        """The verdict, unless the solution has stored too much."""
        quota = (self._limits.disk, self._limits.files)
        if self._folder and not within_quota(os.fspath(self._folder), *quota):
            return self._stop("disk")
        return TestsRun(verdict, called=self._called)

    def _wait_for_solution(self) -> None:
        """Let a solution that is gone end by itself, so that its exit code counts."""
        deadline, pid = time.monotonic() + _EXIT_SECONDS, self._solution.process.pid
        while not has_exited(pid) and time.monotonic() < deadline:
            time.sleep(0.001)

    def _stop(self, why: str, message: str = "") -> TestsRun:
        return TestsRun(None, why, self._called, message)


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
