"""Step 2: which prompt-answer pairs can be trusted?

Reads the sealed prompts of step 1 (to keep them out). Writes clean seeds, and
every dropped row with its reason: kept + dropped = read.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from phi_kit import domains
from phi_kit.core.errors import DataError
from phi_kit.core.flow import Flow
from phi_kit.core.params import StepParams
from phi_kit.core.runs import StepRun, open_run
from phi_kit.data.dedup import judge
from phi_kit.data.records import to_frame
from phi_kit.data.seal import Seal
from phi_kit.data.sources import LocalFile, Procedural, Source, read
from phi_kit.plots import flow


class Params(StepParams):
    """Where seeds come from and what is dropped at sight."""

    STEP: ClassVar[str] = "02_collect_seeds"
    NEEDS: ClassVar[tuple[str, ...]] = ("01_pick_domain",)

    domain: str = "math"
    sources: list[Source] = Field([Procedural()], min_length=1)
    max_chars: int = Field(2000, ge=1)

    _known = field_validator("domain")(domains.known)

    def outside(self) -> dict[str, str]:
        """The content of local files."""
        files = [s for s in self.sources if isinstance(s, LocalFile)]
        return {file.path: file.digest() for file in files}


def run(params: Params) -> StepRun:
    """Read every source, judge every row, keep the clean ones."""
    with open_run(params) as run:
        domain = domains.get(params.domain)
        card = run.read("01_pick_domain")
        seal, chosen = Seal.of([card]), card.manifest["params"]["families"]
        found = [
            seed
            for source in params.sources
            for seed in read(
                source,
                domain.name,
                families=domain.chosen(chosen),
                rng_seed=params.rng_seed,
            )
        ]
        judged = list(judge(found, domain.verifier, seal, max_chars=params.max_chars))
        kept = [seed for seed, reason in judged if reason is None]
        dropped = [(seed, reason) for seed, reason in judged if reason is not None]
        run.flow = Flow()
        run.flow.take(reason for _, reason in judged)
        if not kept:
            raise DataError(
                f"no seed is left: {run.flow}",
                todo="look at the reasons; name other sources or columns",
            )
        run.table = to_frame(kept)
        run.save_rows(run.table)
        run.save_rows(
            to_frame([s for s, _ in dropped], reason=[r for _, r in dropped]), "dropped"
        )
        run.figure = run.save_figure(flow.draw(run.flow.as_dict()), "row_flow")
        run.result = {"sources": run.table.source.value_counts().to_dict()}
    return run
