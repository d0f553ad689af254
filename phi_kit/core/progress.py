"""Progress a person can bear: one line in JupyterLab, a bar in a terminal.

Bars redrawn by a headless run fill logs with thousands of lines, and a silent
cell looks hung. So headless runs print one heartbeat line every 20 seconds. A
notebook's line is a display that is updated in place and ends in one sentence:
a bar on stderr would leave a red strip behind, a widget a state that is saved.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEARTBEAT_SECONDS = 20.0
REDRAW_SECONDS = 0.5  # of a notebook's line
WIDTH = 20  # letters of its bar
# The runner sets it for its kernels; nobody watches those live.
HEADLESS = "PHI_KIT_HEADLESS"


def print_status(line: str) -> None:
    """Print one line for the person waiting to stderr; stdout belongs to results."""
    print(f"phi-kit: {line}", file=sys.stderr, flush=True)


def is_watched() -> bool:
    """Whether a person watches: a notebook run by hand, or a terminal."""
    if os.environ.get(HEADLESS):
        return False
    return in_kernel() or sys.stderr.isatty()


def in_kernel() -> bool:
    """Whether this process is a notebook's kernel."""
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    return get_ipython() is not None


def in_notebook() -> bool:
    """Whether a person watches a notebook's cell."""
    return is_watched() and in_kernel()


class Heartbeat:
    """Counts steps and says so now and then."""

    def __init__(self, label: str, *, total: int, unit: str):
        self.label, self.total, self.unit = label, total, unit
        self.done = self.had = self.tokens = 0
        self.started = self.last_shown = time.monotonic()

    def have(self, n: int = 1) -> None:
        """Count `n` of them that cost nothing: the ledger had them."""
        self.done += n
        self.had += n

    def step(self, n: int = 1, *, tokens: int = 0, note: str = "") -> None:
        """Count `n` more of them, and the tokens they took."""
        self.done += n
        self.tokens += tokens
        now = time.monotonic()
        if now - self.last_shown >= HEARTBEAT_SECONDS:
            self.last_shown = now
            print(self.line(now, note), flush=True)

    def line(self, now: float, note: str = "") -> str:
        """`sampling: 120/300 prompts, 1450 tokens/s, 40 s left`."""
        spent = max(now - self.started, 1e-9)
        left = spent / max(self.done - self.had, 1) * (self.total - self.done)
        rate = f", {self.tokens / spent:.0f} tokens/s" if self.tokens else ""
        note = f", {note}" if note else ""
        count = f"{self.done}/{self.total} {self.unit}"
        if self.had:
            count += f" ({self.had} from the ledger)"
        return f"{self.label}: {count}{rate}, {left:.0f} s left{note}"

    def close(self) -> None:
        """Nothing more will come."""


class Bar(Heartbeat):
    """The same as a bar in a terminal, gone when it is done."""

    def __init__(self, label: str, *, total: int, unit: str):
        super().__init__(label, total=total, unit=unit)
        from tqdm import tqdm

        self.bar = tqdm(total=total, desc=label, unit=f" {unit}", leave=False)

    def have(self, n: int = 1) -> None:
        """Count `n` of them that cost nothing: the ledger had them."""
        self.had += n
        self.bar.initial += n  # or they would make the rest look fast
        self.bar.update(n)

    def step(self, n: int = 1, *, tokens: int = 0, note: str = "") -> None:
        """Count `n` more of them, and the tokens they took."""
        self.tokens += tokens
        if self.tokens:
            rate = self.tokens / max(time.monotonic() - self.started, 1e-9)
            note = f"{rate:.0f} tokens/s {note}"
        if self.had:
            note = f"{self.had} from the ledger {note}"
        self.bar.set_postfix_str(note, refresh=False)
        self.bar.update(n)

    def close(self) -> None:
        """Take the bar away."""
        self.bar.close()


class Line(Heartbeat):
    """One line of a notebook's cell, updated in place."""

    def __init__(self, label: str, *, total: int, unit: str):
        super().__init__(label, total=total, unit=unit)
        self.shown, self.last_shown = None, 0.0
        self._show(f"{label}: {total} {unit}")

    def step(self, n: int = 1, *, tokens: int = 0, note: str = "") -> None:
        """Count `n` more of them, and the tokens they took."""
        self.done += n
        self.tokens += tokens
        now = time.monotonic()
        if now - self.last_shown >= REDRAW_SECONDS:
            filled = round(WIDTH * self.done / max(self.total, 1))
            bar = "█" * filled + "░" * (WIDTH - filled)
            self._show(f"{bar}  {self.line(now, note)}")

    def close(self) -> None:
        """Say what was done, and how long it took."""
        spent = time.monotonic() - self.started
        done = f"{self.done} {self.unit}"
        if self.done < self.total:
            done = f"stopped after {self.done} of {self.total} {self.unit}"
        had = f", {self.had} from the ledger" if self.had else ""
        self._show(f"{self.label}: {done} in {spent:.0f} s{had}")

    def _show(self, text: str) -> None:
        from IPython.display import display

        self.last_shown = time.monotonic()
        data = {"text/plain": text}
        if self.shown is None:
            self.shown = display(data, raw=True, display_id=True)
        else:
            self.shown.update(data, raw=True)


@contextmanager
def progress(label: str, *, total: int, unit: str) -> Iterator[Heartbeat]:
    """A line, a bar or a heartbeat around a loop; call its `step` as it goes on."""
    kind = Heartbeat
    # A bar for one thing, as a judge's verdicts come, would only flicker.
    if total > 1 and is_watched():
        kind = Line if in_notebook() else Bar
    shown = kind(label, total=total, unit=unit)
    try:
        yield shown
    finally:
        shown.close()
