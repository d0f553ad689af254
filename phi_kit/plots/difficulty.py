"""Step 1: base accuracy by difficulty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import style
from .words import count, counts, known, label, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Where does the base model stand?"
ROOM = (0.1, 0.75)  # the kit's own choice, as in step 3


@style.styled
def draw(scores: pd.DataFrame) -> Figure:
    """Base accuracy per family of items, easiest first, with intervals.

    Args:
        scores: columns `family`, `level` (1 the easiest), `n` items,
            `accuracy`, `low`, `high` (fractions; 95 % interval), `guess` (what the
            best constant answer of that family earns, or picking an option).
    """
    if scores.empty:
        return style.empty(TITLE, "No family of items was measured.")
    scores = scores.sort_values("level", kind="stable")
    figure, (ax,) = style.sheet(
        TITLE,
        "Dot: accuracy of the untrained model on held-out items. Line: 95 % interval "
        f"over items.\nDotted: what {style.GUESS} per family gives. "
        f"{counts(scores['n'])} items per family. The shaded range is the kit's own "
        "choice.",
        height=1.95 + 0.42 * len(scores),
    )
    style.rows_axis(ax, [_name(row) for row in scores.itertuples()])
    style.percent_axis(ax, "accuracy of the base model")
    _room_to_learn(ax)
    for y, row in enumerate(scores.itertuples()):
        whole = (row.low, row.high)
        style.whisker(ax, y, row.accuracy, whole, colour=style.COLOURS["base"])
        style.guess_mark(ax, y, row.guess)
        style.beside(ax, y, f"{percent(row.accuracy)}  n = {count(row.n)}")
    return figure


def _name(row) -> str:
    level = f"{row.level:g}" if known(row.level) else "?"
    return f"{label(row.family)}  ·  level {level}"


def _room_to_learn(ax: Axes) -> None:
    ax.axvspan(*ROOM, color=style.BAND, zorder=0)
    ax.set_title("")
    ax.text(
        sum(ROOM) / 2,
        1.015,
        "room to learn: 10 to 75 %",
        transform=ax.get_xaxis_transform(),
        ha="center",
        va="bottom",
        color="#8A5A00",
        fontsize=8.5,
    )
