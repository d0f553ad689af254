"""Step 7: what base and the final adapter get right, family by family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phi_kit.core.number_format import (
    count,
    counts,
    label,
    percent,
    percent_with_span,
)

from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TITLE = "Where does the final adapter do better?"


@style.styled
def draw(scores: pd.DataFrame) -> Figure:
    """Accuracy of base and final per family, beside what guessing gives.

    Args:
        scores: columns `domain`, `family`, `n` items, `base`, `final`,
            `final_low`, `final_high`, `guess` (fractions; 95 % interval) and
            `verdict`.
    """
    if scores.empty:
        return style.empty_figure(TITLE, "No family was measured.")
    figure, (ax,) = style.new_figure(
        TITLE,
        "Filled: pass@1 of the final adapter on test items, with its 95 % interval "
        "over items; its colour is the verdict.\nHollow: base. Dotted: "
        f"{style.GUESS} per family. {counts(scores['n'])} items per family.",
        height=1.95 + 0.4 * len(scores),
    )
    names = [
        f"{label(row.domain)}  ·  {label(row.family)}" for row in scores.itertuples()
    ]
    style.rows_axis(ax, names)
    style.percent_axis(ax, "accuracy on test items")
    for y, row in enumerate(scores.itertuples()):
        style.guess_mark(ax, y, row.guess)
        style.whisker(
            ax, y, row.base, (None, None), colour=style.COLOURS["base"], hollow=True
        )
        whole = (row.final_low, row.final_high)
        style.whisker(ax, y, row.final, whole, colour=style.colour(row.verdict))
        words = f"{percent(row.base)} → {percent(row.final)}  n = {count(row.n)}"
        style.text_beside(ax, y, words, color=style.INK)
    style.say(figure, map(_said, scores.itertuples()), first="Test accuracy, pass@1:")
    return figure


def _said(row) -> str:
    final = percent_with_span(row.final, row.final_low, row.final_high)
    verdict = f": {row.verdict}" * bool(row.verdict)
    return (
        f"{row.domain}, {row.family} base {percent(row.base)}, final {final}, "
        f"n = {count(row.n)}{verdict}"
    )
