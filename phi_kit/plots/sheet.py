"""The figure type of the kit; imported only when something is drawn."""

from __future__ import annotations

import base64
import io
from html import escape

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

LEAST_WIDTH = 600  # pixels, below which its small print cannot be read


class Sheet(Figure):
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
        """The same as an image that says what it shows and never shrinks too far.

        JupyterLab prefers this to the bare PNG, which it squeezes into whatever a
        narrow window leaves, and to which it gives no alternative text.
        """
        code = base64.b64encode(self._png).decode()
        style = f"width:{self._width}px;max-width:100%;min-width:{LEAST_WIDTH}px"
        return (
            '<div style="overflow-x:auto;background:white;border-radius:4px">'
            f'<img src="data:image/png;base64,{code}" alt="{escape(self.words)}" '
            f'style="{style}"></div>'
        )

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
