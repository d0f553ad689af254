"""Step 7: what the final adapter gained on every benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phi_kit.core.number_format import (
    count,
    label,
    percent,
    points,
    points_span,
    points_with_span,
)

from . import palette, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "What did the final adapter gain over base?"


@style.styled
def draw(scores: pd.DataFrame) -> Figure:
    """Gains with their intervals, coloured and marked by verdict.

    Args:
        scores: columns `domain`, `metric` (`pass@1`, `maj@4`), `n` items,
            `base`, `final`, `guess`, `delta`, `low`, `high` (fractions) and
            `verdict` (`better`, `worse`, `cannot tell`, or better than base only).
    """
    if scores.empty:
        return style.empty_figure(TITLE, "No benchmark was run.")
    figure, (ax,) = style.new_figure(
        TITLE,
        "Mark: gain in points, paired by item. Line: 95 % interval over items. A line "
        f"across 0 cannot tell. Dotted: {style.GUESS}\nper family in place of the "
        "model. Right: gain [interval]; accuracy of base → final; n held-out items.",
        height=1.95 + 0.56 * len(scores),
    )
    names = [f"{label(row.domain)}  ·  {row.metric}" for row in scores.itertuples()]
    style.rows_axis(ax, names)
    ax.axvline(0, color=style.INK, lw=1.1)
    for y, row in enumerate(scores.itertuples()):
        shade = style.colour(row.verdict)
        style.whisker(
            ax,
            y,
            row.delta,
            (row.low, row.high),
            colour=shade,
            marker=style.MARKERS.get(row.verdict, "o"),
            hollow=row.verdict == "cannot tell",
        )
        style.guess_mark(ax, y, row.guess - row.base)
        style.text_beside(ax, y, _words(row), color=style.INK)
    columns = (scores["low"], scores["high"], scores["guess"] - scores["base"])
    ends = [end for column in columns for end in column]
    style.points_axis(ax, ends, "gain over base (points of accuracy)")
    _legend(ax, set(scores["verdict"]))
    style.say(figure, map(_said, scores.itertuples()), first="Gain in points:")
    return figure


def _said(row) -> str:
    gained = points_with_span(row.delta, row.low, row.high)
    change = f"{percent(row.base)} to {percent(row.final)}"
    verdict = f": {row.verdict}" * bool(row.verdict)
    return f"{row.domain}, {row.metric} {gained}, {change}, n = {count(row.n)}{verdict}"


def _words(row) -> str:
    gained = f"{points(row.delta)} [{points_span(row.low, row.high)}]"
    return f"{gained}\n{percent(row.base)} → {percent(row.final)}, n = {count(row.n)}"


def _legend(ax: Axes, verdicts: set[str]) -> None:
    for verdict, marker in style.MARKERS.items():
        if verdict in verdicts:
            shade = style.COLOURS[verdict]
            face = palette.PAPER if verdict == "cannot tell" else shade
            look = {"mfc": face, "mec": shade, "mew": 1.8, "ms": 7}
            ax.plot([], [], marker, color=shade, label=verdict, **look)
    place = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1.0)}
    if verdicts & set(style.MARKERS):
        ax.legend(ncols=2, borderpad=0, handletextpad=0.2, **place)
