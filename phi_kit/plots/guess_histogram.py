"""A workshop's figure: what a room of people guessed, beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from phi_kit.core.number_format import (
    count,
    label,
    percent,
    percent_with_span,
    plural,
)

from . import palette, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from phi_kit.stats.intervals import Accuracy

TITLE = "What did the room guess?"
_BAR = 0.05  # kit default: as fine as people guess
_COLOUR = style.COLOURS["random"]


@style.styled
def draw(
    guesses: Sequence[float],
    found: Accuracy | None = None,
    *,
    about: str = "",
    late: int = 0,
    otherwise: int = 0,
) -> Figure:
    """How many people guessed what, with the measured interval behind it.

    Args:
        guesses: one a person, as fractions; also of a difference, from -1 to 1.
        found: what was measured; `None` if nothing is yet.
        about: what was guessed.
        late: people who had seen the result already, and are not among `guesses`.
        otherwise: people whose own result is another one than `found`.
    """
    shown = [guess for guess in guesses if -1 <= guess <= 1]
    left_out = {
        "guessed after the result": late,
        "guessed beyond ±100 %": len(guesses) - len(shown),
        "measured something else": otherwise,
    }
    but = "; ".join(f"{count(n)} {why}" for why, n in left_out.items() if n)
    if not shown:
        return style.empty_figure(TITLE, f"No guess that counts. {but}".strip())
    note = f"Bars: people, n = {count(len(guesses))}. {_interval(found)}"
    figure, (ax,) = style.new_figure(
        TITLE, f"{note}\nNot shown: {but}." if but else note, height=3.2
    )
    _bars(ax, shown, found)
    ax.set_xlabel(label(about, width=90))
    told = [*_said(guesses, found), *([but] if but else [])]
    style.say(figure, told, first=f"{about}:")
    return figure


def _bars(ax: Axes, shown: Sequence[float], found: Accuracy | None) -> None:
    low = -1 if min(shown) < 0 or (found and found.low < 0) else 0
    # A bar stands around a round number: those are what people guess.
    steps = range(round(low / _BAR), round(1 / _BAR) + 2)
    edges = [(step - 0.5) * _BAR for step in steps]
    ax.hist(shown, bins=edges, color=_COLOUR, rwidth=0.9)
    if found:
        ax.axvspan(found.low, found.high, color=palette.BAND, zorder=0)
        ax.axvline(found.accuracy, color=style.INK, lw=1.8)
    ax.set_xlim(edges[0], edges[-1])
    ax.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %".replace("-", "−"))
    ax.yaxis.get_major_locator().set_params(integer=True)
    ax.set_ylabel("people")
    ax.grid(axis="y")


def _interval(found: Accuracy | None) -> str:
    if found is None:
        return "Nothing is measured yet."
    return (
        "Line and band: measured, with its 95 % interval over "
        f"{plural(found.n, 'item')}."
    )


def _said(guesses: Sequence[float], found: Accuracy | None) -> list[str]:
    many = f"{count(len(guesses))} guessed, the middle one {percent(median(guesses))}"
    if found is None:
        return [many, "nothing is measured yet"]
    below = sum(guess < found.low for guess in guesses)
    above = sum(guess > found.high for guess in guesses)
    inside = len(guesses) - below - above
    right = percent_with_span(found.accuracy, found.low, found.high)
    return [
        many,
        f"measured {right}, n = {count(found.n)}",
        f"{count(inside)} inside the interval, {count(below)} below it and "
        f"{count(above)} above",
    ]
