"""Step 3: pass rates of the base model, coloured by tier."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

from phi_kit.core.number_format import (
    count,
    is_number,
    label,
    percent,
    percent_span,
    percent_with_span,
    plural,
)

from . import palette, style

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from phi_kit.stats.intervals import Accuracy

TITLE = "How often does the base model solve each seed?"
TIERS = ("teachable", "easy", "frontier", "suspect")
FINE = 20  # bars of a posterior mean, 5 points each
FINEST = 32  # bars; finer pass rates are gathered


@style.styled
def draw(
    rows: pd.DataFrame,
    band: tuple[float, float] | None = None,
    *,
    samples: int | None = None,
) -> Figure:
    """How many seeds have each possible pass rate, and which tier they are in.

    Args:
        rows: columns `pass_rate` (fraction) and `tier`, one row per seed. Where
            `expected` is there, the posterior mean that the tiers go by, it is shown
            in place of the raw rate. With `risk` (of another tier) a second panel
            shows each tier's mean rate, beside it the mean of `fresh_rate` where
            seeds were measured afresh.
        band: the study's pass rates to learn from, the lower end included; none is
            drawn without it.
        samples: samples drawn per seed; read off the pass rates if not given.
    """
    seen = rows.dropna(subset=["pass_rate"])
    if seen.empty:
        return style.empty_figure(TITLE, "No seed has a pass rate.")
    posterior = "expected" in seen
    rates = seen["expected"] if posterior else seen["pass_rate"]
    steps = FINE if posterior else samples or _steps(rates)
    note, second = _note(rows, seen, band, samples), "risk" in seen
    panels = (1.7, 1) if second else (1,)
    figure, axes = style.new_figure(TITLE, note, height=4.1, panels=panels)
    ax, *beside = axes
    tiers = [*TIERS, *sorted(set(seen["tier"].dropna()) - set(TIERS))]
    for panel in beside:
        _means(panel, seen, [tier for tier in tiers if (seen["tier"] == tier).any()])
        _band(panel, band)
    _band(ax, band, named=True)
    heights = _bars(ax, rates, seen["tier"], tiers, steps)
    _label(ax, heights)
    ax.set_ylim(0, max(heights) * 1.14)
    ax.set_ylabel("seeds")
    ax.grid(axis="y")
    ax.yaxis.get_major_locator().set_params(integer=True)
    style.percent_axis(
        ax,
        "expected pass rate (posterior mean)"
        if posterior
        else "pass rate: share of the base model's samples that are right",
    )
    ax.set_xlim(-0.62 / steps, 1 + 0.62 / steps)
    if not second:  # its rows name the colours as well
        figure.legend(loc="outside right upper", title="tier", alignment="left")
    parts = (_said(tier, seen[seen["tier"] == tier]) for tier in tiers)
    style.say(figure, filter(None, parts), first="Seeds and mean pass rate by tier:")
    return figure


def _label(ax: Axes, heights: np.ndarray) -> None:
    """How many seeds each bar has, above it."""
    steps = len(heights) - 1
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
                bbox={"fc": palette.PAPER, "ec": "none", "alpha": 0.75, "pad": 0.6},
            )


def _said(tier: str, mine: pd.DataFrame) -> str:
    """A tier's seeds and mean pass rate in words; nothing of an empty one."""
    if mine.empty:
        return ""
    mean = _mean(mine["pass_rate"])
    rate = percent_with_span(mean.accuracy, mean.low, mean.high)
    return f"{tier} n = {count(len(mine))}, {rate}"


def _steps(rates: pd.Series) -> int:
    """The number of samples that gives exactly these pass rates."""
    fractions = {Fraction(float(rate)).limit_denominator(64) for rate in rates}
    steps = lcm(*(fraction.denominator for fraction in fractions))
    if steps > FINEST:
        return 20
    return steps * -(-8 // steps)  # at least 8, or a bar at 0 fills the figure


def _note(
    rows: pd.DataFrame,
    seen: pd.DataFrame,
    band: tuple[float, float] | None,
    samples: int | None,
) -> str:
    text = f"n = {count(len(seen))} seeds."
    if band:
        text += " Shaded: the band, the study's own choice."
    if samples:
        from phi_kit.stats.intervals import wilson_interval

        half = samples // 2
        text += (
            f"\nOne seed's pass rate is rough: {half} right of {samples} has the 95 % "
            f"interval {percent_span(*wilson_interval(half, samples))}."
        )
    if "expected" in seen:
        text += (
            "\nLeft: what a seed's samples and its family let expect; a seed belongs "
            "to the tier where its\npass rate most likely lies, so a bar beside the "
            "band may hold seeds of the band."
        )
    if "risk" in seen:
        text += (
            "\nRight, dot: mean of the tier's pass rates; line: 95 % interval over "
            "seeds; square: the same\nseeds asked afresh. Risk: share of the tier "
            "expected to belong to another one."
        )
    if missing := len(rows) - len(seen):
        text += f"\n{plural(missing, 'seed')} without a pass rate not shown."
    return text


def _bars(
    ax: Axes, rates: pd.Series, tier_of: pd.Series, tiers: list[str], steps: int
) -> np.ndarray:
    import numpy as np

    places = (rates.clip(0, 1) * steps).round().astype(int)
    heights = np.zeros(steps + 1)
    for place, tier in enumerate(tiers):
        mine = np.bincount(places[tier_of == tier], minlength=steps + 1)
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


def _means(ax: Axes, seen: pd.DataFrame, tiers: list[str]) -> None:
    """Each tier's mean pass rate when it was chosen and, hollow, from fresh samples."""
    sizes = [plural(int((seen["tier"] == tier).sum()), "seed") for tier in tiers]
    names = [label(tier, width=12) for tier in tiers]
    pairs = zip(names, sizes, strict=True)
    style.rows_axis(ax, [f"{name}\n{size}" for name, size in pairs])
    style.percent_axis(ax, "mean pass rate")
    ax.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    for y, tier in enumerate(tiers):
        mine = seen[seen["tier"] == tier]
        fresh = mine["fresh_rate"].dropna() if "fresh_rate" in mine else ()
        colour = style.colour(tier, y)
        for rates, marker in ((mine["pass_rate"], "o"), (fresh, "s")):
            if not len(rates):
                continue
            mean = _mean(rates)
            place = y + (0 if marker == "o" else 0.26)
            style.whisker(
                ax,
                place,
                mean.accuracy,
                (mean.low, mean.high),
                colour=colour,
                marker=marker,
                hollow=marker == "s",
            )
        risk = mine["risk"].mean()
        text = f"risk\n{percent(risk)}" if is_number(risk) else ""
        style.text_beside(ax, y, text, color=style.INK)


def _mean(rates: pd.Series) -> Accuracy:
    from phi_kit.stats.intervals import accuracy

    return accuracy(list(rates), rng_seed=0)


def _band(ax: Axes, band: tuple[float, float] | None, *, named: bool = False) -> None:
    if not band:
        return
    ax.axvspan(*band, color=palette.BAND, zorder=0)
    for edge in band:
        ax.axvline(edge, color=palette.BAND_EDGE, lw=1, ls=(0, (4, 3)), zorder=1)
    if not named:
        return
    ax.text(
        sum(band) / 2,
        1.012,
        f"band {100 * band[0]:g} to {100 * band[1]:g} %",
        transform=ax.get_xaxis_transform(),
        ha="center",
        va="bottom",
        color=palette.BAND_INK,
        fontsize=8.5,
    )
