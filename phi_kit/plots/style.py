"""One style for every figure: colours with a fixed meaning, honest intervals.

The palette is Okabe and Ito's (https://jfly.uni-koeln.de/color/), which
readers with any colour vision can tell apart; markers and words repeat what a
colour says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from phi_kit.core.number_format import is_number
from phi_kit.stats.comparison import NOT_CONSTANT

from .palette import INK, PAPER, QUIET, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Args = ParamSpec("Args")

COLOURS = {
    # arms
    "base": "#7A7A7A",
    "random": "#0072B2",
    "teachable": "#E69F00",
    "unfiltered": "#56B4E9",
    "few-shot base": "#4B4B4B",
    "own": "#009E73",
    "sometimes": "#8C6D31",
    "never": "#CC79A7",
    "gap": "#D55E00",
    # tiers of seeds; teachable is the same orange
    "easy": "#56B4E9",
    "frontier": "#CC79A7",
    "suspect": "#B8BCC2",
    "no response": "#D9DCE0",
    # places to the band, as the tiers that they were named after
    "below": "#CC79A7",
    "inside": "#E69F00",
    "above": "#56B4E9",
    # rows on their way through a step
    "read": "#7A7A7A",
    "dropped": "#D9A28A",
    "kept": "#009E73",
    # where a row of the data set comes from
    "organic": "#009E73",
    "synthetic": "#CC79A7",
    "self": "#0072B2",
    # verdicts
    "better": "#009E73",
    "worse": "#D55E00",
    "cannot tell": "#7A7A7A",
    NOT_CONSTANT: "#B58900",
}
MARKERS = {"better": "o", NOT_CONSTANT: "v", "worse": "s", "cannot tell": "D"}
GUESS = "one constant answer"  # what guessing gives, in notes and tables
GUESS_LINE: dict[str, Any] = {"color": INK, "lw": 1.8, "ls": (0, (1, 1)), "zorder": 3}
MOST_SAID = 16  # rows that an alternative text reads out
_SPARE = ("#CC79A7", "#009E73", "#56B4E9", "#D55E00", "#8C6D31")

_RC: dict[str, Any] = {
    "figure.dpi": 144,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "figure.constrained_layout.h_pad": 0.09,
    "figure.constrained_layout.w_pad": 0.09,
    "font.family": "DejaVu Sans",  # ships with matplotlib: alike on every machine
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": QUIET,
    "axes.labelsize": 9,
    "axes.titlesize": 9.5,
    "axes.titlecolor": QUIET,
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "xtick.color": RULE,
    "xtick.labelcolor": QUIET,
    "xtick.labelsize": 9,
    "ytick.color": RULE,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 9.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    # A name may hold a dollar sign; it is not mathematics.
    "text.parse_math": False,
}


def styled(draw: Callable[Args, Figure]) -> Callable[Args, Figure]:
    """Draw in the kit's style whatever the notebook's own settings are."""

    @wraps(draw)
    def inside(*args: Args.args, **kwargs: Args.kwargs) -> Figure:
        from matplotlib import style

        with style.context(_RC, after_reset=True):
            figure = draw(*args, **kwargs)
            # Ticks take their style when first drawn: do that in here.
            figure.draw_without_rendering()
        return figure

    return inside


def new_figure(
    title: str, note: str, *, height: float, panels: tuple[float, ...] = (1.0,)
) -> tuple[Figure, list[Axes]]:
    """A figure with its question on top and its fine print below.

    Args:
        title: the question the figure answers.
        note: what the marks mean: n, the kind of interval.
        height: in inches; the width is 8.
        panels: the panels' relative widths, left to right.
    """
    from .figure import NotebookFigure

    figure = NotebookFigure(figsize=(8, height), layout="constrained")
    figure.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold")
    figure.supxlabel(note, x=0.012, ha="left", fontsize=8.5, color=QUIET)
    grid = figure.add_gridspec(1, len(panels), width_ratios=panels)
    return figure, [figure.add_subplot(cell) for cell in grid]


def say(figure: Figure, rows: Iterable[str], *, first: str = "") -> None:
    """Put into words what a figure shows, for its alternative text.

    Args:
        figure: of `new_figure`.
        rows: one part per row, with the numbers of its table.
        first: a sentence before them.
    """
    parts = list(rows)
    if len(parts) > MOST_SAID:
        more = len(parts) - MOST_SAID
        parts = [*parts[:MOST_SAID], f"and {more} more in the table"]
    listed = "; ".join(parts)
    figure.finding = f"{first} {listed}{'.' * bool(listed)}".strip()


def empty_figure(title: str, reason: str) -> Figure:
    """A figure that says why there is nothing to show."""
    figure, (ax,) = new_figure(title, "", height=2.2)
    write_message(ax, reason)
    say(figure, (), first=reason)
    return figure


def write_message(ax: Axes, text: str) -> None:
    """A panel with one sentence in place of data."""
    ax.axis("off")
    ax.text(0.5, 0.5, text, ha="center", va="center", color=QUIET, wrap=True)


def colour(name: str, place: int = 0) -> str:
    """The colour a name always has; unknown names take spare ones in order."""
    return COLOURS.get(name, _SPARE[place % len(_SPARE)])


def rows_axis(ax: Axes, names: list[str]) -> None:
    """Names down the left side, the first on top, with room for each."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")


def percent_axis(ax: Axes, text: str) -> None:
    """The x axis from 0 to 100 %, over fractions."""
    ax.set_xlim(-0.02, 1.02)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    ax.set_xlabel(text)


def point_ticks(x: float, _: int = 0) -> str:
    """A tick of an axis of differences, in points."""
    text = f"{100 * x:+.3g}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def points_axis(ax: Axes, ends: Iterable[Any], label: str) -> None:
    """An x axis of differences in points that shows zero and every known end.

    Args:
        ax: the axes.
        ends: differences and the ends of their intervals; what is no number is skipped.
        label: the axis's.
    """
    known = [value for value in ends if is_number(value)]
    low, high = min([-0.02, *known]), max([0.02, *known])
    room = 0.06 * (high - low)
    ax.set_xlim(low - room, high + room)
    ax.xaxis.get_major_locator().set_params(nbins=7)
    ax.xaxis.set_major_formatter(point_ticks)
    ax.set_xlabel(label)


def whisker(
    ax: Axes,
    y: float,
    value: Any,
    interval: tuple[Any, Any],
    *,
    colour: str,
    marker: str = "o",
    hollow: bool = False,
) -> None:
    """One measured value with its interval; what is unknown is left out."""
    low, high = interval
    if is_number(low) and is_number(high):
        ax.plot([low, high], [y, y], color=colour, lw=2.2, solid_capstyle="butt")
        ax.plot([low, high], [y, y], "|", color=colour, ms=9, mew=1.6)
    if is_number(value):
        face = PAPER if hollow else colour
        ax.plot([value], [y], marker, ms=8, mfc=face, mec=colour, mew=1.8, zorder=4)


def guess_mark(ax: Axes, y: float, value: Any) -> None:
    """What guessing gives in one row: a dotted line across it."""
    if is_number(value):
        ax.plot([value, value], [y - 0.38, y + 0.38], **GUESS_LINE)


def text_beside(ax: Axes, y: float, text: str, **look: Any) -> None:
    """Words to the right of a row, outside the axes."""
    ax.text(
        1.02,
        y,
        text,
        transform=ax.get_yaxis_transform(),
        va="center",
        **{"color": QUIET, "fontsize": 8.5, **look},
    )
