"""Step 4: what each arm gained on held-out items, and how it learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from phi_kit.core.number_format import (
    count,
    counts,
    is_number,
    label,
    percent,
    percent_with_span,
    points,
    points_span,
    points_with_span,
)

from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Does training on teachable seeds beat random ones?"


@style.styled
def draw(arms: pd.DataFrame, losses: Mapping[str, Sequence[float]]) -> Figure:
    """Held-out accuracy per arm beside the learning curves.

    Args:
        arms: columns `arm`, `n` items, `accuracy`, `low`, `high` and the gain
            over base `delta`, `delta_low`, `delta_high` (fractions; NaN for
            base itself), and `guess`, what guessing gives on these items; perhaps
            `rows` and `passes` of a trained arm, and `examples` of a prompt.
        losses: the training loss of every step, by arm.
    """
    if arms.empty:
        return style.empty_figure(TITLE, "No arm was measured.")
    figure, (left, right) = style.new_figure(
        TITLE,
        "Left, dot: held-out accuracy; line: 95 % interval over items, "
        f"{counts(arms['n'])} items per arm; dashed: base; dotted:\n{style.GUESS} per "
        "family. Diamond: read leniently, the answer anywhere in the response. Beside "
        "it, the gain over\nbase in points, paired by item [95 % interval], and the "
        "share of answers cut off. Rows × passes over them.\nChoose by the left "
        "panel, never by loss.",
        height=max(3.7, 2.2 + 0.56 * len(arms)),
        panels=(1.25, 1),
    )
    colours = {arm: style.colour(arm, i) for i, arm in enumerate(arms["arm"])}
    _scores(left, arms, colours)
    _curves(right, losses, colours)
    style.say(figure, map(_said, arms.itertuples()), first="Held-out accuracy:")
    return figure


def _scores(ax: Axes, arms: pd.DataFrame, colours: Mapping[str, str]) -> None:
    style.rows_axis(ax, [_name(row) for row in arms.itertuples()])
    for y, row in enumerate(arms.itertuples()):
        whole = (row.low, row.high)
        style.whisker(ax, y, row.accuracy, whole, colour=colours[row.arm])
        if is_number(lenient := getattr(row, "lenient", None)):
            ax.plot([lenient], [y], "D", ms=5, mfc="none", mec=style.INK, mew=1)
        style.text_beside(ax, y, _gain(row), color=style.INK)
    ends = (*arms["low"], *arms["high"], *arms["guess"], *arms.get("lenient", ()))
    limits = [value for value in ends if is_number(value)]
    if limits:
        room = max(0.02, 0.08 * (max(limits) - min(limits)))
        ax.set_xlim(max(-0.01, min(limits) - room), min(1.01, max(limits) + room))
    base = arms.loc[arms["arm"] == "base", "accuracy"]
    if len(base) and is_number(base.iloc[0]):
        ax.axvline(base.iloc[0], color=style.COLOURS["base"], lw=1, ls=(0, (4, 3)))
    for guess in arms["guess"].dropna().unique()[:1]:
        ax.axvline(guess, **style.GUESS_LINE)
    ax.xaxis.set_major_locator(_few_ticks())
    ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %")
    ax.set_xlabel("held-out accuracy")


def _said(row) -> str:
    right = percent_with_span(row.accuracy, row.low, row.high)
    if not is_number(row.delta):
        return f"{row.arm} {right}, n = {count(row.n)}"
    gained = points_with_span(row.delta, row.delta_low, row.delta_high)
    return f"{row.arm} {right}, {gained} points over base, n = {count(row.n)}"


def _name(row) -> str:
    """An arm with its different rows and how often each was seen, or its examples."""
    name = label(row.arm, width=16)
    if is_number(passes := getattr(row, "passes", None)):
        return f"{name}\n{count(row.rows)} rows × {passes:.1f}"
    if is_number(examples := getattr(row, "examples", None)):
        return f"{name}\n{round(examples, 1):g} examples"
    return name


def _few_ticks():
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4, steps=[1, 2, 5, 10], min_n_ticks=1)


def _gain(row) -> str:
    first = percent(row.accuracy)
    if is_number(truncated := getattr(row, "truncated", None)):
        first += f", {100 * truncated:.0f}\u00a0% cut off"
    if not is_number(row.delta):
        return first
    span = points_span(row.delta_low, row.delta_high)
    return f"{first}\n{points(row.delta)} [{span}]"


def _curves(
    ax: Axes, losses: Mapping[str, Sequence[float]], colours: Mapping[str, str]
) -> None:
    import pandas as pd

    drawn = {arm: pd.Series(losses[arm], dtype=float) for arm in losses}
    drawn = {arm: curve for arm, curve in drawn.items() if curve.notna().any()}
    if not drawn:
        return style.write_message(ax, "No training loss was recorded.")
    for place, (arm, curve) in enumerate(drawn.items()):
        shade = colours.get(arm) or style.colour(arm, place)
        width = max(1, len(curve) // 12)
        smooth = curve.rolling(width, min_periods=1, center=True).mean()
        steps = curve.index + 1
        alone = "o" if len(curve) == 1 else None
        ax.plot(steps, curve, color=shade, lw=0.8, alpha=0.35)
        ax.plot(steps, smooth, color=shade, lw=2, marker=alone, label=label(arm))
    ax.set_ylim(bottom=0)
    ax.set_xlabel("training step")
    ax.set_ylabel("training loss (nats per token)")
    ax.xaxis.get_major_locator().set_params(nbins=5, integer=True, min_n_ticks=1)
    ax.grid(axis="y")
    ax.legend(loc="upper right")
    return None
