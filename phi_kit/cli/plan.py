"""`phi-kit plan`: what a study will take, before it is run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from .common import Sets, StudyFile


def plan(
    study: StudyFile,
    *,
    sets: Sets = None,
    memory_gb: Annotated[
        float | None,
        typer.Option(
            "--memory-gb",
            metavar="GB",
            min=0,
            help="does training fit a GPU of this size? no probe",
        ),
    ] = None,
    watts: Annotated[
        float, typer.Option("--watts", min=0, help="the machine's power at work")
    ] = 0.0,
    per_kwh: Annotated[
        float, typer.Option("--per-kwh", min=0, help="price of energy")
    ] = 0.0,
    per_hour: Annotated[
        float, typer.Option("--per-hour", min=0, help="price of the machine")
    ] = 0.0,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, help="of the probe's sampling")
    ] = 20.0,
) -> None:
    """Say what each step takes: time, memory, tokens, energy, money.

    A probe of about a minute asks and trains a few of the study's own seeds.
    """
    from phi_kit.models.loading import device
    from phi_kit.study import config
    from phi_kit.study.planning import memory_fit, plan_table, speed_probe
    from phi_kit.study.planning.finished_units import finished_units
    from phi_kit.training import memory

    if per_kwh and not watts:
        raise typer.BadParameter("energy has a price, but no amount: say --watts, too")
    loaded = config.load(study, sets or ())
    units, done = loaded.units(), finished_units(loaded)
    elsewhere = memory_gb is not None
    room = 1e9 * memory_gb if elsewhere else memory.free_bytes()
    kind = "cuda" if elsewhere else device()
    fit = memory_fit.fit(units, room, kind=kind)
    hopeless = not fit.fits or fit.setup.model != fit.wanted.model
    if elsewhere or hopeless:  # here a model that does not fit is not even loaded
        _say(plan_table.fit_lines(fit, terms=True))
        _say(plan_table.bill_without_probe(units, done))
        if not fit.fits or (hopeless and not elsewhere):
            raise typer.Exit(1)
        return
    speed = speed_probe.measure(units, seconds=seconds)
    here = memory_fit.fit(units, speed.free_bytes, kind=kind, loaded=True)
    peak = speed.loaded_bytes + here.needed
    prices = plan_table.Prices(watts, per_kwh, per_hour)
    plans = plan_table.plan_steps(units, speed, peak, done=done)
    _say(plan_table.table(plans, speed, prices))
    _say(plan_table.fit_lines(here, terms=False))
    if not here.fits:
        raise typer.Exit(1)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(line)
