"""Step 6: what sums of two adapters foretell, beside the mixes that were trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phi_kit.core.number_format import (
    count,
    counts,
    is_number,
    label,
    percent,
    percent_with_span,
)

from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Do added-up adapters foretell a mix?"
_KINDS = {"sum": ("-", "o", 4), "trained": ("", "D", 8)}


@style.styled
def draw(mixes: pd.DataFrame, forecasts: pd.DataFrame) -> Figure:
    """Accuracy against the share of the first domain, a panel per measured domain.

    Args:
        mixes: one row per sum or trained mix and domain: `kind` (`sum`, `trained`),
            `share` of the first domain, `domain`, `n` items, `accuracy`, `low`,
            `high` (fractions).
        forecasts: one row per domain and the mean: `domain`, `rank_correlation`,
            `low`, `high`, `mixes`.
    """
    if mixes.empty:
        return style.empty_figure(TITLE, "No mix was asked.")
    domains = list(dict.fromkeys(mixes["domain"]))
    figure, panels = style.new_figure(
        TITLE,
        f"Line: adapters added up, untrained. Diamond: trained mix, with its 95 % "
        f"interval over items, {counts(mixes['n'])}.\n{_ranks(forecasts)}",
        height=3.9,
        panels=(1.0,) * len(domains),
    )
    for place, (ax, domain) in enumerate(zip(panels, domains, strict=True)):
        part = mixes[mixes["domain"] == domain]
        _panel(ax, part, colour=style.colour(domain, place))
        ax.set_title(label(f"measured on {domain}", width=34))
    panels[0].set_ylabel("dev accuracy")
    trained = mixes[mixes["kind"] == "trained"]
    style.say(figure, map(_said, trained.itertuples()), first=_ranks(forecasts))
    return figure


def _panel(ax: Axes, mixes: pd.DataFrame, *, colour: str) -> None:
    for kind, (line, marker, size) in _KINDS.items():
        part = mixes[mixes["kind"] == kind].sort_values("share")
        face = colour if kind == "sum" else style.INK
        for row in part.itertuples() if kind == "trained" else ():
            if is_number(row.low) and is_number(row.high):
                ax.plot([row.share] * 2, [row.low, row.high], color=face, lw=1.6)
        look = {"color": face, "marker": marker, "ms": size, "lw": 1.6}
        ax.plot(part["share"], part["accuracy"], linestyle=line, **look)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, min(1.02, max(0.1, 1.15 * max(mixes["high"].fillna(0)))))
    ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %")
    ax.yaxis.set_major_formatter(lambda y, _: f"{100 * y:.0f} %")
    ax.set_xlabel("share of the first domain")
    ax.grid(axis="y")


def _ranks(forecasts: pd.DataFrame) -> str:
    said = [
        f"{row.domain} {_signed(row.rank_correlation)} "
        f"[{_signed(row.low)} to {_signed(row.high)}]"
        for row in forecasts.itertuples()
    ]
    mixes = count(forecasts["mixes"].max()) if len(forecasts) else "0"
    return f"Rank correlation over {mixes} mixes: {', '.join(said)}."


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\u2212")


def _said(row) -> str:
    right = percent_with_span(row.accuracy, row.low, row.high)
    return f"{percent(row.share)} trained, on {row.domain} {right}, n = {count(row.n)}"
