"""Step 5: how many rewrites survived checking, and what the data set holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from phi_kit.core.number_format import count, label, percent

from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Which rewrites survive checking, and what is in the data set?"


@style.styled
def draw(transforms: pd.DataFrame, mix: Mapping[str, int]) -> Figure:
    """Share of verified rows per transform beside the mix of the data set.

    Args:
        transforms: columns `transform`, `tried`, `kept` (rows).
        mix: rows of the frozen data set by kind: organic, synthetic, self.
    """
    if transforms.empty and not sum(mix.values()):
        return style.empty_figure(
            TITLE, "Nothing was rewritten and the data set is empty."
        )
    figure, (left, right) = style.new_figure(
        TITLE,
        f"Left, dot: share kept, of n = {count(transforms['tried'].sum())} tried rows; "
        "line: 95 % interval (Wilson).\n"
        f"Right: n = {count(sum(mix.values()))} rows, counted, not estimated.",
        height=max(2.9, 1.9 + 0.44 * len(transforms)),
        panels=(1.5, 1),
    )
    _yields(left, transforms)
    _mix(right, mix)
    kept = (
        f"{row.transform} kept {count(row.kept)} of {count(row.tried)}"
        for row in transforms.itertuples()
    )
    rows = (f"{count(rows)} {kind} rows in the data set" for kind, rows in mix.items())
    style.say(figure, (*rows, *kept))
    return figure


def _yields(ax: Axes, transforms: pd.DataFrame) -> None:
    from phi_kit.stats.intervals import wilson_interval

    if transforms.empty:
        return style.write_message(ax, "No transform was run.")
    ax.set_title("kept after checking, per transform")
    style.rows_axis(ax, [label(name, width=20) for name in transforms["transform"]])
    style.percent_axis(ax, "share of tried rows that were kept")
    for y, row in enumerate(transforms.itertuples()):
        share = row.kept / row.tried if row.tried else None
        whole = wilson_interval(row.kept, row.tried) if row.tried else (None, None)
        style.whisker(ax, y, share, whole, colour=style.COLOURS["synthetic"])
        words = (
            f"{count(row.kept)} of {count(row.tried)}" if row.tried else "none tried"
        )
        style.text_beside(ax, y, words)
    return None


def _mix(ax: Axes, mix: Mapping[str, int]) -> None:
    whole = sum(mix.values())
    if not whole:
        return style.write_message(ax, "The data set is empty.")
    ax.set_title("rows in the data set, by kind")
    style.rows_axis(ax, [label(kind, width=14) for kind in mix])
    for y, (kind, rows) in enumerate(mix.items()):
        ax.barh(y, rows, height=0.5, color=style.colour(kind, y))
        style.text_beside(ax, y, f"{count(rows)}\n{percent(rows / whole)}")
    ax.set_xlim(0, max(mix.values()) * 1.02)
    ax.xaxis.get_major_locator().set_params(integer=True, nbins=4)
    ax.set_xlabel("rows")
    return None
