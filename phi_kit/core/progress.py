"""Progress a person can bear: a bar in JupyterLab, a rare line elsewhere.

Bars redrawn by a headless run fill logs with thousands of lines, and a silent
cell looks hung. So headless runs print one heartbeat line every 20 seconds.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEARTBEAT_SECONDS = 20.0
# The runner sets it for its kernels; nobody watches those live.
HEADLESS = "PHI_KIT_HEADLESS"


def by_hand() -> bool:
    """Whether a person watches: a notebook run by hand, or a terminal."""
    if os.environ.get(HEADLESS):
        return False
    return "ipykernel" in sys.modules or sys.stderr.isatty()


class Heartbeat:
    """Counts steps and says so now and then."""

    def __init__(self, label: str, *, total: int, unit: str):
        self.label, self.total, self.unit = label, total, unit
        self.done = self.had = self.tokens = 0
        self.started = self.said = time.monotonic()

    def have(self, n: int = 1) -> None:
        """Count `n` of them that cost nothing: the ledger had them."""
        self.done += n
        self.had += n

    def step(self, n: int = 1, *, tokens: int = 0, note: str = "") -> None:
        """Count `n` more of them, and the tokens they took."""
        self.done += n
        self.tokens += tokens
        now = time.monotonic()
        if now - self.said >= HEARTBEAT_SECONDS:
            self.said = now
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


class Bar(Heartbeat):
    """The same as a tqdm text bar; no widget state that would be saved."""

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


@contextmanager
def progress(label: str, *, total: int, unit: str) -> Iterator[Heartbeat]:
    """A bar or a heartbeat around a loop; call its `step` as the work goes on."""
    # A bar for one thing, as a judge's verdicts come, would only flicker.
    kind = Bar if by_hand() and total > 1 else Heartbeat
    shown = kind(label, total=total, unit=unit)
    try:
        yield shown
    finally:
        if isinstance(shown, Bar):
            shown.bar.close()
