"""`phi-kit history`: every benchmark over time, in one HTML page."""

from __future__ import annotations

import typer


def history() -> None:
    """Write runs/history.html from all finished studies, beside published figures."""
    from phi_kit.core.paths import display_path
    from phi_kit.study.study_history import write_history

    typer.echo(f"history: {display_path(write_history())}")
