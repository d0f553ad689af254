"""Step 4: where the seeds below, in and above the band are after training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phi_kit.core.number_format import count, label

from . import palette, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Which seeds moved over the edge?"


@style.styled
def draw(table: pd.DataFrame) -> Figure:
    """Seeds by their place to the band after training, above what chance would do.

    Args:
        table: columns `before` and `after` (places), `taught` (trained on or not),
            `seeds`, and `by_chance`: as many as would have gone there had training
            changed nothing.
    """
    if table.empty or not table["seeds"].sum():
        return style.empty_figure(TITLE, "No seed was asked again.")
    started = table["before"].where(~table["taught"], table["before"] + ", taught")
    groups = list(dict.fromkeys(started))
    figure, (ax,) = style.new_figure(
        TITLE,
        f"n = {count(table['seeds'].sum())} seeds, asked again after training on the "
        "teachable ones. Full bar: where they are now.\nPale bar below it: where they "
        "would have been by chance, had nothing changed. Rows: their place to the band "
        "before.",
        height=2.1 + 0.6 * len(groups),
    )
    style.rows_axis(ax, [label(name, width=16) for name in groups])
    for y, name in enumerate(groups):
        mine = table[started == name]
        whole = max(mine["seeds"].sum(), 1)
        _bar(ax, y, mine, mine["seeds"] / whole, named=y == 0)
        _chance(ax, y, mine)
        style.text_beside(ax, y, f"n = {count(whole)}", color=style.INK)
    style.percent_axis(ax, "share of these seeds")
    figure.legend(loc="outside right upper", title="now", alignment="left")
    named = table.assign(started=started)
    style.say(figure, map(_said, named.itertuples()), first="Seeds before and now:")
    return figure


def _said(row) -> str:
    chance = f"{row.by_chance:.0f} by chance"
    return f"{row.started} to {row.after} {count(row.seeds)}, {chance}"


def _bar(
    ax: Axes, y: float, mine: pd.DataFrame, shares: pd.Series, *, named: bool
) -> None:
    left = 0.0
    rows = zip(mine["after"], mine["seeds"], shares, strict=True)
    for place, (after, seeds, share) in enumerate(rows):
        colour = style.colour(after, place)
        name = label(after, width=16) if named else None
        ax.barh(y - 0.1, share, 0.42, left, color=colour, label=name)
        if share > 0.04:
            middle = left + share / 2
            look = {"ha": "center", "va": "center", "color": palette.ON_COLOUR}
            ax.text(middle, y - 0.1, count(seeds), size=8.5, **look)
        left += share


def _chance(ax: Axes, y: float, mine: pd.DataFrame) -> None:
    left, whole = 0.0, max(mine["by_chance"].sum(), 1e-9)
    for place, (after, part) in enumerate(
        zip(mine["after"], mine["by_chance"] / whole, strict=True)
    ):
        colour = style.colour(after, place)
        ax.barh(y + 0.24, part, 0.14, left, color=colour, alpha=0.45)
        left += part
