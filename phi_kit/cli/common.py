"""What commands share: the options of a run, and how one is carried out."""

from __future__ import annotations

import signal
import sys
from typing import Annotated, Any

import typer

StudyFile = Annotated[
    str, typer.Argument(metavar="STUDY.yaml", help="a study file of params/")
]
First = Annotated[
    str | None, typer.Option("--from", metavar="STEP", help="begin with this step")
]
Last = Annotated[
    str | None, typer.Option("--to", metavar="STEP", help="end with this step")
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="change a parameter: filter_edge.SAMPLES=8, "
        "math.filter_edge.samples=8, rng_seed=3; may be repeated",
    ),
]
Redo = Annotated[bool, typer.Option("--redo", help="run steps even if nothing changed")]


class TerminatedError(KeyboardInterrupt):
    """SIGTERM ends a run the way Ctrl-C does: kernels first."""


def run_study_file(
    study: str, first: str | None, last: str | None, sets: list[str] | None, redo: bool
) -> None:
    """Run the notebooks of a study file."""
    from phi_kit.study import config, runner

    # `timeout`, job schedulers and containers end a run so; kernels end with it.
    signal.signal(signal.SIGTERM, terminate)
    loaded = config.load(study, sets or ())
    runner.run_study(loaded, first=first, last=last, redo=redo, say=say)


def say(line: str) -> None:
    """One line of progress."""
    print(line, flush=True)


def live_table() -> Any:
    """A table that is redrawn, if a terminal watches; else `None`."""
    from phi_kit.study.sweep.sweep_table import LiveTable

    return LiveTable() if sys.stdout.isatty() else None


def terminate(*_: Any) -> None:
    """What SIGTERM does."""
    raise TerminatedError
