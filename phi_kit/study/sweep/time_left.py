"""How long a sweep will take yet, by what notebooks of the same kind took in it."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from phi_kit.core.number_format import duration, plural

from .sweep_state import SweepState, WorkState


class TimeLeft(NamedTuple):
    """What is known of the time that is left.

    Attributes:
        seconds: until the end, if as many notebooks run at once as do now.
        unknown: notebooks left of a kind that has not finished yet.
    """

    seconds: float
    unknown: int

    def __str__(self) -> str:
        if self.unknown and not self.seconds:
            return ""
        text = f"about {duration(self.seconds)} left"
        if self.unknown:
            others = plural(self.unknown, "notebook")
            text += f", and {others} of a kind that has not run yet"
        return text


class PaceSoFar:
    """Seconds that notebooks took: of one domain, else of a step in any domain."""

    def __init__(self, state: SweepState):
        took: dict[str, list[float]] = defaultdict(list)
        for work in state.work.values():
            if work.kind == "finished" and work.seconds:
                for kind in _kinds(work):
                    took[kind].append(work.seconds)
        self._means = {kind: sum(each) / len(each) for kind, each in took.items()}

    def expected(self, work: WorkState) -> float | None:
        """Seconds from its begin to its end; `None` if none of its kind has ended."""
        return next((self._means[k] for k in _kinds(work) if k in self._means), None)


def _kinds(work: WorkState) -> tuple[str, str]:
    """`03 filter_edge math` and `03 filter_edge`."""
    return work.title, " ".join(work.title.split()[:2])


def time_left(state: SweepState, *, now: float) -> TimeLeft:
    """What is left of a sweep.

    Args:
        state: of the sweep.
        now: seconds since 1970.
    """
    pace, seconds, unknown, at_once = PaceSoFar(state), 0.0, 0, 0
    for work in state.work.values():
        if work.kind not in ("waiting", "in flight"):
            continue
        running = work.kind == "in flight"
        at_once += running
        expected = pace.expected(work)
        if expected is None:
            unknown += 1
            continue
        seconds += max(expected - running * (now - work.began), 0.0)
    return TimeLeft(seconds / max(at_once, 1), unknown)
