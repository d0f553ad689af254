"""Step 5: more rows that are right by construction, and the frozen data set.

Reads the tiers and the student's samples. Writes variants of the teachable
seeds, each with a checked response, the student's own verified solutions, and both
with the organic rows as one frozen `datasets` folder. Every row names its parent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar, Literal

import pandas as pd
from pydantic import Field, ValidationInfo, field_validator

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.answer_style import token_limit
from phi_kit.core.errors import PhiKitError, StudyError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.rng import label_seed
from phi_kit.core.row_counts import RowCounts
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step
from phi_kit.data import dropped_rows, records
from phi_kit.data.records import Seed, from_frame
from phi_kit.data.sealed_splits import Seal, unseal
from phi_kit.domains.base import Domain
from phi_kit.domains.transform import Transform
from phi_kit.evaluation import guessing_baseline
from phi_kit.evaluation.few_shot import FEW_SHOT
from phi_kit.inference import completion
from phi_kit.inference.types import SamplingParams
from phi_kit.models.control_tokens import control_tokens
from phi_kit.plots import mix_spread, transform_yields
from phi_kit.responses.response_config import ResponseConfig
from phi_kit.responses.study_sources import StudySources
from phi_kit.selection import question_rubric
from phi_kit.synthesis import frozen_set, known_transforms, mix_balance, rounds
from phi_kit.synthesis.asked_rows import REPLY, AskedModels, wanted_rows
from phi_kit.synthesis.frozen_facts import FrozenFacts
from phi_kit.synthesis.gates import (
    DroppedRow,
    Gate,
    GateLog,
    MixRow,
    dropped_frame,
    row_by_row,
)
from phi_kit.synthesis.mix import mix_table, own_fault, own_solutions, within_share
from phi_kit.synthesis.response_gate import answering, likelier, own_trace_fault
from phi_kit.synthesis.row_gates import AGREEMENT, RowGates, seen_prompts
from phi_kit.synthesis.teacher_transforms import BRIDGE
from phi_kit.training import training_config as recipes
from phi_kit.training.arms import OWN, Arm, responses_of_arm


class Params(StepParams):
    """How much is made, and how much of the mix stays organic.

    At least a fifth to a third of the rows stays organic (kit default).
    """

    STEP: ClassVar[Step] = step_table.SYNTHESIZE
    SEALED: ClassVar[tuple[str, ...]] = ("dev",)  # for the probes between rounds

    domain: str = "math"
    arm: Arm | Literal["best"] = "best"
    transforms: list[str] = Field([])
    own_solutions: bool = True
    second_answers: int = Field(2, ge=1)  # a teacher's, to a question it rewrote
    grader: str = ""  # a model that says whether a made question is well-posed
    organic_share: float = Field(0.33, gt=0, le=1)
    max_chars: int = Field(2000, ge=1)
    gate: Literal["on", "off"] = "on"  # off: wrong traces too, for a comparison
    rounds: int = Field(1, ge=1, le=3)  # after each a probe says what is made next
    round_samples: int = Field(4, ge=1)  # of each seed, by the student of that probe

    @property
    def loads_weights(self) -> bool:
        """Between rounds the student is trained."""
        return self.rounds > 1

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
        growth = Growth.of(params, run.read)
        growth.grow(run)
        log, answered = growth.log, pd.concat(growth.answered, ignore_index=True)
        run.save_rows(answered, "responses")
        sources, rows = growth.sources, mix_table(growth.organic, log.rows)
        rows["logprob"] = mix_balance.row_logprobs(rows, growth.edge, answered, sources)
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
        balance = mix_balance.balance_table(rows, rng_seed=params.rng_seed)
        run.save_figure(mix_spread.draw(balance), "mix_against_seeds")
        run.table = rows
        run.result = {
            "transforms": yielded.to_dict("records"),
            "mix": mix,
            "balance": balance.astype(object)
            .where(balance.notna(), None)
            .to_dict("records"),
            "gates": log.counts,
            **({"rounds": growth.rounds} if growth.rounds else {}),
            "frozen": frozen_set.frozen_hash(rows),
            "lopsided": guessing_baseline.lopsided_answers(
                ("the mix", answer) for answer in rows.answer
            ),
        }
        facts = FrozenFacts.of(
            rows,
            run.result,
            params=params,
            domain=sources.domain,
            models=_models(params, sources),
            dropped=run.flow.dropped,
        )
        frozen_set.freeze(rows, run.folder(records.DATASET), facts)
    return run


@dataclass
class Growth:
    """What is made of a domain's organic rows, round after round.

    Attributes:
        organic: seeds with the responses that they teach.
        edge: step 3.
        seal: of the domain.
        sources: of responses.
        params: of the step.
        log: the rows of the rounds that are done, with their fates.
        now: those of the round under way.
        answered: each round's table of responses.
        rounds: what is told of each; nothing where there is one round only.
    """

    organic: list[tuple[Seed, str]]
    edge: RunFolder
    seal: Seal
    sources: StudySources
    params: Params
    log: GateLog = field(default_factory=GateLog)
    now: GateLog = field(default_factory=GateLog)
    answered: list[pd.DataFrame] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, params: Params, read: Callable[[Step], RunFolder]) -> Growth:
        """Before anything is made; `read` gives the folders of earlier steps."""
        domain, edge = domains.of(params), read(step_table.FILTER_EDGE)
        organic = organic_rows(edge, read(step_table.PROBE_SFT).table(), params)
        seal = Seal.of([read(step_table.PICK_DOMAIN)])
        sources = open_sources(params, domain, edge, seal)
        return cls(organic, edge, seal, sources, params)

    def grow(self, run: StepRun) -> None:
        """Make the rounds; each but the last is probed, and says what comes next."""
        seeds = chosen = unique_seeds(self.organic)
        several = self.params.rounds > 1
        bench = open_rounds(self, run) if several else None
        before = bench.base() if bench else []
        with unfinished_kept(self, run):
            for number in range(1, self.params.rounds + 1):
                had = len(self.log.rows)
                self.make(number, chosen)
                self.log.join(self.now)
                self.now = GateLog()
                told = {"round": number, "seeds": len(chosen)}
                told |= {"rows": len(self.log.rows) - had}
                if bench and number < self.params.rounds:
                    mix = rounds.taught(self.organic, self.log.rows)
                    judged = rounds.judge(
                        before,
                        bench.probe(number, mix, seeds),
                        first=number == 1,
                        rng_seed=self.params.rng_seed,
                    )
                    told |= judged.as_dict(rng_seed=self.params.rng_seed)
                    if judged.said == rounds.FELL:
                        self.log.send("round", rounds.taking_back(had))
                    before, chosen = judged.items, list(judged.next_seeds)
                else:
                    told["said"], chosen = rounds.LAST, []
                self.rounds += [told] if several else []
                if not chosen:
                    break

    def make(self, number: int, seeds: list[Seed]) -> None:
        """Rewrite these seeds, and send the rows through every gate."""
        params, domain, sources = self.params, self.sources.domain, self.sources
        if number > 1:  # other numbers in the rewrites
            again = label_seed(params.rng_seed, "round", number)
            params = params.model_copy(update={"rng_seed": again})
        log, asked = self.now, asked_models(params, sources)
        needing = asking_transforms(domain, params, sources)
        log.add(synthetic_rows(domain, seeds, params))
        if needing:
            log.expect(wanted_rows(needing, seeds, self.told))
            log.take(REPLY, asked.rows(needing, seeds, self.told))
        for name, gate in self.gates(asked, needing).items():
            log.send(name, gate)
        if params.own_solutions and number == 1:
            wrong = params.gate == "off"
            log.add(own_solutions(self.edge, seeds, domain.style, wrong=wrong))
            fault = partial(own_trace_fault, sources) if wrong else own_fault
            log.send("own solution", row_by_row(partial(fault, self.taught)))
        part, kept = number / params.rounds, self.log.rows
        log.send(
            "share", partial(within_share, self.organic, params, kept=kept, part=part)
        )

    def gates(
        self, asked: AskedModels, needing: Sequence[Transform]
    ) -> dict[str, Gate]:
        """What the made rows of this round come to, in this order.

        Organic rows count as seen. With `gate: off` wrong traces go on: what is sealed
        or no text does not.

        Args:
            asked: the teacher answers once more what a model wrote.
            needing: the transforms that a model carried out.
        """
        params, sources = self.params, self.sources
        wrong, written = params.gate == "off", [one.name for one in needing]
        made = {row.seed.id: row.seed for row in self.now.rows}
        pool = {one.id: one for one in from_frame(self.edge.table())}
        seen = [*unique_seeds(self.organic), *(row.seed for row in self.log.rows)]
        gates = RowGates(
            sources.domain,
            self.seal,
            {**made, **pool},
            max_chars=params.max_chars,
            marks=control_tokens(completion.folder_at_hand(params.model)),
            alike=written,
            grade=named_grader(params, rng_seed=asked.rng_seed),
            seen=seen_prompts(seen),
        ).named()
        if wrong:
            del gates[AGREEMENT]
        elif written:
            gates["second answer"] = asked.second_answers(
                written, params.second_answers
            )
        gates["response"] = answering(
            sources, self.taught, save=self.answered.append, wrong=wrong
        )
        if BRIDGE in written:
            gates["likelier"] = likelier(sources, self.told)
        return gates

    @property
    def told(self) -> dict[str, str]:
        """By the id of an organic row's seed, the first response that it teaches."""
        return {seed.id: text for seed, text in reversed(self.organic)}

    @property
    def taught(self) -> set[tuple[str, str]]:
        """What the mix teaches so far: ids of seeds with responses."""
        made = ((row.seed.id, row.completion) for row in self.log.rows)
        return {*((seed.id, text) for seed, text in self.organic), *made}

    def stopped(self) -> list[DroppedRow]:
        """Every row with its fate, where the step is stopped."""
        before = self.now.at or REPLY
        return [*self.log.stopped("a further round"), *self.now.stopped(before)]


def open_rounds(growth: Growth, run: StepRun) -> rounds.RoundBench:
    """What the probes between the rounds need: dev, the student, step 4's recipe."""
    params, card = growth.params, run.read(step_table.PICK_DOMAIN)
    recipe = run.read(step_table.PROBE_SFT).file(recipes.RECIPE_FILE)
    domain = growth.sources.domain
    return rounds.RoundBench(
        run=run,
        student=completion.open_sampler(params, workers=1),  # it is trained
        domain=domain,
        sealed=growth.seal.hit,
        recipe=recipes.read_config(recipe),
        card=card,
        dev=unseal(card, "dev", params=params),
        edge=growth.edge.manifest["params"],
        samples=params.round_samples,
    )


def unique_seeds(organic: Sequence[tuple[Seed, str]]) -> list[Seed]:
    """The seeds of the organic rows, each once, in an order of their own.

    What is made then depends neither on the order of a source nor on what stands
    twice in it.
    """
    by_id = {seed.id: seed for seed, _ in organic}
    return [by_id[name] for name in sorted(by_id)]


@contextmanager
def unfinished_kept(growth: Growth, run: StepRun) -> Iterator[None]:
    """Where the step is stopped, every row it had stays with its fate, in a table.

    It lies in the step's work folder: a budget that ends, Ctrl-C or an error leaves
    no row unaccounted for.
    """
    try:
        yield
    except (KeyboardInterrupt, PhiKitError):
        run.work.mkdir(parents=True, exist_ok=True)
        frame = dropped_frame(growth.stopped())
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


def asked_models(params: Params, sources: StudySources) -> AskedModels:
    """The teacher and the student, for transforms that need one."""
    config, style = sources.config, sources.domain.style
    tokens = token_limit(config.teacher_tokens, style, strong=True)
    names = {"teacher": config.teacher, "student": params.model}
    return AskedModels(
        lambda who: completion.open_sampler(params, names[who]),
        sources,
        SamplingParams(tokens),
        params.rng_seed,
    )


def named_grader(params: Params, *, rng_seed: int) -> question_rubric.Complete | None:
    """The model that says whether a question is well-posed, if the study names one."""
    if not params.grader:
        return None
    model = completion.open_sampler(params, params.grader)
    return question_rubric.grader(model, rng_seed=rng_seed)


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
