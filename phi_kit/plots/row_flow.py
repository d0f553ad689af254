"""Step 2: what became of every row that was read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from phi_kit.core.number_format import count, label, percent

from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Which rows were kept, and why not the others?"
MOST = 10  # reasons with a bar of their own


@style.styled
def draw(flow: Mapping[str, Any], title: str = TITLE) -> Figure:
    """Rows read, dropped by reason, kept: one bar each, adding up.

    Args:
        flow: `read` and `kept` (counts), `dropped` (count by reason) and `unread`
            (rows that a limit left in their source), as a manifest keeps them.
        title: the figure's question.
    """
    read, kept = flow.get("read") or 0, flow.get("kept") or 0
    unread = flow.get("unread") or 0
    if not read:
        return style.empty_figure(title, "No row was read.")
    dropped = _largest(flow.get("dropped") or {})
    lost = read - kept - sum(dropped.values())
    note = f"Every row is counted once: n = {count(read)} rows. Counts, not estimates."
    if lost:
        note += f"\n{count(abs(lost))} rows do not add up: a fault of the step."
    if unread:
        note += f"\nA limit left {count(unread)} of {count(read + unread)} rows unread."
    figure, (ax,) = style.new_figure(
        title, note, height=1.65 + 0.4 * (len(dropped) + 2)
    )
    style.rows_axis(ax, ["read", *map(label, dropped), "kept"])
    ax.get_yticklabels()[0].set_fontweight("bold")
    ax.get_yticklabels()[-1].set_fontweight("bold")
    _bar(ax, 0, (0, read), kind="read", read=read)
    left = read
    for y, number in enumerate(dropped.values(), 1):
        left -= number
        _bar(ax, y, (left, number), kind="dropped", read=read)
    _bar(ax, len(dropped) + 1, (0, kept), kind="kept", read=read)
    ax.set_xlim(0, read * 1.01)
    ax.set_xlabel("rows")
    _whole_ticks(ax)
    reasons = (f"{count(number)} dropped: {why}" for why, number in dropped.items())
    kept_of = f"{count(kept)} of {count(read)} rows kept ({percent(kept / read)})."
    style.say(figure, reasons, first=kept_of)
    return figure


def _largest(dropped: Mapping[str, int]) -> dict[str, int]:
    ordered = sorted(dropped.items(), key=lambda item: -item[1])
    if len(ordered) <= MOST:
        return dict(ordered)
    head, tail = ordered[: MOST - 1], ordered[MOST - 1 :]
    return {**dict(head), f"{len(tail)} more reasons": sum(n for _, n in tail)}


def _bar(ax: Axes, y: int, place: tuple[int, int], *, kind: str, read: int) -> None:
    start, number = place
    ax.barh(y, number, left=start, height=0.62, color=style.COLOURS[kind])
    sign = "−" if kind == "dropped" else ""
    words = f"{sign}{count(number)}"
    look = {} if kind == "dropped" else {"color": style.INK, "fontweight": "bold"}
    style.text_beside(ax, y, f"{words}  ({percent(number / read)})", **look)


def _whole_ticks(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: count(x)))
