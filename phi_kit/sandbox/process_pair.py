"""The host's side of two guards that talk to each other.

They talk by pipes of their own, so that no byte a solution writes is ever read
here; only the tests' guard, which runs no code of the solution's, says what the
verdict is. The host keeps the time and counts what is printed and stored.
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

from phi_kit.sandbox.inside.disk_usage import within_quota

from .supervisor import (
    POLL_SECONDS,
    RunnerProcess,
    WatchedLimits,
    exit_descriptor,
    has_exited,
)

_PIECE = 1 << 16
# Seconds for the kernel to end what has closed its pipes.
_PATIENCE = 0.5


@dataclass(frozen=True)
class TestsRun:
    """How a conversation ended.

    Args:
        said: the tests' verdict; `None` without one.
        stopped: why there is none: `timeout`, `output`, `disk`, `killed` (a
            guard is gone) or `broken` (a wall does not stand).
        asked: whether the solution was asked anything, its loading included.
        words: what a broken wall said.
    """

    said: dict[str, Any] | None
    stopped: str = ""
    asked: bool = False
    words: str = ""


class _AnswerLines:
    """The lines of one guard that bear its mark."""

    def __init__(self, guard: RunnerProcess, nonce: str):
        self.guard, self._nonce = guard, nonce
        self._read = bytearray()
        self.ready: dict[str, Any] | None = None
        self.open = True

    def lines(self) -> list[dict[str, Any]]:
        """Read what is there; the whole lines of it."""
        piece = os.read(self.guard.told, _PIECE)
        self.open = bool(piece)
        self._read += piece
        *whole, rest = bytes(self._read).split(b"\n")
        self._read = bytearray(rest)
        found = []
        for line in whole:
            try:
                told = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(told, dict) and told.get("nonce") == self._nonce:
                found.append(told)
        if found and self.ready is None:
            # Written before any code of the item's runs.
            self.ready = found.pop(0)
        return found


class ProcessPair:
    """Waits for the verdict of the tests, or for a limit.

    Args:
        tests: the tests' guard and the mark of its lines.
        solution: the solution's.
        limits: what both together may use.
        folder: the solution's, looked at in the end where no quota stands.
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
        self._asked, self._printed = False, 0

    def run(self) -> TestsRun:
        """The end of the conversation."""
        deadline = time.monotonic() + self._limits.seconds
        with selectors.DefaultSelector() as selector, ExitStack() as held:
            for told in (self._tests, self._solution):
                selector.register(told.guard.told, selectors.EVENT_READ, told)
                selector.register(told.guard.out, selectors.EVENT_READ, None)
                gone = held.enter_context(exit_descriptor(told.guard.pid))
                if gone is not None:
                    selector.register(gone, selectors.EVENT_READ, "gone")
            while (left := deadline - time.monotonic()) > 0:
                # Asked before reading: what a dead process wrote is already there.
                over = has_exited(self._tests.guard.pid)
                heard = selector.select(0 if over else min(left, POLL_SECONDS))
                for key, _ in heard:
                    talk = self._heard(selector, key.data, key.fd)
                    if talk:
                        return talk
                if over and not heard:
                    return self._stop("killed")
        return self._stop("timeout")

    def _heard(
        self, selector: selectors.BaseSelector, told: Any, end: int
    ) -> TestsRun | None:
        if told == "gone":
            selector.unregister(end)
            return None
        if told is None:
            piece = os.read(end, _PIECE)
            if not piece:
                selector.unregister(end)
            self._printed += len(piece) if end == self._solution.guard.out else 0
            enough = self._printed > self._limits.output << 10
            return self._stop("output") if enough else None
        lines = told.lines()
        if told.ready and told.ready.get("ready") is not True:
            return self._stop("broken", str(told.ready.get("words", "")))
        if not told.open and told.ready is None:
            return self._stop("broken")
        if told is self._solution:
            # After its first line anybody may have written there.
            if told.ready:
                selector.unregister(end)
            return None
        for line in lines:
            if "said" in line:
                if line["said"].get("gone"):
                    self._wait()
                return self._fitting(line["said"])
            self._asked = True
        if not told.open:
            selector.unregister(end)
        return None

    def _fitting(self, said: dict[str, Any]) -> TestsRun:
        """The verdict, of a solution that has not stored too much."""
        quota = (self._limits.disk, self._limits.files)
        if self._folder and not within_quota(os.fspath(self._folder), *quota):
            return self._stop("disk")
        return TestsRun(said, asked=self._asked)

    def _wait(self) -> None:
        """Let a solution that is gone be over, so that its exit code is its own."""
        deadline = time.monotonic() + _PATIENCE
        while not has_exited(self._solution.guard.pid) and time.monotonic() < deadline:
            time.sleep(0.001)

    def _stop(self, why: str, words: str = "") -> TestsRun:
        return TestsRun(None, why, self._asked, words)
