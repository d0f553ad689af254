"""The figure type of the kit; imported only when something is drawn."""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from phi_kit.core.figures import image_html


class NotebookFigure(Figure):
    """A figure that shows itself in a notebook without pyplot.

    Matplotlib teaches Jupyter to show figures only once pyplot is set up, and
    pyplot keeps every figure alive and picks a window system.
    """

    def __init__(self, **settings):
        super().__init__(**settings)
        FigureCanvasAgg(self)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        # Drawn at 1.5 times the shown width, so it stays sharp on dense screens.
        return self._png, {"width": self._width}

    def _repr_html_(self) -> str:
        """The same as an image that says what it shows and never shrinks too far."""
        return image_html(self._png, words=self.words)

    @property
    def words(self) -> str:
        """The question it answers and what its marks mean."""
        parts = (self._suptitle, self._supxlabel)
        texts = (part.get_text() for part in parts if part is not None)
        return " ".join(" ".join(texts).split())

    @property
    def _width(self) -> int:
        return round(self.get_figwidth() * 96)

    @property
    def _png(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()
