"""`phi-kit`: the command line, one module per command.

Exit codes: 0 done; 1 a message of the kit (a study file with faults and a
failed step included); 2 a wrong command line; 130 interrupted by Ctrl-C, 143
by SIGTERM.
A command imports what it needs when it is called, so that `--help` answers at
once: nearly everything below loads pandas, and much of it torch.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from phi_kit import __version__
from phi_kit.cli import (
    atlas,
    benchmarks,
    claims,
    compare,
    domains,
    export,
    history,
    init,
    lab,
    ledger,
    models,
    plan,
    report,
    run,
    scale,
    status,
    sweep,
    synthesize,
    verify,
    why,
    withdraw,
    workshop,
)
from phi_kit.cli.common import TerminatedError
from phi_kit.core.errors import PhiKitError


@contextmanager
def _messages() -> Iterator[None]:
    """Show the kit's errors and Ctrl-C as messages, without tracebacks."""
    try:
        yield
    except PhiKitError as error:
        typer.echo(f"phi-kit: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt as stop:
        typer.echo("\nphi-kit: interrupted; the same command carries on", err=True)
        by = signal.SIGTERM if isinstance(stop, TerminatedError) else signal.SIGINT
        raise typer.Exit(128 + by) from None


class _Group(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        with _messages():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Group,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Data-first supervised fine-tuning of small language models.",
)
app.command()(plan.plan)
app.command()(run.run)
app.command()(sweep.sweep)
app.command()(status.status)
app.command()(synthesize.synthesize)
app.command()(report.report)
app.command()(atlas.atlas)
app.command()(compare.compare)
app.command()(claims.claims)
app.command()(scale.scale)
app.command()(export.export)
app.command()(history.history)
app.command()(verify.verify)
app.command()(why.why)
app.command()(withdraw.withdraw)
app.command()(domains.domains)
app.command()(benchmarks.benchmarks)
app.command()(init.init)
app.command(context_settings=lab.PASSED_ON)(lab.lab)
app.add_typer(models.models, name="models")
app.add_typer(ledger.ledger, name="ledger")
app.add_typer(workshop.workshop, name="workshop")


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Show it.")] = False,
) -> None:
    if version:
        typer.echo(f"phi-kit {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point of `phi-kit`."""
    app(prog_name="phi-kit")
