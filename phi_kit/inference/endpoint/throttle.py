"""How many requests a server gets at once, and how long it is waited for.

The number halves when the server is busy (429, 503, no answer in time) and
grows by about one per round of answers: additive increase, multiplicative
decrease, as TCP does it (RFC 5681). A `Retry-After` holds all requests back.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import TypeVar

E = TypeVar("E", bound=Exception)

LONGEST = 30.0  # seconds between two attempts, unless the server asks for more


class RetryableError(Exception):
    """An attempt that failed and may be made again.

    Args:
        why: what went wrong, for the reader.
        busy: the server has too much to do: fewer requests at once.
        counts: whether it is one of the tries a sample has.
        wait: seconds after which it wants to be asked again.
        status: of HTTP, where it answered.
        used: tokens in and out that a useless reply has cost all the same.
    """

    def __init__(
        self,
        why: str,
        *,
        busy: bool = False,
        counts: bool = True,
        wait: float | None = None,
        status: int = 0,
        used: tuple[int, int] = (0, 0),
    ):
        super().__init__(why)
        self.why, self.busy, self.counts = why, busy, counts
        self.wait, self.status, self.used = wait, status, used


def without_traceback(error: E) -> E:
    """An error that is kept, without the frames that hold the reply it is about."""
    error.__traceback__ = error.__context__ = None
    return error


def retry_after(text: str | None) -> float | None:
    """Seconds a `Retry-After` header asks for: a number or a date (RFC 9110)."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def backoff(attempt: int, first: float) -> float:
    """Seconds before the next attempt: doubling, with jitter of one half.

    Args:
        attempt: how many have failed, from 1.
        first: the longest wait after the first one.
    """
    # Jitter, so that what failed together does not come back together.
    return min(LONGEST, first * 2 ** (attempt - 1)) * random.uniform(0.5, 1)


class Throttle:
    """Room for requests, shared by all that go to one server.

    Args:
        most: requests at once, at most; it begins there.
        patience: seconds of nothing but faults after which it is hopeless.
        first: as for `backoff`.
    """

    def __init__(self, most: int, *, patience: float, first: float):
        self.most, self.patience, self.first = most, patience, first
        self.limit, self.running = float(most), 0
        self.failing_since: float | None = None
        self._shrunk = self._resume = -math.inf
        self._room = asyncio.Condition()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[float]:
        """Room for one request, once there is; gives the moment it was there."""
        async with self._room:
            await self._room.wait_for(lambda: self.running < int(self.limit))
            self.running += 1
        try:
            while (left := self._resume - time.monotonic()) > 0:
                await asyncio.sleep(left + random.uniform(0, self.first))
            yield time.monotonic()
        finally:
            self.running -= 1
            async with self._room:
                self._room.notify_all()

    def succeeded(self) -> None:
        """Note an answer."""
        self.failing_since = None
        self.limit = min(self.limit + 1 / self.limit, float(self.most))

    def failed(self, fault: RetryableError, began: float) -> None:
        """Note a fault of an attempt that began at that moment."""
        now = time.monotonic()
        if self.failing_since is None:
            self.failing_since = now
        # What was under way when it shrank says nothing of the new limit.
        if fault.busy and began > self._shrunk:
            self.limit, self._shrunk = max(1.0, self.limit / 2), now
        if fault.wait is not None:
            self._resume = max(self._resume, now + fault.wait)

    @property
    def failing(self) -> float:
        """Seconds for which there was nothing but faults."""
        since = self.failing_since
        return 0.0 if since is None else time.monotonic() - since

    def hopeless(self, fault: RetryableError) -> bool:
        """Whether to give up: nothing came for too long, or is to come for too long."""
        return self.failing + (fault.wait or 0) > self.patience
