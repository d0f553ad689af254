"""`phi-kit sweep`: many variants of a study, what they share run once."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import Annotated

import typer

from .common import live_table, say, terminate


def sweep(
    sweep: Annotated[
        str, typer.Argument(metavar="SWEEP.yaml", help="a file of params/sweeps/")
    ],
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="VARIANT",
            help="run this variant alone, * and ? for any letters; may be repeated",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            metavar="N",
            help="notebooks at once, whatever the file says",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="show variants, notebooks and what they will take; run nothing",
        ),
    ] = False,
    seconds: Annotated[
        float,
        typer.Option("--seconds", min=1, help="of sampling in the probe of --dry-run"),
    ] = 20.0,
) -> None:
    """Run a sweep: every notebook that its variants need, once.

    What is finished is not run again; the same command carries on.
    """
    from phi_kit.study.sweep import sweep_config, sweep_run

    loaded = sweep_config.load(sweep)
    loaded = replace(loaded, workers=workers or loaded.workers)
    if dry_run:
        from phi_kit.study.sweep import sweep_cost  # loads torch

        planned = sweep_cost.sweep_cost(loaded, seconds=seconds)
        for line in sweep_cost.cost_lines(loaded, planned):
            say(line)
        return
    signal.signal(signal.SIGTERM, terminate)
    sweep_run.run_sweep(loaded, names=only or (), say=say, live=live_table())
