"""Step 2: which prompt-answer pairs can be trusted?

Reads the sealed prompts of step 1 (to keep them out). Writes clean seeds,
every dropped row with its reason (kept + dropped = read; what a limit left unread
is counted, too), and which sealed item a dropped row met in which words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.errors import DataError
from phi_kit.core.params import StepParams
from phi_kit.core.row_counts import RowCounts
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step
from phi_kit.data import dropped_rows
from phi_kit.data.dropped_rows import Reason
from phi_kit.data.near_duplicates import NearDuplicateIndex
from phi_kit.data.read_sources import (
    available_rows,
    mix_sources,
    read_source,
    source_shares,
)
from phi_kit.data.records import Seed, to_frame
from phi_kit.data.row_filters import filter_rows
from phi_kit.data.sealed_splits import Seal
from phi_kit.data.source_types import Procedural, Source, Task
from phi_kit.data.withdrawn import REASON, withdrawn_sources
from phi_kit.domains.base import Domain, Family
from phi_kit.evaluation import guessing_baseline
from phi_kit.inference import completion
from phi_kit.models.control_tokens import control_tokens
from phi_kit.plots import row_flow
from phi_kit.verifiers.answer_extraction import marked_answer


class Params(StepParams):
    """Where seeds come from and what is dropped at sight."""

    STEP: ClassVar[Step] = step_table.COLLECT_SEEDS

    domain: str = "math"
    sources: list[Source] = Field([Procedural()], min_length=1)
    limit: int | None = Field(None, ge=1)
    max_chars: int = Field(2000, ge=1)
    near_duplicates: float = Field(0.8, gt=0, le=1)

    _known = field_validator("domain")(domains.known)

    @model_validator(mode="after")
    def _weights_need_a_limit(self) -> Self:
        # A weight of 1 says nothing: a notebook is handed the defaults, too.
        weighted = any(source.weight != 1 for source in self.sources)
        if weighted and self.limit is None:
            raise ValueError("weights divide a limit: give collect_seeds a limit too")
        return self

    def external_digests(self) -> dict[str, str]:
        """The content of local files, the revisions of hub data sets."""
        digests = {
            f"{number} {source.name}": source.digest()
            for number, source in enumerate(self.sources, 1)
        }
        if gone := withdrawn_sources(self.study, self.domain):
            digests["withdrawn"] = ", ".join(gone)
        return {name: digest for name, digest in digests.items() if digest}


@reuse_finished
def run(params: Params) -> StepRun:
    """Read every source, filter its rows, keep the clean ones."""
    with open_run(params) as run:
        domain = domains.of(params)
        card = run.read(step_table.PICK_DOMAIN)
        families = domain.chosen(card.manifest["params"]["families"])
        rows, mix = read_rows(params, domain, families)
        gone = withdrawn_sources(params.study, params.domain)
        filtered = [(row, Reason(REASON)) for row in rows if row.source in gone]
        filtered += list(
            filter_rows(
                [row for row in rows if row.source not in gone],
                domain.verifier,
                Seal.of([card]),
                max_chars=params.max_chars,
                near=NearDuplicateIndex(params.near_duplicates),
                marks=control_tokens(completion.folder_at_hand(params.model)),
            )
        )
        kept = [seed for seed, reason in filtered if reason is None]
        run.flow = RowCounts(unread=sum(source["unread"] for source in mix))
        run.flow.take(reason for _, reason in filtered)
        if not kept:
            raise DataError(
                f"no seed is left: {run.flow}",
                todo="look at the reasons; name other sources or columns",
            )
        run.table = to_frame(kept)
        run.save_rows(run.table)
        run.save_rows(dropped_rows.dropped_table(filtered), "quarantine")
        run.save_rows(dropped_rows.seal_hit_table(filtered), "sealed_hits")
        run.figure = run.save_figure(row_flow.draw(run.flow.as_dict()), "row_flow")
        run.result = {
            "sources": run.table.source.value_counts().to_dict(),
            "mix": mix,
            "pinned": params.external_digests(),
            "lopsided": guessing_baseline.lopsided_answers(
                (seed.family, seed.answer) for seed in kept
            ),
        }
    return run


def read_rows(
    params: Params, domain: Domain, families: list[Family]
) -> tuple[list[Seed], list[dict]]:
    """Every row of every source, or each source's share of the limit.

    Returns:
        The rows, and per source how many were wanted, how many were read, and how
        many there are that a limit left unread.
    """

    def open_source(source: Source) -> Iterator[Seed]:
        return read_source(
            source,
            domain.name,
            families=source_families(source, domain, families),
            rng_seed=params.rng_seed,
            find_answer=marked_answer,
        )

    rows, counts = [], Counter()
    mixed = mix_sources(
        params.sources, params.limit, open_source, rng_seed=params.rng_seed
    )
    for position, seed in mixed:
        counts[position] += 1
        rows.append(replace(seed, answer_kind=domain.answer_kind))
    shares = source_shares(params.sources, params.limit) if params.limit else None
    report = []
    for position, source in enumerate(params.sources):
        wanted = shares[position] if shares else source.limit
        read = counts[position]
        # A source that was read to its end has nothing left to count; those of one's
        # own domain have limits of their own.
        limited = wanted is not None and read >= wanted
        limited = limited or isinstance(source, Procedural)
        made = source_families(source, domain, families)
        available = available_rows(source, made) if limited else None
        report.append(
            {
                "source": source.name,
                "weight": source.weight,
                "wanted": wanted,
                "read": read,
                "unread": max(available - read, 0) if available else 0,
            }
        )
    return rows, report


def source_families(
    source: Source, domain: Domain, families: list[Family]
) -> list[Family]:
    """What a source makes items of: the families it names, else the study's.

    For a task they are the families of the same task, in whatever domain.

    Raises:
        StudyError: the domain has no such family.
    """
    if isinstance(source, Task):
        known = (one for _, one in domains.listed() if isinstance(one, Domain))
        every = (family for one in known for family in one.families)
        mine = (family for family in every if family.task == source.task)
        return [replace(family, style=domain.style) for family in mine]
    named = source.families if isinstance(source, Procedural) else []
    return domain.chosen(named) if named else families
