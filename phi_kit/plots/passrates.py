"""Step 3: pass rates of the base model, coloured by tier."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

from . import style
from .words import count, percent_span, plural

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "How often does the base model solve each seed?"
TIERS = ("teachable", "easy", "frontier", "suspect")
FINEST = 32  # bars; finer pass rates are gathered


@style.styled
def draw(
    rows: pd.DataFrame,
    band: tuple[float, float] = (0.1, 0.75),
    *,
    samples: int | None = None,
) -> Figure:
    """How many seeds have each possible pass rate, and which tier they are in.

    Args:
        rows: columns `pass_rate` (fraction) and `tier`, one row per seed.
        band: pass rates counted as teachable, the lower end included.
        samples: samples drawn per seed; read off the pass rates if not given.
    """
    seen = rows.dropna(subset=["pass_rate"])
    if seen.empty:
        return style.empty(TITLE, "No seed has a pass rate.")
    steps = samples or _steps(seen["pass_rate"])
    figure, (ax,) = style.sheet(TITLE, _note(rows, seen, samples), height=4.1)
    tiers = [*TIERS, *sorted(set(seen["tier"].dropna()) - set(TIERS))]
    _band(ax, band)
    heights = _bars(ax, seen, tiers, steps)
    for x, height in enumerate(heights):
        if height:
            ax.annotate(
                count(height),
                (x / steps, height),
                (0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=8.5 if steps <= 16 else 6.5,
                color=style.QUIET,
                bbox={"fc": "white", "ec": "none", "alpha": 0.75, "pad": 0.6},
            )
    ax.set_ylim(0, max(heights) * 1.14)
    ax.set_ylabel("seeds")
    ax.grid(axis="y")
    ax.yaxis.get_major_locator().set_params(integer=True)
    style.percent_axis(
        ax, "pass rate: share of the base model's samples that are right"
    )
    ax.set_xlim(-0.62 / steps, 1 + 0.62 / steps)
    figure.legend(loc="outside right upper", title="tier", alignment="left")
    return figure


def _steps(rates: pd.Series) -> int:
    """The number of samples that gives exactly these pass rates."""
    fractions = {Fraction(float(rate)).limit_denominator(64) for rate in rates}
    steps = lcm(*(fraction.denominator for fraction in fractions))
    if steps > FINEST:
        return 20
    return steps * -(-8 // steps)  # at least 8, or a bar at 0 fills the figure


def _note(rows: pd.DataFrame, seen: pd.DataFrame, samples: int | None) -> str:
    text = f"n = {count(len(seen))} seeds. Shaded: the band, the kit's own choice."
    if samples:
        from phi_kit.metrics.intervals import wilson

        half = samples // 2
        text += (
            f"\nOne seed's pass rate is rough: {half} right of {samples} has the 95 % "
            f"interval {percent_span(*wilson(half, samples))}."
        )
    if missing := len(rows) - len(seen):
        text += f"\n{plural(missing, 'seed')} without a pass rate not shown."
    return text


def _bars(ax: Axes, seen: pd.DataFrame, tiers: list[str], steps: int) -> np.ndarray:
    import numpy as np

    places = (seen["pass_rate"].clip(0, 1) * steps).round().astype(int)
    heights = np.zeros(steps + 1)
    for place, tier in enumerate(tiers):
        mine = np.bincount(places[seen["tier"] == tier], minlength=steps + 1)
        if not mine.any():
            continue
        ax.bar(
            np.arange(steps + 1) / steps,
            mine,
            0.82 / steps,
            bottom=heights,
            color=style.colour(tier, place),
            label=f"{tier}  {count(mine.sum())}",
        )
        heights += mine
    return heights


def _band(ax: Axes, band: tuple[float, float]) -> None:
    ax.axvspan(*band, color=style.BAND, zorder=0)
    for edge in band:
        ax.axvline(edge, color="#C98A00", lw=1, ls=(0, (4, 3)), zorder=1)
    ax.text(
        sum(band) / 2,
        1.012,
        f"band {100 * band[0]:g} to {100 * band[1]:g} %",
        transform=ax.get_xaxis_transform(),
        ha="center",
        va="bottom",
        color="#8A5A00",
        fontsize=8.5,
    )
