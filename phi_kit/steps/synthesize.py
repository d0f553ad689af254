"""Step 5: more rows that are right by construction, and the frozen data set.

Reads the tiers and the student's samples. Writes variants of the teachable
seeds, each with a checked response, the student's own verified solutions, and both
with the organic rows as one frozen `datasets` folder. Every row names its parent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import pandas as pd
from pydantic import Field, ValidationInfo, field_validator

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.answer_style import Style
from phi_kit.core.errors import StudyError
from phi_kit.core.finished_run import RunFolder
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
from phi_kit.evaluation.few_shot import FEW_SHOT
from phi_kit.inference import completion
from phi_kit.plots import transform_yields
from phi_kit.responses.choose import AGAIN
from phi_kit.responses.response_config import ResponseConfig
from phi_kit.responses.study_sources import StudySources
from phi_kit.synthesis import known_transforms
from phi_kit.training.arms import OWN, Arm, responses_of_arm
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

    def external_digests(self) -> dict[str, str]:
        """The student, whose tokenizer counts; the teacher's name is step 3's."""
        return {"model": completion.model_fingerprint(self.model)}

    _known = field_validator("domain")(domains.known)

    @field_validator("transforms")
    @classmethod
    def _known_transforms(cls, names: list[str], info: ValidationInfo) -> list[str]:
        domain = info.data.get("domain")
        if names and domain in domains.names():
            try:
                known_transforms.chosen(domains.get(domain), names)
            except StudyError as error:
                raise ValueError(error.what) from None
        return names


@dataclass(frozen=True)
class MixRow:
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
        organic = organic_rows(edge, run.read(step_table.PROBE_SFT).table(), params)
        seeds = list({seed.id: seed for seed, _ in organic}.values())
        seal = Seal.of([run.read(step_table.PICK_DOMAIN)])
        sources = open_sources(params, domain, edge, seal)
        made = list(variants(domain, seeds, params))
        made = check_variants(made, seeds, domain, seal, max_chars=params.max_chars)
        checked = answer_variants(made, sources, run=run)
        if params.own_solutions:
            taught = {(seed.id, text) for seed, text in organic}
            own = own_solutions(edge, seeds, domain.style)
            checked += [(m, solution_fault(m, taught)) for m in own]
        kept = [m for m, reason in checked if reason is None]
        mixed = balance(kept, organic, params)
        in_the_mix = {id(candidate) for candidate in mixed}
        checked = [
            (
                candidate,
                reason or (None if id(candidate) in in_the_mix else "over the share"),
            )
            for candidate, reason in checked
        ]
        rows = _mix_table(organic, mixed)
        run.flow = RowCounts()
        run.flow.take([None] * len(organic) + [reason for _, reason in checked])
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


def organic_rows(
    edge: RunFolder, arms: pd.DataFrame, params: Params
) -> list[tuple[Seed, str]]:
    """The chosen arm's seeds with their responses; `best` did best on dev.

    The student's own responses are a control: they are grown only where a study
    names that arm.

    Raises:
        StudyError: `best` of no arm.
    """
    arm = params.arm
    if arm == "best":
        chosen = arms[~arms.arm.isin(["base", FEW_SHOT, OWN])]
        if chosen.empty:
            raise StudyError(
                f"step 4 trained no arm but '{OWN}', which is a control and no data",
                where="synthesize.arm: best",
                todo="name more arms in probe_sft.arms, or one in synthesize.arm",
            )
        arm = chosen.loc[chosen.accuracy.idxmax(), "arm"]
    pool = edge.table()
    seeds = {seed.id: seed for seed in from_frame(pool)}
    pairs = responses_of_arm(pool, edge.table("responses"), arm)
    return [(seeds[name], text) for name, text in pairs]


def open_sources(
    params: Params, domain: Domain, edge: RunFolder, seal: Seal
) -> StudySources:
    """The sources of step 3, for seeds that its student was never asked."""
    asked = edge.manifest["params"]
    names = [name for name in ResponseConfig.model_fields if name in asked]
    config = ResponseConfig.model_validate({name: asked[name] for name in names})
    wanted = config.source_names(domain.style)
    told = edge.result.get("responses", {}).get("teacher") or {}
    # Without scores nobody asks the student anything here: its tokenizer counts.
    opened = (
        completion.open_sampler if config.score != "none" else completion.token_counter
    )
    return StudySources(
        config=config,
        names=[name for name in wanted if name not in ("student", "hinted")],
        domain=domain,
        student=opened(params),
        sampling=domain.sampling(asked["max_tokens"], asked["temperature"]),
        rng_seed=params.rng_seed,
        samples=edge.table("samples").head(0),
        pass_rates={},
        earlier=None,
        open_sampler=partial(completion.open_sampler, params),
        sealed=seal.hit,
        spent=told.get("samples", 0),
    )


def variants(
    domain: Domain, seeds: list[Seed], params: Params
) -> Iterator[tuple[Seed, str]]:
    """Every transform's rewrites of every seed; one that does not fit makes none."""
    for transform in known_transforms.chosen(domain, params.transforms):
        for seed in seeds:
            for variant in transform(seed, params.rng_seed):
                if variant.solution == seed.solution:  # it solves another question
                    variant = replace(variant, solution="")
                yield variant, transform.name


def check_variants(
    made: Sequence[tuple[Seed, str]],
    seeds: list[Seed],
    domain: Domain,
    seal: Seal,
    *,
    max_chars: int,
) -> list[tuple[Seed, str, str | None]]:
    """Variants, their transforms, and why to drop one; organic rows count as seen."""
    filtered = list(
        filter_rows(
            [*seeds, *(variant for variant, _ in made)],
            domain.verifier,
            seal,
            max_chars=max_chars,
        )
    )
    reasons = [reason for _, reason in filtered[len(seeds) :]]
    return [(*one, reason) for one, reason in zip(made, reasons, strict=True)]


def answer_variants(
    made: list[tuple[Seed, str, str | None]], sources: StudySources, *, run: StepRun
) -> list[tuple[MixRow, str | None]]:
    """Variants with their responses; one that nobody answers right is dropped.

    Writes every response that was made as `responses`.
    """
    good = [variant for variant, _, reason in made if reason is None]
    table = sources.collect(good).table
    run.save_rows(table, "responses")
    kept = table[table.kept].groupby("seed_id").text.agg(list)
    why = table[~table.kept].groupby("seed_id").reason.last()
    found: list[tuple[MixRow, str | None]] = []
    for variant, name, reason in made:
        texts = kept.get(variant.id, []) if reason is None else []
        if reason is None and not texts:
            reason = Reason("no right response", detail=why.get(variant.id, ""))
        for text in texts or [variant.answer]:
            found.append((MixRow(variant, text, "synthetic", name), reason))
    return found


def own_solutions(edge: RunFolder, seeds: list[Seed], style: Style) -> Iterator[MixRow]:
    """The student's own right answer to each of these seeds, as far as it has one.

    In a style with steps it is the best of those that passed step 3's checks. Among
    bare answers it is the shortest right and finished one, and it may show steps: it
    was asked for none, and what it shows is its own.
    """
    if style == "answer":
        samples = edge.table("samples")
        right = samples[(samples.verdict == "right") & (samples.finish == "stop")]
        best = right.sort_values(["tokens", "sample"])
    else:
        responses = edge.table("responses")
        best = responses[responses[OWN]].sort_values("rank", kind="stable")
    text = best.groupby("seed_id").text.first()
    for seed in seeds:
        if seed.id in text.index:
            parented = replace(seed, parent=seed.id, source="student")
            yield MixRow(parented, text[seed.id], "self", "own solution")


def solution_fault(own: MixRow, taught: Collection[tuple[str, str]]) -> str | None:
    """Why the student's own solution is not trained on, if so.

    Args:
        own: the solution.
        taught: what the organic rows teach: ids of seeds with their responses.
    """
    if own.completion == own.seed.answer:
        return "same as the gold"
    if (own.seed.id, own.completion) in taught:
        return AGAIN
    # The verifier read its answer only; the steps before it are taught as well.
    if wrong := first_false_step(own.completion, prompt=own.seed.prompt):
        return Reason("a step does not hold", detail=wrong)
    return None


def balance(
    candidates: list[MixRow], organic: list[tuple[Seed, str]], params: Params
) -> list[MixRow]:
    """A part of the candidates, so that the organic share is kept.

    They are drawn at random, rare answers first: a mix in which one answer holds
    most of the rows teaches to say it.
    """
    room = int(len(organic) / params.organic_share) - len(organic)
    order = rng(params.rng_seed, "mix", params.domain).permutation(len(candidates))
    seen = Counter(seed.answer for seed, _ in organic)
    ranks = {}
    for index in order:
        answer = candidates[index].seed.answer
        ranks[int(index)] = seen[answer]
        seen[answer] += 1
    chosen = sorted(ranks, key=ranks.__getitem__)[:room]
    return [candidates[index] for index in sorted(chosen)]


def _mix_table(organic: list[tuple[Seed, str]], made: list[MixRow]) -> pd.DataFrame:
    rows = [MixRow(seed, text, "organic", "") for seed, text in organic] + made
    return to_frame(
        (row.seed for row in rows),
        completion=[row.completion for row in rows],
        kind=[row.kind for row in rows],
        by=[row.by for row in rows],
    )


def _dropped_table(checked: list[tuple[MixRow, str | None]]) -> pd.DataFrame:
    dropped = [(m, reason) for m, reason in checked if reason]
    return to_frame(
        [m.seed for m, _ in dropped],
        completion=[m.completion for m, _ in dropped],
        by=[m.by for m, _ in dropped],
        reason=[str(reason) for _, reason in dropped],
        detail=[getattr(reason, "detail", "") for _, reason in dropped],
    )


def _yield_table(checked: list[tuple[MixRow, str | None]]) -> pd.DataFrame:
    tried = Counter(m.by for m, _ in checked)
    kept = Counter(m.by for m, reason in checked if reason is None)
    return pd.DataFrame(
        [
            {"transform": name, "tried": n, "kept": kept[name]}
            for name, n in tried.items()
        ],
        columns=["transform", "tried", "kept"],
    )
