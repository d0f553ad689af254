"""A training run while it goes on: loss, held-out accuracy, speed and memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from phi_kit.core.number_format import count, counts, is_number, label
from phi_kit.core.progress import in_notebook

from . import style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "How does the training go?"
EVERY_SECONDS = 2.0
# Columns of the table, with the words of their axes.
PANELS = {
    "loss": "training loss (nats per token)",
    "heldout_accuracy": "held-out accuracy",
    "learning_rate": "learning rate",
    "tokens_per_second": "tokens per second",
    "memory_mb": "memory (GB)",
}


@style.styled
def draw(history: pd.DataFrame) -> Figure:
    """One small panel for each thing that is measured.

    Args:
        history: one row per optimiser step: `run`, `step` and the columns of
            `PANELS`; those that are missing or empty are left out.
    """
    from .figure import NotebookFigure

    shown = [name for name in PANELS if _measured(history, name)]
    if not shown:
        return style.empty_figure(TITLE, "No step has been trained yet.")
    rows = -(-len(shown) // 3)
    figure = NotebookFigure(figsize=(8, 1.2 + 1.9 * rows), layout="constrained")
    figure.suptitle(TITLE, x=0.012, ha="left", fontsize=13, fontweight="bold")
    steps = history.groupby("run", sort=False).step.max()
    figure.supxlabel(
        f"Steps done: {counts(steps)}. A falling loss alone says nothing about "
        "held-out items.",
        x=0.012,
        ha="left",
        fontsize=8.5,
        color=style.QUIET,
    )
    grid = figure.add_gridspec(rows, min(3, len(shown)))
    for place, name in enumerate(shown):
        ax = figure.add_subplot(grid[divmod(place, 3)])
        _panel(ax, history, name)
        if place == 0 and len(steps) > 1:
            ax.legend(loc="upper right", fontsize=7.5)
    runs = history.groupby("run", sort=False)
    style.say(figure, (_said(run, rows) for run, rows in runs))
    return figure


def _said(run: object, rows: pd.DataFrame) -> str:
    """How far a run is, and its first and last loss."""
    words = f"{run} {count(rows.step.max())} steps"
    losses = [x for x in rows.get("loss", ()) if is_number(x)]
    return f"{words}, loss {losses[0]:.2f} to {losses[-1]:.2f}" if losses else words


def _measured(history: pd.DataFrame, name: str) -> bool:
    return name in history and history[name].map(is_number).any()


def _panel(ax: Axes, history: pd.DataFrame, name: str) -> None:
    for place, (run, rows) in enumerate(history.groupby("run", sort=False)):
        rows = rows[rows[name].map(is_number)]
        values = rows[name] / (1000 if name == "memory_mb" else 1)
        few = "o" if len(rows) < 4 or name == "heldout_accuracy" else None
        colour = style.colour(str(run), place)
        ax.plot(rows.step, values, color=colour, marker=few, ms=4, label=label(run))
    ax.set_title(PANELS[name])
    ax.tick_params(labelsize=7.5)
    ax.xaxis.get_major_locator().set_params(nbins=4, integer=True, min_n_ticks=1)
    ax.grid(axis="y")
    if name != "learning_rate":
        ax.set_ylim(bottom=0)
    else:
        ax.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))


class LiveCurves:
    """Collects what runs report; a notebook that is run by hand sees it grow.

    A `with` block around the runs; at its end the view is complete.
    """

    def __init__(self) -> None:
        self.rows: dict[str, dict[int, Mapping[str, Any]]] = {}
        self.drawn, self.handle = 0.0, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.rows:
            self.show()

    def table(self) -> pd.DataFrame:
        """Everything so far, one row per step and run."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"run": run, **row}
                for run, rows in self.rows.items()
                for row in rows.values()
            ]
        )

    def watch(self, run: str) -> Callable[[Mapping[str, Any]], None]:
        """What a training run called `run` tells each step's row to."""

        def told(row: Mapping[str, Any]) -> None:
            self.rows.setdefault(run, {})[row["step"]] = row
            if time.monotonic() - self.drawn >= EVERY_SECONDS:
                self.show()

        return told

    def show(self) -> None:
        """Draw into the cell that is running; headless, nothing."""
        if not in_notebook():
            return
        from IPython.display import display

        self.drawn = time.monotonic()
        figure = draw(self.table())
        if self.handle is None:
            self.handle = display(figure, display_id=True)
        else:
            self.handle.update(figure)
