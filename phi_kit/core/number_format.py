"""Numbers as a reader sees them: percent, points, intervals, counts, durations.

Fractions go in, text comes out; what was not measured is a dash. The figures
and the report share these, so a number reads alike wherever it stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from textwrap import shorten, wrap
from typing import Any

NOTHING = "–"


def is_number(value: Any) -> bool:
    """Whether a value is a number: neither `None` nor NaN nor infinite."""
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def percent(value: Any) -> str:
    """A fraction as percent: 0.41 is `41.0 %`."""
    return f"{100 * value:.1f}\u00a0%" if is_number(value) else NOTHING


def points(value: Any) -> str:
    """A difference of fractions in points: 0.123 is `+12.3`."""
    if not is_number(value):
        return NOTHING
    text = f"{100 * value:+.1f}"
    # A typographic minus lines up with the plus; "-0.0" is no direction.
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def percent_span(low: Any, high: Any) -> str:
    """An interval of a fraction: `35.2 to 46.9 %`."""
    if not (is_number(low) and is_number(high)):
        return NOTHING
    return f"{100 * low:.1f} to {100 * high:.1f}\u00a0%"


def points_span(low: Any, high: Any) -> str:
    """An interval of a difference: `+6.1 to +18.4`."""
    if not (is_number(low) and is_number(high)):
        return NOTHING
    return f"{points(low)} to {points(high)}"


def percent_with_span(value: Any, low: Any, high: Any) -> str:
    """A fraction and its interval: `41.0 % [35.2 to 46.9 %]`; without one, alone."""
    return _with_span(percent(value), percent_span(low, high))


def points_with_span(value: Any, low: Any, high: Any) -> str:
    """A difference and its interval: `+12.3 [+6.1 to +18.4]`; without one, alone."""
    return _with_span(points(value), points_span(low, high))


def _with_span(value: str, span: str) -> str:
    return value if span == NOTHING else f"{value} [{span}]"


def count(value: Any) -> str:
    """A whole number with thousands set apart: `3,000`."""
    return f"{round(value):,}" if is_number(value) else NOTHING


def counts(values: Iterable[Any]) -> str:
    """One n for several rows: `n = 40`, or `n = 30 to 40` where they differ."""
    numbers = [value for value in values if is_number(value)]
    if not numbers:
        return "n not given"
    low, high = min(numbers), max(numbers)
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


def duration(seconds: Any) -> str:
    """A duration in seconds as read: `0.4 s`, `8 s`, `3 min 20 s`, `2 h 5 min`.

    Anything but a number gives an empty text.
    """
    if not isinstance(seconds, int | float):
        return ""
    if 0 < seconds < 0.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def aligned_table(rows: Iterable[Sequence[str]], *, left: int = 1) -> Iterator[str]:
    """Rows as lines of text whose columns stand under each other.

    Args:
        rows: of cells; a row with fewer cells than others ends early.
        left: how many columns, from the first, are flush left; the others, which
            hold numbers, are flush right.
    """
    table = list(rows)
    columns = zip_longest(*table, fillvalue="")
    widths = [max(map(len, column)) for column in columns]
    for row in table:
        cells = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        yield "  ".join(cells).rstrip()
