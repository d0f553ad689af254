"""`phi-kit scale`: the study file of the second phase, and what it will take."""

from __future__ import annotations

from typing import Annotated

import typer


def scale(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="its name or file")],
    *,
    factor: Annotated[
        int, typer.Option("--factor", min=1, help="times as many seeds")
    ] = 4,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="although the decision is another")
    ] = False,
    no_plan: Annotated[
        bool, typer.Option("--no-plan", help="write the file only, without a probe")
    ] = False,
) -> None:
    """Write the study file of the second phase, if step 7 decided to scale.

    The recipes that were chosen, all domains merged, larger sets, fresh held-out
    items, three training seeds.
    """
    from phi_kit.core.paths import display_path
    from phi_kit.study import config
    from phi_kit.study.scale_up import write_scaled_study

    from .plan import plan

    path = write_scaled_study(config.name_of(study), factor=factor, anyway=anyway)
    config.load(path)  # a file with a fault is told at once
    typer.echo(f"study: {display_path(path)}")
    if not no_plan:
        plan(str(path), seconds=20.0)
