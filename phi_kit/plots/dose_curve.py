"""Step 4: what more rows bring, and whether the gain tapers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phi_kit.core.number_format import (
    count,
    counts,
    is_number,
    percent,
    percent_with_span,
    points,
    points_span,
)

from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLE = "Would more rows help?"
SAID = {
    "tapers": "The last increase gave less than the one before: the gain tapers.",
    "steepens": "The last increase gave more than the one before.",
    "cannot tell": "This run cannot tell whether the gain tapers.",
}


@style.styled
def draw(doses: pd.DataFrame, verdict: str, *, base: Any = None) -> Figure:
    """Held-out accuracy against the number of rows, on a logarithmic axis.

    Args:
        doses: one row per dose: `arm`, `share` of its rows, `rows`, `n` items,
            `accuracy`, `low`, `high` (fractions) and the gain over base `delta`,
            `delta_low`, `delta_high`.
        verdict: `tapers`, `steepens` or `cannot tell`.
        base: the untrained model's accuracy, drawn as a dashed line.
    """
    if doses.empty:
        return style.empty_figure(TITLE, "No dose was measured.")
    figure, (ax,) = style.new_figure(
        TITLE,
        f"Dot: held-out accuracy; line: 95 % interval, {counts(doses['n'])} items "
        f"per dose; dashed: base.\n{SAID.get(verdict, SAID['cannot tell'])}",
        height=3.9,
    )
    colour = style.colour(str(doses["arm"].iloc[0]))
    ax.plot(doses["rows"], doses["accuracy"], color=colour, lw=1, alpha=0.5)
    for row in doses.itertuples():
        if is_number(row.low) and is_number(row.high):
            ax.plot([row.rows] * 2, [row.low, row.high], color=colour, lw=2.2)
        ax.plot([row.rows], [row.accuracy], "o", ms=8, color=colour, zorder=4)
        words = f"{percent(row.accuracy)}\n{points(row.delta)} "
        words += f"[{points_span(row.delta_low, row.delta_high)}]"
        ax.annotate(
            words,
            (row.rows, row.high if is_number(row.high) else row.accuracy),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
        )
    if is_number(base):
        ax.axhline(base, color=style.COLOURS["base"], lw=1, ls=(0, (4, 3)))
    _axes(ax, doses)
    style.say(
        figure, map(_said, doses.itertuples()), first=SAID.get(verdict, "Accuracy:")
    )
    return figure


def _said(row) -> str:
    right = percent_with_span(row.accuracy, row.low, row.high)
    return f"{count(row.rows)} rows {right}, n = {count(row.n)}"


def _axes(ax, doses: pd.DataFrame) -> None:
    from matplotlib.ticker import NullFormatter, NullLocator

    ax.set_xscale("log", base=2)
    names = zip(doses["share"], doses["rows"], strict=True)
    ticks = [f"{100 * share:.0f} %\n{rows} rows" for share, rows in names]
    ax.set_xticks(list(doses["rows"]), ticks)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(x=0.2)
    ax.set_ylim(0, min(1.3, max(0.1, 1.35 * max(doses["high"].fillna(0)))))
    ax.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f} %" if y <= 1 else "")
    ax.set_ylabel("held-out accuracy")
    ax.grid(axis="y")
