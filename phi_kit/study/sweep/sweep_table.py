"""A sweep's state as lines of text, and as a table that a terminal redraws."""

from __future__ import annotations

import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from phi_kit.core.number_format import aligned_table, duration, plural

from .sweep_state import Failure, SweepState, VariantState

_ORDER = ("in flight", "failed", "waiting", "finished")  # of a table too long to show
_REDRAW_SECONDS = 1.0


def table(state: SweepState, *, most: int | None = None) -> Iterator[str]:
    """A line per variant, and a sum.

    Args:
        state: of the sweep.
        most: variants to show; those that are at work or failed go first.
    """
    variants = state.variant_states()
    names = list(variants)
    if most is not None and len(names) > most:
        names.sort(key=lambda name: _ORDER.index(variants[name].kind))
        names = names[:most]
    yield from aligned_table([_row(name, variants[name]) for name in names], left=6)
    if len(names) < len(variants):
        yield f"… and {len(variants) - len(names)} more"
    yield summary(state, variants)


def failures(state: SweepState) -> Iterator[str]:
    """Every failure once: where, which variants, and why."""
    together: dict[Failure, list[str]] = {}
    for name, failure in state.failures.items():
        together.setdefault(failure, []).append(name)
    for failure, names in together.items():
        yield f"{failure.title} failed in {', '.join(names)}:"
        yield from (f"  {line}" for line in failure.why.splitlines())
        if missed := _not_reached(state, failure, names):
            yield f"  not reached: {', '.join(missed)}"


def _not_reached(
    state: SweepState, failure: Failure, names: Sequence[str]
) -> list[str]:
    """The notebooks that these variants never came to, by their titles."""
    return list(
        dict.fromkeys(
            work.title
            for key, work in state.work.items()
            if work.kind in ("waiting", "left out")
            and key != failure.key
            and set(names) & set(work.variants)
        )
    )


def summary(state: SweepState, variants: Mapping[str, VariantState]) -> str:
    """`6 variants: 4 finished, 1 failed, 1 in flight; 14 notebooks, 9 of them …`."""
    kinds = Counter(one.kind for one in variants.values())
    counts = ", ".join(f"{kinds[kind]} {kind}" for kind in _ORDER[::-1] if kinds[kind])
    done = sum(work.kind == "finished" for work in state.work.values())
    return (
        f"{plural(len(variants), 'variant')}: {counts}; {done} of "
        f"{plural(len(state.work), 'notebook')} finished"
    )


def _row(name: str, variant: VariantState) -> list[str]:
    cells = [name, variant.kind, f"{variant.done}/{variant.of}"]
    if failure := variant.failure:
        return [*cells, failure.title, "", failure.why.splitlines()[0]]
    if work := variant.at:
        spent = duration(time.time() - work.began)
        return [*cells, work.title, spent, " ".join([work.worker, work.said]).strip()]
    return cells


class LiveTable:
    """Draws the table in place, on a terminal that somebody watches."""

    def __init__(self, out: TextIO | None = None):
        self.out = out or sys.stdout
        self._drawn, self._last = 0, 0.0

    def draw(self, state: SweepState, *, now: bool = False) -> None:
        """Draw it, unless it was drawn a moment ago."""
        if not now and time.monotonic() - self._last < _REDRAW_SECONDS:
            return
        self._last = time.monotonic()
        size = shutil.get_terminal_size()
        lines = list(table(state, most=max(1, size.lines - 4)))
        lines = [line[: size.columns - 1] for line in lines]
        up = f"\x1b[{self._drawn}A" * bool(self._drawn)
        self.out.write(up + "\x1b[J" + "".join(f"{line}\n" for line in lines))
        self.out.flush()
        self._drawn = len(lines)
