"""Step 5: how made rows differ from the seeds that they were made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phi_kit.core.number_format import count, is_number, label, percent

from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "How far are the made rows from their seeds?"


@style.styled
def draw(balance: pd.DataFrame) -> Figure:
    """Likelihood, length, n-grams and answers of each part of the mix.

    Args:
        balance: as `synthesis.mix_balance.balance_table` has it.
    """
    if balance.empty:
        return style.empty_figure(TITLE, "The data set is empty.")
    figure, axes = style.new_figure(
        TITLE,
        "Left two: median (ring), middle half (thick) and 5 to 95 % (thin) of the "
        "rows; log-probability of a token of the response,\nunder the student before "
        "training. 3-grams: three words in a row of the questions; distinct at equally "
        "many rows.\nAll is counted, nothing estimated.",
        height=2.5 + 0.44 * len(balance),
        panels=(1.15, 1, 1, 1),
    )
    parts = list(balance.itertuples())
    spread, length, grams, answers = axes
    names = [f"{label(one.part, width=14)}\nn = {count(one.n)}" for one in parts]
    for place, ax in enumerate(axes):
        style.rows_axis(ax, names if not place else [""] * len(parts))
    _spans(spread, parts, "logprob")
    spread.set_title("log-probability")
    spread.set_xlabel("natural logarithm")
    _spans(length, parts, "words")
    length.set_title("words of a response")
    length.set_xlim(left=0)
    length.set_xlabel("words")
    _shares(grams, parts, {"distinct": "distinct", "new": "not in a seed"})
    grams.set_title("3-grams")
    _shares(answers, parts, {"top_share": "the commonest", "known": "a seed has too"})
    answers.set_title("answers")
    style.say(figure, map(_said, parts), first="Medians and shares by maker:")
    return figure


def _spans(ax: Axes, parts: list, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    told = False
    for y, one in enumerate(parts):
        low, first, middle, third, high = (
            getattr(one, f"{name}_{key}") for key in ("p5", "p25", "p50", "p75", "p95")
        )
        if not is_number(middle):
            continue
        told, colour = True, style.colour(one.kind, y)
        ax.plot([low, high], [y, y], color=colour, lw=1.4, solid_capstyle="butt")
        ax.plot([first, third], [y, y], color=colour, lw=6, solid_capstyle="butt")
        ax.plot([middle], [y], "o", ms=6.5, mfc=style.PAPER, mec=colour, mew=1.8)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    if not told:
        ax.text(0.5, 0.5, "not scored", transform=ax.transAxes, ha="center")


def _shares(ax: Axes, parts: list, columns: dict[str, str]) -> None:
    """Two shares of each part: the first filled, the second hollow."""
    for hollow, (name, words) in enumerate(columns.items()):
        for y, one in enumerate(parts):
            value = getattr(one, name)
            if is_number(value):
                colour = style.colour(one.kind, y)
                face = style.PAPER if hollow else colour
                shift = 0.14 if hollow else -0.14
                marker = "D" if hollow else "o"
                ax.plot([value], [y + shift], marker, ms=6.5, mfc=face, mec=colour)
        ax.plot([], [], "D" if hollow else "o", color=style.INK, label=words)
        if hollow:
            ax.lines[-1].set_markerfacecolor(style.PAPER)
    ax.set_xlim(-0.05, 1.05)
    ax.set_xticks([0, 0.5, 1], ["0", "50", "100 %"])
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), handletextpad=0.1)


def _said(one) -> str:
    score = one.logprob_p50
    likely = f"log-probability {score:.2f}" if is_number(score) else "not scored"
    return (
        f"{one.part} {likely}, {one.words_p50:.0f} words, {percent(one.new)} of its "
        f"3-grams in no seed, commonest answer {percent(one.top_share)}, n = "
        f"{count(one.n)}"
    )
