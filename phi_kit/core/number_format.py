"""Numbers as a reader sees them: percent, points, intervals, counts.

Fractions go in, text comes out; what was not measured is a dash. The figures
and the report share these, so a number reads alike wherever it stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from textwrap import shorten, wrap
from typing import Any

NOTHING = "–"


def known(value: Any) -> bool:
    """Whether a value is a number: neither `None` nor NaN nor infinite."""
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def percent(value: Any) -> str:
    """A fraction as percent: 0.41 is `41.0 %`."""
    return f"{100 * value:.1f}\u00a0%" if known(value) else NOTHING


def points(value: Any) -> str:
    """A difference of fractions in points: 0.123 is `+12.3`."""
    if not known(value):
        return NOTHING
    text = f"{100 * value:+.1f}"
    # A typographic minus lines up with the plus; "-0.0" is no direction.
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def percent_span(low: Any, high: Any) -> str:
    """An interval of a fraction: `35.2 to 46.9 %`."""
    if not (known(low) and known(high)):
        return NOTHING
    return f"{100 * low:.1f} to {100 * high:.1f}\u00a0%"


def points_span(low: Any, high: Any) -> str:
    """An interval of a difference: `+6.1 to +18.4`."""
    if not (known(low) and known(high)):
        return NOTHING
    return f"{points(low)} to {points(high)}"


def count(value: Any) -> str:
    """A whole number with thousands set apart: `3,000`."""
    return f"{round(value):,}" if known(value) else NOTHING


def counts(values: Iterable[Any]) -> str:
    """One n for several rows: `n = 40`, or `n = 30 to 40` where they differ."""
    found = [value for value in values if known(value)]
    if not found:
        return "n not given"
    low, high = min(found), max(found)
    return f"n = {count(low)}" + ("" if low == high else f" to {count(high)}")


def plural(number: int, noun: str) -> str:
    """A count and its noun: `1 seed`, `3,000 seeds`."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def label(name: Any, *, width: int = 26, lines: int = 2) -> str:
    """A name that fits beside an axis: wrapped, and cut after `lines` lines."""
    text = str(name).replace("_", " ")
    parts = wrap(text, width) or [""]
    if len(parts) > lines:
        rest = shorten(" ".join(parts[lines - 1 :]), width, placeholder=" …")
        # One word longer than a line: `shorten` would leave nothing of it.
        parts = [*parts[: lines - 1], rest if len(rest) > 2 else parts[lines - 1] + "…"]
    return "\n".join(parts)


def seconds(value: Any) -> str:
    """A duration as read: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    if not isinstance(value, int | float):
        return ""
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
