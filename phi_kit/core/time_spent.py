"""How long a step sampled and trained; what else it took is overhead.

Counted by the clock of the process: a draw inside a training run (its held-out
items) is training, and two draws at a time are counted once.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

SAMPLING, TRAINING = "sampling", "training"


class TimeSpent:
    """Seconds by what they were spent on.

    Args:
        before: what was spent before this was measured, since the last measuring.
    """

    def __init__(self, before: TimeSpent | None = None) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.before = before

    def as_dict(self) -> dict[str, float]:
        """For the manifest."""
        return {kind: round(taken, 1) for kind, taken in sorted(self.seconds.items())}


_OPEN: list[TimeSpent] = []  # of the process, as those of `sample_counts`
_unmeasured = TimeSpent()  # while none was open: by a notebook's own cells
_LOCK = threading.Lock()
_running = 0  # of `spending`, inside each other or side by side
_kind, _since = "", 0.0


@contextmanager
def measure_time() -> Iterator[TimeSpent]:
    """Measure what is spent inside the `with` block."""
    global _unmeasured
    spent = TimeSpent(_unmeasured)
    _unmeasured = TimeSpent()
    _OPEN.append(spent)
    try:
        yield spent
    finally:
        _OPEN[:] = [other for other in _OPEN if other is not spent]


@contextmanager
def spending(kind: str) -> Iterator[None]:
    """Count the time of the `with` block, unless it is being counted already.

    Args:
        kind: what it is spent on, `SAMPLING` or `TRAINING`.
    """
    global _running, _kind, _since
    with _LOCK:
        if not _running:
            _kind, _since = kind, time.monotonic()
        _running += 1
    try:
        yield
    finally:
        with _LOCK:
            _running -= 1
            if not _running:
                for spent in _OPEN or [_unmeasured]:
                    spent.seconds[_kind] += time.monotonic() - _since
