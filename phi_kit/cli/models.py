"""`phi-kit models`: the models known by name, and fetching one."""

from __future__ import annotations

from typing import Annotated

import typer

models = typer.Typer(no_args_is_help=True, help="The models known by name.")


@models.command("list")
def list_models() -> None:
    """Show the models known by name, and where those on this machine are."""
    from phi_kit.models import catalog

    for entry in catalog.entries():
        folder = catalog.local_folder(entry.name)
        millions = entry.parameters / 1e6
        size = f"{millions / 1e3:.1f} B" if millions >= 1e3 else f"{millions:.0f} M"
        typer.echo(f"{entry.name:<14} {size:>7}  {entry.licence:<11} {entry.note}")
        typer.echo(f"{'':<14} {folder or 'not on this machine; phi-kit models pull'}")


@models.command()
def pull(
    name: Annotated[str, typer.Argument(help="a name of the list or a hub id")],
) -> None:
    """Fetch a model, so that later runs need no network."""
    from phi_kit.models import catalog

    typer.echo(f"{name}: {catalog.resolve(name)}")
