"""`phi-kit status`: which steps are finished, stale or missing."""

from __future__ import annotations

from typing import Annotated

import typer

from .common import Sets, live_table, say


def status(
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY.yaml|SWEEP.yaml", help="a file of params/ or params/sweeps/"
        ),
    ],
    *,
    sets: Sets = None,
) -> None:
    """Show which steps of a study are finished, stale or missing.

    Of a sweep: where each variant stands; in a terminal for as long as it runs.
    """
    from phi_kit.study import config, runner
    from phi_kit.study.sweep import sweep_config, sweep_status

    if not sets and sweep_config.is_sweep(study):
        sweep = sweep_config.load(study)
        sweep_status.show_status(sweep, say=say, live=live_table())
        return
    for line in runner.status(config.load(study, sets or ())):
        say(line)
