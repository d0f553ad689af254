"""How a figure stands in a notebook: an image that says in words what it shows."""

from __future__ import annotations

import base64
import struct
from html import escape
from io import BytesIO

LEAST_WIDTH = 600  # pixels, below which its small print cannot be read
DENSITY = 1.5  # a figure is drawn so many times its shown width, for dense screens


def image_html(png: bytes, *, words: str = "") -> str:
    """A PNG as an image that never shrinks too far, with its alternative text.

    JupyterLab prefers this to the bare PNG, which it squeezes into whatever a narrow
    window leaves, and to which it gives no alternative text.
    """
    (pixels,) = struct.unpack(">I", png[16:20])  # the header's width
    width = round(pixels / DENSITY)
    code = base64.b64encode(png).decode()
    style = f"width:{width}px;max-width:100%;min-width:{LEAST_WIDTH}px"
    return (
        '<div style="overflow-x:auto;background:white;border-radius:4px">'
        f'<img src="data:image/png;base64,{code}" alt="{escape(words)}" '
        f'style="{style}"></div>'
    )


def figure_description(png: bytes) -> str:
    """The description that a saved figure carries; nothing if it has none."""
    from PIL import Image

    with Image.open(BytesIO(png)) as image:
        return str(image.info.get("Description", ""))
