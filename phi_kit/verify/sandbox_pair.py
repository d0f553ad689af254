"""The host's side of two guards that talk: it passes lines, and reads almost none.

The tests write a line, the solution answers with one, and so on; whoever's turn
it is not is not heard. What the solution writes is never read here, so that no
bytes of it can hurt the host; only the tests' guard, which runs no code of the
solution's, says what the verdict is.
"""

from __future__ import annotations

import json
import os
import selectors
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from .sandbox_watch import TICK, Bounds, Guard, exits, fits, is_over

Side = Literal["tests", "solution"]
_PIECE = 1 << 16


class Budget(Bounds, Protocol):
    """The part of `sandbox.Limits` that bounds a conversation."""

    calls: int
    value: int
    traffic: int


@dataclass(frozen=True)
class Talk:
    """How a conversation ended.

    Args:
        said: the tests' verdict; `None` without one.
        stopped: why it was ended: `timeout`, `output`, `disk`, `calls`,
            `closed` (a side is gone) or `broken` (a wall does not stand).
        turn: who had to speak then.
        turns: how often the solution was asked, its loading included.
    """

    said: dict[str, Any] | None
    stopped: str
    turn: Side
    turns: int
    words: str = ""


class _Line:
    """One side's descriptors, with what was read and what waits to be written."""

    def __init__(self, guard: Guard, nonce: str, cap: int):
        self.guard, self.nonce, self.cap = guard, nonce.encode(), cap
        self.read, self.waiting = bytearray(), bytearray()
        self.ready, self.open, self.printed, self.total = False, True, 0, 0

    def take(self) -> bytes | None:
        """The next whole line, if there is one."""
        end = self.read.find(b"\n")
        if end < 0:
            return None
        line = bytes(self.read[: end + 1])
        del self.read[: end + 1]
        return line

    def pull(self) -> None:
        """Read what is there."""
        piece = os.read(self.guard.told, _PIECE)
        self.read += piece
        self.total += len(piece)
        self.open = bool(piece)

    def push(self, line: bytes = b"") -> None:
        """Write what the other side's pipe takes now."""
        self.waiting += line
        try:
            while self.waiting:
                del self.waiting[: os.write(self.guard.ask, self.waiting[:_PIECE])]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.waiting.clear()
            self.open = False


class Switch:
    """Passes lines between the two until there is a verdict or a limit is met.

    Args:
        tests: the tests' guard and the mark of its own lines.
        solution: the solution's.
        limits: what both together may use.
        folder: the solution's, watched where no quota stands.
    """

    def __init__(
        self,
        tests: tuple[Guard, str],
        solution: tuple[Guard, str],
        limits: Budget,
        folder: Path | None,
    ):
        # The tests' own text may be long; a solution's answer may not.
        self._tests = _Line(*tests, limits.traffic << 20)
        self._solution = _Line(*solution, limits.value << 10)
        self._limits, self._folder = limits, folder
        self._turn: Side = "tests"
        self._turns, self._looked = 0, 0.0

    def run(self) -> Talk:
        """The conversation, to its end."""
        deadline = time.monotonic() + self._limits.seconds
        with selectors.DefaultSelector() as selector, ExitStack() as held:
            for line in (self._tests, self._solution):
                selector.register(line.guard.told, selectors.EVENT_READ, line)
                selector.register(line.guard.out, selectors.EVENT_READ, None)
                gone = held.enter_context(exits(line.guard.pid))
                if gone is not None:
                    selector.register(gone, selectors.EVENT_READ, "gone")
            while time.monotonic() < deadline:
                quiet = self._listen(selector, deadline)
                talk = self._pass() or (self._end() if quiet else None)
                if talk:
                    return talk
        return self._stop("timeout")

    def _fits(self) -> bool:
        now = time.monotonic()
        if not self._folder or now - self._looked < TICK:
            return True
        self._looked = now
        return fits(self._folder, self._limits)

    def _listen(self, selector: selectors.BaseSelector, deadline: float) -> bool:
        """Read what has come; True if a side may be gone."""
        waiting = [x for x in (self._tests, self._solution) if x.waiting]
        for line in waiting:
            line.push()
        # A full pipe is tried again soon; its reader may be at work.
        left = max(min(deadline - time.monotonic(), TICK), 0)
        events = selector.select(0.002 if waiting else left)
        quiet = not events
        for key, _ in events:
            if key.data == "gone":
                quiet = True
                selector.unregister(key.fd)
            elif key.data is None:
                if not self._printed(key.fd):
                    selector.unregister(key.fd)
            else:
                key.data.pull()
                if not key.data.open:
                    quiet = True
                    selector.unregister(key.fd)
        return quiet

    def _printed(self, end: int) -> bool:
        piece = os.read(end, _PIECE)
        line = self._solution if end == self._solution.guard.out else self._tests
        line.printed += len(piece)
        return bool(piece)

    def _pass(self) -> Talk | None:
        """Hand over whole lines as long as there are any."""
        if self._solution.printed > self._limits.output << 10:
            return self._stop("output")
        if not self._fits():
            return self._stop("disk")
        for line in (self._tests, self._solution):
            if not line.ready and (first := line.take()) is not None:
                told = _ready(first, line.nonce)
                if told.get("ready") is not True:
                    return self._stop("broken", str(told.get("words", "")))
                line.ready = True
        if not (self._tests.ready and self._solution.ready):
            return None
        while True:
            asks = self._turn == "tests"
            one, other = self._tests, self._solution
            if not asks:
                one, other = other, one
            line = one.take()
            if max(len(line or b""), len(one.read)) > one.cap:
                return self._stop("output")
            if self._solution.total > self._limits.traffic << 20:
                return self._stop("output")
            if line is None:
                return None
            if asks:
                if not line.startswith(b">"):
                    return self._verdict(line)
                self._turns += 1
                if self._turns > self._limits.calls:
                    return self._stop("calls")
                line = line[1:]
            other.push(line)
            self._turn = "solution" if asks else "tests"

    def _verdict(self, line: bytes) -> Talk:
        nonce = self._tests.nonce
        if not line.startswith(nonce):
            return self._stop("broken", "a line that is not the guard's")
        said = json.loads(line[len(nonce) :])
        return Talk(said, "", self._turn, self._turns)

    def _end(self) -> Talk | None:
        """Whether the side that has to speak never will."""
        for line in (self._tests, self._solution):
            mine = (line is self._tests) == (self._turn == "tests")
            silent = not line.open or (is_over(line.guard.pid) and not _more(line))
            if silent and (mine or not line.ready):
                return self._stop("closed" if line.ready else "broken")
        return None

    def _stop(self, why: str, words: str = "") -> Talk:
        return Talk(None, why, self._turn, self._turns, words)


def _more(line: _Line) -> bool:
    """Whether something a dead process wrote is still to be read."""
    with selectors.DefaultSelector() as selector:
        selector.register(line.guard.told, selectors.EVENT_READ)
        return bool(selector.select(0))


def _ready(line: bytes, nonce: bytes) -> dict[str, Any]:
    """The first line of a guard, written before any code of the item's runs."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    known = isinstance(told, dict) and told.get("nonce") == nonce.decode()
    return told if known else {}
