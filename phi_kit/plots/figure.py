"""The figure type of the kit; imported only when something is drawn."""

from __future__ import annotations

import io

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from phi_kit.core.figures import figure_html

from .palette import DARK, QUIET


class NotebookFigure(Figure):
    """A figure that shows itself in a notebook without pyplot.

    Matplotlib teaches Jupyter to show figures only once pyplot is set up, and
    pyplot keeps every figure alive and picks a window system.

    Attributes:
        finding: what it shows, in words with the numbers of its table.
        source: where its numbers come from, where that is not a model that ran.
    """

    def __init__(self, **settings):
        super().__init__(**settings)
        self.finding = self.source = ""
        FigureCanvasAgg(self)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        # Drawn at 1.5 times the shown width, so it stays sharp on dense screens.
        return self._png, {"width": self._width}

    def _repr_html_(self) -> str:
        """The same as an image that says what it shows and never shrinks too far."""
        return figure_html(self._png, words=self.words)

    @property
    def words(self) -> str:
        """The question it answers and what it shows; else what its marks mean."""
        said = f"{self.finding} {self.source}" if self.finding else self.note
        return " ".join(f"{self.question} {said}".split())

    def mark_source(self, source: str) -> None:
        """Say in its fine print, and in its words, where its numbers come from."""
        self.source = source
        said = f"{self.note}\n{source}".strip()
        self.supxlabel(said, x=0.012, ha="left", fontsize=8.5, color=QUIET)

    @property
    def question(self) -> str:
        """The question on top of it."""
        return self._suptitle.get_text() if self._suptitle is not None else ""

    @property
    def note(self) -> str:
        """The fine print below it."""
        return self._supxlabel.get_text() if self._supxlabel is not None else ""

    def svg(self) -> str:
        """It as SVG that follows its reader's light or dark; the same bytes again."""
        file = io.StringIO()
        with matplotlib.rc_context({"svg.hashsalt": "phi_kit", "svg.fonttype": "path"}):
            self.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        return file.getvalue().replace("</style>", f"{_dark_rules()}</style>", 1)

    @property
    def _width(self) -> int:
        return round(self.get_figwidth() * 96)

    @property
    def _png(self) -> bytes:
        png = io.BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()


def _dark_rules() -> str:
    """CSS that gives each colour of a page its counterpart on a dark one."""
    rules = "".join(
        f'[style*="{part}: {light.lower()}"]{{{part}:{dark}!important}}'
        for light, dark in DARK.items()
        for part in ("fill", "stroke")
    )
    return f"@media screen and (prefers-color-scheme: dark){{{rules}}}"
