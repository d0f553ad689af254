"""The claims page: every comparison of recipes, with what the next run may show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from phi_kit.core.number_format import (
    counts,
    label,
    points,
    points_span,
    points_with_span,
)
from phi_kit.stats.paired_tests import EQUAL

from . import palette, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from phi_kit.stats.recipe_gain import RecipeGain

TITLE = "Does the method hold?"
_COLOURS = {EQUAL: "#0072B2"}
_MARKERS = {EQUAL: "P"}

Row = tuple[str, "RecipeGain", str]  # name, gain, verdict


@style.styled
def draw(claims: Mapping[str, Sequence[Row]]) -> Figure:
    """Gains with intervals over items and training runs, claim by claim.

    Args:
        claims: by the claim's words, its comparisons.
    """
    claims = {words: rows for words, rows in claims.items() if rows}
    if not claims:
        return style.empty_figure(TITLE, "No variant has finished.")
    lines = sum(1 + len(rows) for rows in claims.values())
    figure, (ax,) = style.new_figure(
        TITLE,
        "Mark: difference in points, paired by item. Line: 95 % interval over items "
        f"and training runs, {_items(claims)}: what the next run\nwould show. Hollow: "
        "cannot tell. Verdicts are corrected in each claim (Holm). Right: difference "
        "[interval].",
        height=1.7 + 0.42 * lines,
    )
    names, places, y = [], [], 0
    for words, rows in claims.items():
        ax.text(0, y, words, transform=ax.get_yaxis_transform(), va="center", **_HEAD)
        for name, gain, verdict in rows:
            y += 1
            names.append(label(name, width=34))
            places.append(y)
            _row(ax, y, gain, verdict)
        y += 1
    style.rows_axis(ax, names)
    ax.set_yticks(places, names)
    ax.set_ylim(y - 0.4, -0.6)
    ax.axvline(0, color=style.INK, lw=1.1, zorder=1)
    gains = [gain for rows in claims.values() for _, gain, _ in rows]
    ends = [end for one in gains for end in (one.delta, one.low, one.high)]
    style.points_axis(ax, ends, "difference of accuracy (points)")
    style.say(
        figure,
        (_said(row) for rows in claims.values() for row in rows),
        first="Difference in points:",
    )
    return figure


def _items(claims: Mapping[str, Sequence[Row]]) -> str:
    return counts(gain.n for rows in claims.values() for _, gain, _ in rows)


_HEAD = {"fontsize": 9.5, "fontweight": "bold", "backgroundcolor": palette.PAPER}


def _row(ax: Axes, y: int, gain: RecipeGain, verdict: str) -> None:
    style.whisker(
        ax,
        y,
        gain.delta,
        (gain.low, gain.high),
        colour=_COLOURS.get(verdict, style.colour(verdict)),
        marker=_MARKERS.get(verdict, style.MARKERS.get(verdict, "o")),
        hollow=verdict == "cannot tell",
    )
    words = f"{points(gain.delta)} [{points_span(gain.low, gain.high)}]\n{verdict}"
    style.text_beside(ax, y, words, color=style.INK)


def _said(row: Row) -> str:
    name, gain, verdict = row
    gained = points_with_span(gain.delta, gain.low, gain.high)
    return f"{name} {gained}: {verdict}"
