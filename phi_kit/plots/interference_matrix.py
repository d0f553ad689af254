"""Step 6: what each adapter gained or lost in each domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phi_kit.core.number_format import (
    count,
    is_number,
    label,
    percent,
    percent_span,
    percent_with_span,
    points,
    points_span,
    points_with_span,
)
from phi_kit.stats.comparison import NOT_CONSTANT

from . import palette, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Do the domains help or hurt each other?"


@style.styled
def draw(cells: pd.DataFrame) -> Figure:
    """Gain over base, adapters down, domains across; every cell with its interval.

    Args:
        cells: columns `adapter`, `domain`, `n` items, `accuracy`, `low`, `high`
            and the gain over base `delta`, `delta_low`, `delta_high` (fractions;
            NaN for base itself), `verdict`. What guessing gives is an adapter, too.
    """
    if cells.empty:
        return style.empty_figure(TITLE, "No adapter was measured.")
    adapters = list(dict.fromkeys(cells["adapter"]))
    domains = list(dict.fromkeys(cells["domain"]))
    figure, (ax,) = style.new_figure(
        TITLE,
        "Cell: gain over base in points (bold where its 95 % interval leaves out 0), "
        "below it that interval;\nthen accuracy and n items. Paired by item; for base, "
        f"the interval of its accuracy. †: {NOT_CONSTANT}.",
        height=1.7 + 0.82 * len(adapters),
    )
    scale = _scale(cells)
    for row in cells.itertuples():
        place = (domains.index(row.domain), adapters.index(row.adapter))
        _cell(ax, place, row, scale)
    asked = set(zip(cells["adapter"], cells["domain"], strict=True))
    for y, adapter in enumerate(adapters):
        for x, domain in enumerate(domains):
            if (adapter, domain) not in asked:
                _empty_cell(ax, x, y)
    _frame(ax, adapters, domains)
    _colour_bar(figure, ax, scale)
    style.say(figure, map(_said, cells.itertuples()), first="Gain over base in points:")
    return figure


def _said(row) -> str:
    place = f"{row.adapter} on {row.domain}"
    if not is_number(row.delta):
        right = percent_with_span(row.accuracy, row.low, row.high)
        return f"{place} {right} right, n = {count(row.n)}"
    gained = points_with_span(row.delta, row.delta_low, row.delta_high)
    return f"{place} {gained}, {percent(row.accuracy)} right, n = {count(row.n)}"


def _scale(cells: pd.DataFrame):
    """Colours from worse to better, symmetric about no change."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    # At least 5 points to either side: noise must not look like a finding.
    most = max([0.05, *(abs(delta) for delta in cells["delta"] if is_number(delta))])
    # The verdicts' colours, lightened: dark words stay readable on every cell.
    ends = ["#E8874A", "#F7F7F5", "#45B896"]
    shades = LinearSegmentedColormap.from_list("worse to better", ends)
    return ScalarMappable(Normalize(-most, most), shades)


def _cell(ax: Axes, place: tuple[int, int], row, scale) -> None:
    from matplotlib.patches import Rectangle

    x, y = place
    gained = is_number(row.delta)
    shade = scale.to_rgba(row.delta) if gained else "#ECEDEF"
    ax.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fc=shade, ec=palette.PAPER, lw=3))
    sure = (
        gained
        and is_number(row.delta_low)
        and (row.delta_low > 0 or row.delta_high < 0)
    )
    head = points(row.delta) if gained else percent(row.accuracy)
    head += " †" if row.verdict == NOT_CONSTANT else ""
    if gained:
        span = points_span(row.delta_low, row.delta_high)
        foot = f"{span}\n{percent(row.accuracy)}, n = {count(row.n)}"
    else:
        foot = f"{percent_span(row.low, row.high)}\nn = {count(row.n)}"
    look = {"ha": "center", "va": "center", "color": palette.ON_COLOUR}
    ax.text(x, y - 0.2, head, size=13, weight="bold" if sure else "normal", **look)
    ax.text(x, y + 0.18, foot, size=8, **look)


def _empty_cell(ax: Axes, x: int, y: int) -> None:
    look = {"ha": "center", "va": "center", "color": style.QUIET}
    ax.text(x, y, "not asked", size=8, **look)


def _frame(ax: Axes, adapters: list[str], domains: list[str]) -> None:
    ax.set_xlim(-0.5, len(domains) - 0.5)
    ax.set_ylim(len(adapters) - 0.5, -0.5)
    width = max(10, 60 // len(domains))
    ax.set_xticks(range(len(domains)), [label(name, width=width) for name in domains])
    ax.set_yticks(range(len(adapters)), [label(name, width=20) for name in adapters])
    ax.tick_params(length=0, labelcolor=style.INK)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("measured on held-out items of")
    ax.set_ylabel("trained on")
    ax.spines[:].set_visible(False)


def _colour_bar(figure: Figure, ax: Axes, scale) -> None:
    bar = figure.colorbar(scale, ax=ax, fraction=0.03, pad=0.02, aspect=24)
    bar.ax.yaxis.set_major_locator(_five_ticks())
    bar.ax.yaxis.set_major_formatter(style.point_ticks)
    bar.set_label("gain over base (points)")
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, labelcolor=style.QUIET)


def _five_ticks():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5, symmetric=True)
