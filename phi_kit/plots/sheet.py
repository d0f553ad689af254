"""The figure type of the kit; imported only when something is drawn."""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


class Sheet(Figure):
    """A figure that shows itself in a notebook without pyplot.

    Matplotlib teaches Jupyter to show figures only once pyplot is set up, and
    pyplot keeps every figure alive and picks a window system.
    """

    def __init__(self, **settings):
        super().__init__(**settings)
        FigureCanvasAgg(self)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        png = io.BytesIO()
        self.savefig(png, format="png")
        # Drawn at 1.5 times the shown width, so it stays sharp on dense screens.
        return png.getvalue(), {"width": round(self.get_figwidth() * 96)}
