"""Step 5: more rows that are right by construction, and the frozen data set.

Reads the tiers and the student's samples. Writes variants of the teachable
seeds, each with a checked response, the student's own verified solutions, and both
with the organic rows as one frozen `datasets` folder. Every row names its parent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import ClassVar, Literal

import pandas as pd
from pydantic import Field, ValidationInfo, field_validator

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.answer_style import Style, token_limit
from phi_kit.core.errors import PhiKitError, StudyError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.rng import rng
from phi_kit.core.row_counts import RowCounts
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step
from phi_kit.data import dropped_rows, records
from phi_kit.data.dropped_rows import Reason
from phi_kit.data.records import Seed, from_frame, to_frame
from phi_kit.data.sealed_splits import Seal
from phi_kit.domains.base import Domain
from phi_kit.domains.transform import Transform
from phi_kit.evaluation import guessing_baseline
from phi_kit.evaluation.few_shot import FEW_SHOT
from phi_kit.inference import completion
from phi_kit.inference.types import SamplingParams
from phi_kit.models.control_tokens import control_tokens
from phi_kit.plots import transform_yields
from phi_kit.responses.choose import AGAIN
from phi_kit.responses.response_config import ResponseConfig
from phi_kit.responses.study_sources import StudySources
from phi_kit.selection import question_rubric
from phi_kit.synthesis import frozen_set, known_transforms
from phi_kit.synthesis.asked_rows import REPLY, AskedModels
from phi_kit.synthesis.frozen_facts import FrozenFacts
from phi_kit.synthesis.gates import (
    GateLog,
    MixRow,
    Passed,
    dropped_frame,
    numbered,
    row_by_row,
)
from phi_kit.synthesis.response_gate import answering, likelier
from phi_kit.synthesis.row_gates import RowGates, seen_prompts
from phi_kit.synthesis.teacher_transforms import BRIDGE
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
    second_answers: int = Field(2, ge=1)  # a teacher's, to a question it rewrote
    grader: str = ""  # a model that says whether a made question is well-posed
    organic_share: float = Field(0.33, gt=0, le=1)
    max_chars: int = Field(2000, ge=1)

    def external_digests(self) -> dict[str, str]:
        """The student, whose tokenizer counts; the teacher's name is step 3's."""
        marks = {"model": completion.model_fingerprint(self.model)}
        if self.grader:
            marks["grader"] = completion.model_fingerprint(self.grader)
        return marks

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


@reuse_finished
def run(params: Params) -> StepRun:
    """Make candidates, drop what a gate refuses, mix, and freeze."""
    with open_run(params) as run:
        domain = domains.of(params)
        edge = run.read(step_table.FILTER_EDGE)
        organic = organic_rows(edge, run.read(step_table.PROBE_SFT).table(), params)
        seal = Seal.of([run.read(step_table.PICK_DOMAIN)])
        sources = open_sources(params, domain, edge, seal)
        log = gated(organic, edge, seal, sources, params=params, run=run)
        rows = _mix_table(organic, log.rows)
        run.flow = RowCounts()
        run.flow.take([None] * len(rows) + [one.reason for one in log.dropped])
        run.save_rows(rows)
        run.save_rows(dropped_frame(log.dropped), "dropped")
        run.save_rows(
            dropped_rows.seal_hit_table(
                (one.row.seed, one.reason) for one in log.dropped
            ),
            "sealed_hits",
        )
        yielded = _yield_table(log)
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
            "gates": log.counts,
            "frozen": frozen_set.frozen_hash(rows),
            "lopsided": guessing_baseline.lopsided_answers(
                ("the mix", answer) for answer in rows.answer
            ),
        }
        facts = FrozenFacts.of(
            rows,
            run.result,
            params=params,
            style=domain.style,
            models=_models(params, sources),
            dropped=run.flow.dropped,
        )
        frozen_set.freeze(rows, run.folder(records.DATASET), facts)
    return run


def gated(
    organic: list[tuple[Seed, str]],
    edge: RunFolder,
    seal: Seal,
    sources: StudySources,
    *,
    params: Params,
    run: StepRun,
) -> GateLog:
    """Everything that is made of the organic rows, sent through every gate.

    Args:
        organic: seeds with the responses that they teach.
        edge: step 3.
        seal: of the domain.
        sources: of responses.
        params: of the step.
        run: the step; it gets the table of responses.
    """
    domain, seeds, log = sources.domain, unique_seeds(organic), GateLog()
    taught = {(seed.id, text) for seed, text in organic}
    told = {seed.id: text for seed, text in reversed(organic)}
    needing = asking_transforms(domain, params, sources)
    asked = asked_models(params, sources, domain)
    with unfinished_kept(log, run):
        log.add(synthetic_rows(domain, seeds, params))
        if needing:
            log.take(REPLY, asked.rows(needing, seeds, told))
        known = {one.id: one for one in from_frame(edge.table())}
        gates = row_gates(domain, seal, params, seeds=seeds, known=known, log=log)
        for name, gate in gates.named().items():
            log.send(name, gate)
        if needing:
            names = [one.name for one in needing]
            log.send(
                "second answer", asked.second_answers(names, params.second_answers)
            )
            sources.spent += asked.spent
        save = partial(run.save_rows, name="responses")
        log.send("response", answering(sources, taught, save=save))
        if any(one.name == BRIDGE for one in needing):
            log.send("likelier", likelier(sources, told))
        if params.own_solutions:
            log.add(own_solutions(edge, seeds, domain.style))
            log.send("own solution", row_by_row(partial(_own_fault, taught)))
        log.send("share", partial(within_share, organic, params))
    return log


def unique_seeds(organic: Sequence[tuple[Seed, str]]) -> list[Seed]:
    """The seeds of the organic rows, each once, in an order of their own.

    What is made then depends neither on the order of a source nor on what stands
    twice in it.
    """
    by_id = {seed.id: seed for seed, _ in organic}
    return [by_id[name] for name in sorted(by_id)]


@contextmanager
def unfinished_kept(log: GateLog, run: StepRun) -> Iterator[None]:
    """Where the step is stopped, every row it had stays with its fate, in a table.

    It lies in the step's work folder: a budget that ends, Ctrl-C or an error leaves
    no row unaccounted for.
    """
    try:
        yield
    except (KeyboardInterrupt, PhiKitError):
        run.work.mkdir(parents=True, exist_ok=True)
        frame = dropped_frame(log.stopped(log.at or REPLY))
        frame.to_parquet(run.work / "unfinished.parquet", index=False)
        raise


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


def synthetic_rows(
    domain: Domain, seeds: list[Seed], params: Params
) -> Iterator[MixRow]:
    """The transforms' rows, which no gate has seen and which have no response yet."""
    for variant, name in variants(domain, seeds, params):
        yield MixRow(variant, "", "synthetic", name)


def variants(
    domain: Domain, seeds: list[Seed], params: Params
) -> Iterator[tuple[Seed, str]]:
    """Every transform's rewrites of every seed; one that does not fit makes none."""
    for transform in known_transforms.chosen(domain, params.transforms):
        for seed in seeds if transform.needs == "nothing" else ():
            for variant in transform(seed, params.rng_seed):
                if variant.solution == seed.solution:  # it solves another question
                    variant = replace(variant, solution="")
                yield variant, transform.name


def asking_transforms(
    domain: Domain, params: Params, sources: StudySources
) -> list[Transform]:
    """The chosen transforms that a model carries out.

    Raises:
        StudyError: one needs a teacher, and the study names none.
    """
    chosen = known_transforms.chosen(domain, params.transforms)
    needing = [one for one in chosen if one.needs != "nothing"]
    lacking = [one.name for one in needing if one.needs == "teacher"]
    if lacking and not sources.config.teacher:
        raise StudyError(
            f"{', '.join(lacking)} need{'s' * (len(lacking) == 1)} a teacher, and the "
            "study names none",
            where="synthesize.transforms",
            todo="set teacher: to a strong model, or leave the transforms out",
        )
    return needing


def asked_models(params: Params, sources: StudySources, domain: Domain) -> AskedModels:
    """The teacher and the student, for transforms that need one."""
    config = sources.config
    tokens = token_limit(config.teacher_tokens, domain.style, strong=True)
    budget = config.teacher_budget
    names = {"teacher": config.teacher, "student": params.model}
    return AskedModels(
        lambda who: completion.open_sampler(params, names[who]),
        domain,
        SamplingParams(tokens),
        params.rng_seed,
        room=max(0, budget - sources.spent) if budget else None,
    )


def row_gates(
    domain: Domain,
    seal: Seal,
    params: Params,
    *,
    seeds: list[Seed],
    known: Mapping[str, Seed],
    log: GateLog,
) -> RowGates:
    """The gates on questions and golds; organic rows count as seen.

    Args:
        domain: of the step.
        seal: of its domain.
        params: of the step.
        seeds: of the organic rows.
        known: the pool, in which ancestors are looked up.
        log: the rows that were made, among which ancestors are looked up, too.
    """
    made = {row.seed.id: row.seed for row in log.rows}
    grader = None
    if params.grader:
        model = completion.open_sampler(params, params.grader)
        grader = question_rubric.grader(model, rng_seed=params.rng_seed)
    return RowGates(
        domain,
        seal,
        {**made, **known},
        max_chars=params.max_chars,
        marks=control_tokens(completion.folder_at_hand(params.model)),
        alike=[one.name for one in known_transforms.KIT if one.needs != "nothing"],
        grade=grader,
        seen=seen_prompts(seeds),
    )


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


def _own_fault(taught: Collection[tuple[str, str]], row: MixRow) -> str | None:
    return solution_fault(row, taught) if row.kind == "self" else None


def within_share(
    organic: list[tuple[Seed, str]], params: Params, rows: Sequence[MixRow]
) -> Passed:
    """The gate that keeps the organic share; see `balance`."""
    chosen = {id(row) for row in balance(list(rows), organic, params)}
    over = Reason("over the share")
    return row_by_row(lambda row: None if id(row) in chosen else over)(rows)


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
    rows = numbered(MixRow(seed, text, "organic", "") for seed, text in organic) + made
    return to_frame(
        (row.seed for row in rows),
        row_id=[row.id for row in rows],
        completion=[row.completion for row in rows],
        kind=[row.kind for row in rows],
        by=[row.by for row in rows],
    )


def _yield_table(log: GateLog) -> pd.DataFrame:
    kept = Counter(row.by for row in log.rows)
    tried = kept + Counter(one.row.by for one in log.dropped)
    return pd.DataFrame(
        [
            {"transform": name, "tried": tried[name], "kept": kept[name]}
            for name in log.makers
            if tried[name]
        ],
        columns=["transform", "tried", "kept"],
    )


def _models(params: Params, sources: StudySources) -> dict[str, str]:
    """The models that have a part in the set, by their role."""
    named = {
        "student": params.model,
        "teacher": sources.config.teacher,
        "grader": params.grader,
    }
    return {role: name for role, name in named.items() if name}
