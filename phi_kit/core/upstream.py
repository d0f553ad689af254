"""What a step reads: the run folders of earlier steps, and whether they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import RunError
from .finished_run import RunFolder
from .paths import project_root, runs_root, shown

if TYPE_CHECKING:
    from .params import StepParams


def upstream(params: StepParams) -> dict[str, RunFolder]:
    """The run folders a step reads, by `domain/step`."""
    if not params.NEEDS:
        return {}
    domains = [params.domain] if params.PER_DOMAIN else params.domains
    return {
        f"{domain}/{step}".lstrip("/"): RunFolder.of(params.study, step, domain=domain)
        for step in params.NEEDS
        for domain in (domains if step[:2] < "06" else [""])
    }


def require_upstream(params: StepParams) -> dict[str, str]:
    """Digests of what the step reads.

    Raises:
        RunError: some of it has not finished; all of it is named.
    """
    folders = upstream(params)
    missing = [name for name, folder in folders.items() if not folder.finished]
    if missing:
        first = missing[0].rpartition("/")[2]
        file = project_root() / "params" / f"{params.study}.yaml"
        study = shown(file) if file.is_file() else "STUDY.yaml"
        raise RunError(
            f"{params.STEP} reads steps that have not finished: {', '.join(missing)}",
            where=f"study '{params.study}' in {shown(runs_root())}",
            todo=f"run notebooks/{first}.ipynb first, or "
            f"phi-kit run {study} --to {params.section()}",
        )
    return {name: folder.outcome for name, folder in folders.items()}
