"""The pages of the kit: templates, and the style that they share."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_HERE = Path(__file__).parent  # of `page_style.css`


@cache
def _environment(folder: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: Path, **values: object) -> str:
    """A page as text; every value in it is escaped.

    Args:
        template: its file; what it includes lies beside it or here.
        values: by their names in the template.
    """
    return _environment(template.parent).get_template(template.name).render(values)
