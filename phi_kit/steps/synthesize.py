"""Step 5: more rows that are right by construction, and the frozen data set.

Reads the tiers and the student's samples. Writes variants of the teachable
seeds, the student's own verified solutions, and both with the organic rows as
one frozen `datasets` folder. Every row names its parent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import pandas as pd
from pydantic import Field, field_validator

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.params import StepParams
from phi_kit.core.rng import rng
from phi_kit.core.row_counts import RowCounts
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step
from phi_kit.data import dropped_rows, records
from phi_kit.data.dropped_rows import Reason
from phi_kit.data.records import Seed, from_frame, to_frame
from phi_kit.data.row_filters import filter_rows
from phi_kit.data.sealed_splits import Seal
from phi_kit.domains.base import Domain
from phi_kit.evaluation import guessing_baseline
from phi_kit.plots import transform_yields
from phi_kit.training.arms import Arm, rows_of_arm
from phi_kit.verifiers.worked_steps import first_false_step


class Params(StepParams):
    """How much is made, and how much of the mix stays organic.

    At least a fifth to a third of the rows stays organic (kit default).
    """

    STEP: ClassVar[Step] = step_table.SYNTHESIZE

    domain: str = "math"
    arm: Arm | Literal["best"] = "best"
    transforms: list[str] = Field([])
    own_solutions: bool = True
    organic_share: float = Field(0.33, gt=0, le=1)
    max_chars: int = Field(2000, ge=1)

    _known = field_validator("domain")(domains.known)


@dataclass(frozen=True)
class Candidate:
    """A candidate row: the seed, what to answer, and how it came about."""

    seed: Seed
    completion: str
    kind: str  # "synthetic" or "self"
    by: str


@reuse_finished
def run(params: Params) -> StepRun:
    """Make candidates, drop what fails a check, mix, and freeze."""
    with open_run(params) as run:
        domain = domains.of(params)
        edge = run.read(step_table.FILTER_EDGE)
        seeds = organic_seeds(
            edge.table(), run.read(step_table.PROBE_SFT).table(), params
        )
        candidates = list(variants(domain, seeds, params))
        checked = _check_variants(candidates, seeds, domain, run=run)
        if params.own_solutions:
            own = own_solutions(edge.table("samples"), seeds)
            checked += [(m, solution_fault(m)) for m in own]
        kept = [m for m, reason in checked if reason is None]
        mixed = balance(kept, seeds, params)
        in_the_mix = {id(candidate) for candidate in mixed}
        checked = [
            (
                candidate,
                reason or (None if id(candidate) in in_the_mix else "over the share"),
            )
            for candidate, reason in checked
        ]
        rows = _mix_table(seeds, mixed)
        run.flow = RowCounts()
        run.flow.take([None] * len(seeds) + [reason for _, reason in checked])
        run.save_rows(rows)
        records.save_dataset(rows, run.folder("dataset"))
        run.save_rows(_dropped_table(checked), "dropped")
        run.save_rows(
            dropped_rows.seal_hit_table((m.seed, why) for m, why in checked),
            "sealed_hits",
        )
        yielded = _yield_table(checked)
        mix = {
            kind: int((rows.kind == kind).sum())
            for kind in ("organic", "synthetic", "self")
        }
        run.figure = run.save_figure(
            transform_yields.draw(yielded, mix), "yield_and_mix"
        )
        run.table = rows
        run.result = {
            "transforms": yielded.to_dict("records"),
            "mix": mix,
            "lopsided": guessing_baseline.lopsided_answers(
                ("the mix", answer) for answer in rows.answer
            ),
        }
    return run


def organic_seeds(pool: pd.DataFrame, arms: pd.DataFrame, params: Params) -> list[Seed]:
    """The seeds of the chosen arm; `best` is the one that did best on dev."""
    arm = params.arm
    if arm == "best":
        tuned = arms[arms.arm != "base"]
        arm = tuned.loc[tuned.accuracy.idxmax(), "arm"]
    return from_frame(rows_of_arm(pool, arm))


def variants(domain: Domain, seeds: list[Seed], params: Params) -> Iterator[Candidate]:
    """Every transform on every seed; a transform that does not fit makes none."""
    for name, transform in domain.transforms.items():
        if params.transforms and name not in params.transforms:
            continue
        for seed in seeds:
            for variant in transform(seed, params.rng_seed):
                if variant.solution == seed.solution:  # it solves another question
                    variant = replace(variant, solution="")
                yield Candidate(variant, variant.answer, "synthetic", name)


def _check_variants(
    candidates: list[Candidate], seeds: list[Seed], domain: Domain, *, run: StepRun
) -> list[tuple[Candidate, str | None]]:
    """Candidates with the reason to drop them; organic rows count as seen."""
    seal = Seal.of([run.read(step_table.PICK_DOMAIN)])
    everything = [*seeds, *(candidate.seed for candidate in candidates)]
    filtered = list(
        filter_rows(everything, domain.verifier, seal, max_chars=run.params.max_chars)
    )
    reasons = [reason for _, reason in filtered[len(seeds) :]]
    return list(zip(candidates, reasons, strict=True))


def own_solutions(samples: pd.DataFrame, seeds: list[Seed]) -> Iterator[Candidate]:
    """The student's shortest right and finished answer to each seed."""
    right = samples[(samples.verdict == "right") & (samples.finish == "stop")]
    shortest = right.sort_values(["tokens", "sample"]).groupby("seed_id").text.first()
    for seed in seeds:
        if seed.id in shortest.index:
            parented = replace(seed, parent=seed.id, source="student")
            yield Candidate(parented, shortest[seed.id], "self", "own solution")


def solution_fault(candidate: Candidate) -> str | None:
    """Why the student's own solution is not trained on, if so.

    The verifier read its last number only; the steps before it are taught as well.
    """
    if candidate.completion == candidate.seed.answer:
        return "same as the gold"
    if wrong := first_false_step(candidate.completion, prompt=candidate.seed.prompt):
        return Reason("a step does not hold", detail=wrong)
    return None


def balance(
    candidates: list[Candidate], organic: list[Seed], params: Params
) -> list[Candidate]:
    """A part of the candidates, so that the organic share is kept.

    They are drawn at random, rare answers first: a mix in which one answer holds
    most of the rows teaches to say it.
    """
    room = int(len(organic) / params.organic_share) - len(organic)
    order = rng(params.rng_seed, "mix", params.domain).permutation(len(candidates))
    seen = Counter(seed.answer for seed in organic)
    ranks = {}
    for index in order:
        answer = candidates[index].seed.answer
        ranks[int(index)] = seen[answer]
        seen[answer] += 1
    chosen = sorted(ranks, key=ranks.__getitem__)[:room]
    return [candidates[index] for index in sorted(chosen)]


def _mix_table(seeds: list[Seed], made: list[Candidate]) -> pd.DataFrame:
    everything = [*seeds, *(m.seed for m in made)]
    return to_frame(
        everything,
        completion=[s.answer for s in seeds] + [m.completion for m in made],
        kind=["organic"] * len(seeds) + [m.kind for m in made],
        by=[""] * len(seeds) + [m.by for m in made],
    )


def _dropped_table(checked: list[tuple[Candidate, str | None]]) -> pd.DataFrame:
    dropped = [(m, reason) for m, reason in checked if reason]
    return to_frame(
        [m.seed for m, _ in dropped],
        completion=[m.completion for m, _ in dropped],
        by=[m.by for m, _ in dropped],
        reason=[str(reason) for _, reason in dropped],
        detail=[getattr(reason, "detail", "") for _, reason in dropped],
    )


def _yield_table(checked: list[tuple[Candidate, str | None]]) -> pd.DataFrame:
    tried = Counter(m.by for m, _ in checked)
    kept = Counter(m.by for m, reason in checked if reason is None)
    return pd.DataFrame(
        [
            {"transform": name, "tried": n, "kept": kept[name]}
            for name, n in tried.items()
        ],
        columns=["transform", "tried", "kept"],
    )
