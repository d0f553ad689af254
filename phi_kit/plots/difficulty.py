"""Step 1: base accuracy by difficulty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phi_kit.core.number_format import (
    count,
    counts,
    is_number,
    label,
    percent,
    percent_with_span,
)

from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLE = "Where does the base model stand?"


@style.styled
def draw(scores: pd.DataFrame) -> Figure:
    """Base accuracy per family of items, easiest first, with intervals.

    Args:
        scores: columns `family`, `level` (1 the easiest), `n` items,
            `accuracy`, `low`, `high` (fractions; 95 % interval), `guess` (what the
            best constant answer of that family earns, or picking an option).
    """
    if scores.empty:
        return style.empty_figure(TITLE, "No family of items was measured.")
    scores = scores.sort_values("level", kind="stable")
    figure, (ax,) = style.new_figure(
        TITLE,
        "Dot: accuracy of the untrained model on held-out items. Line: 95 % interval "
        f"over items.\nDotted: what {style.GUESS} per family gives. "
        f"{counts(scores['n'])} items per family.",
        height=1.75 + 0.42 * len(scores),
    )
    style.rows_axis(ax, [_name(row) for row in scores.itertuples()])
    style.percent_axis(ax, "accuracy of the base model")
    for y, row in enumerate(scores.itertuples()):
        whole = (row.low, row.high)
        style.whisker(ax, y, row.accuracy, whole, colour=style.COLOURS["base"])
        style.guess_mark(ax, y, row.guess)
        style.text_beside(ax, y, f"{percent(row.accuracy)}  n = {count(row.n)}")
    style.say(figure, map(_said, scores.itertuples()), first="Base accuracy:")
    return figure


def _said(row) -> str:
    right = percent_with_span(row.accuracy, row.low, row.high)
    return (
        f"{row.family} {right}, n = {count(row.n)}, {style.GUESS} {percent(row.guess)}"
    )


def _name(row) -> str:
    level = f"{row.level:g}" if is_number(row.level) else "?"
    return f"{label(row.family)}  ·  level {level}"
