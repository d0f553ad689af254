"""`phi-kit`: the command line.

Exit codes: 0 done; 1 a message of the kit (a study file with faults and a
failed step included); 2 a wrong command line; 130 interrupted by Ctrl-C, 143
by SIGTERM.
Heavy imports stand inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from phi_kit import __version__
from phi_kit.cli.common import (
    First,
    Last,
    Redo,
    Sets,
    StudyFile,
    TerminatedError,
    carry_out,
)
from phi_kit.cli.export import export
from phi_kit.cli.ledger import ledger
from phi_kit.cli.plan import plan
from phi_kit.core.errors import PhiKitError


@contextmanager
def _messages() -> Iterator[None]:
    """The kit's errors and Ctrl-C as messages, without tracebacks."""
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
models = typer.Typer(no_args_is_help=True, help="The models known by name.")
app.add_typer(models, name="models")
app.add_typer(ledger, name="ledger")
app.command()(export)
app.command()(plan)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Show it.")] = False,
) -> None:
    if version:
        typer.echo(f"phi-kit {__version__}")
        raise typer.Exit


@app.command()
def run(
    study: StudyFile,
    first: First = None,
    last: Last = None,
    *,
    sets: Sets = None,
    redo: Redo = False,
) -> None:
    """Run a study: its notebooks in order, finished steps skipped.

    A STEP is named filter_edge, 03_filter_edge or 3.
    """
    carry_out(study, first, last, sets, redo)


@app.command()
def status(study: StudyFile, *, sets: Sets = None) -> None:
    """Show which steps of a study are finished, stale or missing."""
    from phi_kit.study import config, runner

    loaded = config.load(study, sets or ())
    for line in runner.status(loaded):
        typer.echo(line)


@app.command()
def report(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="its name or file")],
) -> None:
    """Write report.html from what the study's steps have finished."""
    from phi_kit.core.paths import shown
    from phi_kit.study import config
    from phi_kit.study.report import report as pages

    name = config.load(study).name if study.endswith((".yaml", ".yml")) else study
    typer.echo(f"report: {shown(pages.write(name))}")


@app.command()
def verify(
    domain: Annotated[
        str, typer.Argument(metavar="DOMAIN", help="a domain or a verifier: math")
    ],
    file: Annotated[
        str, typer.Argument(metavar="FILE.jsonl", help="rows of prompt, gold, response")
    ],
) -> None:
    """Judge every row of a file: one JSON line each, a summary on stderr.

    FILE may be - for standard input.
    """
    from collections import Counter

    from phi_kit.sandbox import sandbox
    from phi_kit.verifiers import verify_file

    verifier, counts = _verifier(domain), Counter[str]()
    with _opened(file) as lines:
        for result in verify_file.verify_rows(lines, verifier, domain=domain):
            verify_file.count_result(counts, result)
            print(json.dumps(result, ensure_ascii=True))
    sys.stdout.flush()
    typer.echo(verify_file.summary_line(counts), err=True)
    if walls := sandbox.in_force():
        typer.echo(f"code was run in the sandbox: {walls}", err=True)


def _verifier(name: str) -> Any:
    """The verifier of a domain, or the one of that name."""
    from phi_kit import domains, verifiers

    if name in domains.names():
        return domains.get(name).verifier
    if name in verifiers.names():
        return verifiers.get(name)
    return domains.get(name).verifier  # its message names the nearest domain


@contextmanager
def _opened(file: str) -> Iterator[Any]:
    """The lines of a file as bytes: undecodable text must not end a run."""
    from pathlib import Path

    from phi_kit.core.errors import DataError

    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as lines:
            yield lines
    except OSError as error:
        raise DataError(
            f"cannot read the rows: {error.strerror}",
            where=file,
            todo="name a JSONL file with prompt, gold and response",
        ) from error


@app.command()
def domains(
    name: Annotated[
        str | None, typer.Argument(help="one domain to show in full")
    ] = None,
) -> None:
    """List the domains a study may name, or show one of them."""
    from .domains import every, one

    for line in one(name) if name else every():
        typer.echo(line)


@app.command()
def lab() -> None:
    """Open JupyterLab on the notebooks."""
    from phi_kit.core.paths import project_root

    os.chdir(project_root())
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab"])


@models.command("list")
def list_models() -> None:
    """Show the models known by name, and where those on this machine are."""
    from phi_kit.models import catalog

    for entry in catalog.entries():
        place = catalog.local_folder(entry.name)
        size = (
            f"{entry.parameters / 1e9:.1f} B"
            if entry.parameters >= 1e9
            else (f"{entry.parameters / 1e6:.0f} M")
        )
        typer.echo(f"{entry.name:<14} {size:>7}  {entry.licence:<11} {entry.note}")
        typer.echo(f"{'':<14} {place or 'not on this machine; phi-kit models pull'}")


@models.command()
def pull(
    name: Annotated[str, typer.Argument(help="a name of the list or a hub id")],
) -> None:
    """Fetch a model, so that later runs need no network."""
    from phi_kit.models import catalog

    typer.echo(f"{name}: {catalog.resolve(name)}")


def main() -> None:
    """Entry point of `phi-kit`."""
    app(prog_name="phi-kit")
