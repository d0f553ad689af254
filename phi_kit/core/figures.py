"""How a figure stands in a notebook or on a page, with words for who cannot see it."""

from __future__ import annotations

import base64
import re
import struct
from html import escape
from io import BytesIO

LEAST_WIDTH = 600  # pixels, below which its small print cannot be read
DENSITY = 1.5  # a PNG is drawn so many times its shown width, for dense screens
_SVG_WIDTH = re.compile(rb'<svg[^>]*\swidth="([\d.]+)pt"')
_PIXELS_PER_POINT = 96 / 72  # CSS


def figure_html(image: bytes, *, words: str = "", caption: str = "") -> str:
    """A PNG or SVG as `<figure>` that never shrinks too far.

    JupyterLab prefers this to the bare PNG, which it squeezes into whatever a narrow
    window leaves, and to which it gives no alternative text.

    Args:
        image: the file's bytes.
        words: what it shows, for who cannot see it.
        caption: what stands below it; none if empty.
    """
    png = image.startswith(b"\x89PNG")
    kind, paper = ("png", ";background:white") if png else ("svg+xml", "")
    code = base64.b64encode(image).decode()
    style = f"width:{_shown_width(image)}px;max-width:100%;min-width:{LEAST_WIDTH}px"
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return (
        '<figure style="margin:0">'
        '<div style="overflow-x:auto" tabindex="0">'
        f'<img src="data:image/{kind};base64,{code}" alt="{escape(words)}" '
        f'style="{style}{paper};border-radius:4px"></div>{below}</figure>'
    )


def _shown_width(image: bytes) -> int:
    """In CSS pixels; what cannot be told is the least."""
    if found := _SVG_WIDTH.search(image):
        return round(float(found[1]) * _PIXELS_PER_POINT)
    if len(image) < 20:
        return LEAST_WIDTH
    (pixels,) = struct.unpack(">I", image[16:20])  # the width in a PNG's header
    return round(pixels / DENSITY)


def figure_description(png: bytes) -> str:
    """The description that a saved figure carries; nothing if it has none."""
    from PIL import Image

    with Image.open(BytesIO(png)) as image:
        return str(image.info.get("Description", ""))
