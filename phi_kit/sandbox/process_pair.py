"""The host's side of two sandboxed processes that talk to each other.

They talk by pipes of their own, so that no byte a solution writes is ever read
here; only the tests' process, which runs no code of the solution's, reports the
verdict. The host keeps the time and counts what is printed and stored.
"""

from __future__ import annotations

import json
import os
import selectors
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .inside.disk_usage import within_quota
from .supervisor import (
    POLL_SECONDS,
    RunnerProcess,
    WatchedLimits,
    exit_descriptor,
    has_exited,
)

_CHUNK = 1 << 16
# Seconds for the kernel to end a process that has closed its pipes.
_PATIENCE = 0.5


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
        *whole, rest = bytes(self._unread).split(b"\n")
        self._unread = bytearray(rest)
        messages = []
        for line in whole:
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
        deadline, pid = time.monotonic() + _PATIENCE, self._solution.process.pid
        while not has_exited(pid) and time.monotonic() < deadline:
            time.sleep(0.001)

    def _stop(self, why: str, message: str = "") -> TestsRun:
        return TestsRun(None, why, self._called, message)
