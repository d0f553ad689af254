"""Step 3: which seeds are at the edge of the model's ability?

Reads the clean seeds. Writes the student's samples with their verdicts; for every
seed a pass rate with its interval, a tier with its risk, and how far its samples
agree; fresh samples of those in the band; the responses that may be trained on, and
those that may not with their reason; and the control arms. A reference model answers
seeds without gold and judges what nobody solves.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Self

import pandas as pd
from pydantic import Field, field_validator, model_validator

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.answer_style import Style, token_limit
from phi_kit.core.errors import DataError
from phi_kit.core.params import StepParams
from phi_kit.core.row_counts import RowCounts
from phi_kit.core.step_run import StepRun, open_run, reuse_finished
from phi_kit.core.step_table import Step
from phi_kit.data.records import Seed, from_frame, to_frame
from phi_kit.data.sealed_splits import Seal
from phi_kit.domains.base import Domain
from phi_kit.evaluation.ask import (
    row_lengths,
    truncated_share,
    unanswered_counts,
)
from phi_kit.evaluation.few_shot import choose_examples
from phi_kit.inference import completion
from phi_kit.inference.types import Sampler
from phi_kit.plots import pass_rate_histogram
from phi_kit.responses.own import with_own
from phi_kit.responses.response_config import ResponseConfig
from phi_kit.responses.study_sources import StudySources, require_responses
from phi_kit.selection import controls, question_rubric, reference_answers, tiers
from phi_kit.selection.adaptive_sampling import SamplingPlan
from phi_kit.selection.pass_rate_sampling import PassRateSampler
from phi_kit.stats.intervals import accuracy


class Params(ResponseConfig, StepParams):
    """How seeds are sampled, where the tiers begin, and who else is asked.

    The report drops what the base model solves, prefers reasoning over recall and
    takes a strong model's plurality where gold is missing (arXiv 2504.21318). It
    publishes neither the number of samples nor any threshold: every number here is
    a kit default.

    Args:
        samples: of every seed, to begin with.
        max_samples: of one seed, where its tier stays in doubt.
        budget: samples per seed, as the mean over all; the first ones always fit.
        risk: the share of seeds that may have another tier than `max_samples`
            would give them; no more is drawn than it takes.
        confirm: fresh samples of each seed in the band, so that its pass rate is not
            the one that it was put there for; 0 leaves them out.
        band_low: a pass rate below it is frontier.
        band_high: a pass rate from it on is easy.
        wanted: teachable rows to keep, the highest priority first, among equals what
            is solved sometimes and what never in proportion; 0 keeps all.
        reference: a strong model, for seeds without gold and those never solved.
        reference2: a second family that has to agree with it.
        reference_samples: answers the reference gives to a seed.
        reference_tokens: their length at most; `None`: as the style has it.
        reference_share: of its answers, that the plurality needs to be sure.
        reference_margin: by which it must lead the runner-up.
        gold_slice: seeds with gold that the reference answers as a test.
        rubric_model: grades the teachable seeds' questions for their priority.
    """

    STEP: ClassVar[Step] = step_table.FILTER_EDGE
    AT_TOP: ClassVar[tuple[str, ...]] = ("responses", "teacher")

    domain: str = "math"
    samples: int = Field(4, ge=2)
    max_samples: int = Field(16, ge=2)
    budget: float = Field(5.0, ge=2)
    risk: float = Field(0.05, ge=0, lt=1)
    confirm: int = Field(2, ge=0)
    max_tokens: int | None = Field(None, ge=1)  # none: the limit of the style
    temperature: float = Field(0.6, gt=0)
    band_low: float = Field(0.1, ge=0, le=1)
    band_high: float = Field(0.75, ge=0, le=1)
    wanted: int = Field(0, ge=0)
    reference: str = ""
    reference2: str = ""
    reference_samples: int = Field(8, ge=2)
    reference_tokens: int | None = Field(None, ge=1)
    reference_share: float = Field(0.6, gt=0, le=1)
    reference_margin: float = Field(0.2, ge=0, le=1)
    gold_slice: int = Field(40, ge=0)
    rubric_model: str = ""

    _known = field_validator("domain")(domains.known)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.band_low >= self.band_high:
            raise ValueError("band_low should be below band_high")
        if self.samples > self.max_samples:
            raise ValueError("samples should not be above max_samples")
        if self.reference2 and not self.reference:
            raise ValueError("reference2 is a second opinion: give a reference too")
        return self

    @property
    def band(self) -> tuple[float, float]:
        """The edges of the teachable band."""
        return self.band_low, self.band_high

    def rules(self, style: Style) -> reference_answers.ReferenceRules:
        """How the reference is asked in the study's style."""
        return reference_answers.ReferenceRules(
            tuple(filter(None, (self.reference, self.reference2))),
            self.reference_samples,
            token_limit(self.reference_tokens, style, strong=True),
            self.reference_share,
            self.reference_margin,
            partial(completion.open_sampler, self),
        )

    def plan(self, seeds: int) -> SamplingPlan:
        """How the samples of so many seeds are spent."""
        budget = round(self.budget * seeds)
        return SamplingPlan(
            self.samples, self.max_samples, self.risk, budget, self.band
        )

    def external_digests(self) -> dict[str, str]:
        """The weights of every model that is asked."""
        names = ("model", "teacher", "reference", "reference2", "rubric_model")
        models = {name: getattr(self, name) for name in names}
        return {
            name: completion.model_fingerprint(model)
            for name, model in models.items()
            if model
        }


@reuse_finished
def run(params: Params) -> StepRun:
    """Sample every seed, rate it, sort it into a tier, draw the controls."""
    with open_run(params) as run:
        domain = domains.of(params)
        seeds = from_frame(run.read(step_table.COLLECT_SEEDS).table())
        key = reference_answers.answer_key(
            params.rules(domain.style),
            domain,
            seeds,
            known=params.gold_slice,
            rng_seed=params.rng_seed,
        )
        rows = rate_seeds(params, domain, key.seeds, run=run)
        rows, earlier = recheck_frontier(params, domain, rows, key=key, run=run)
        rows = add_responses(params, domain, rows, key.seeds, earlier, run=run)
        rows = rank_teachable(params, rows, key.seeds)
        _require_teachable(rows, run=run)
        rows = rows.assign(**controls.control_columns(rows, rng_seed=params.rng_seed))
        run.save_rows(rows)
        run.flow = RowCounts()
        run.flow.take(None if name == "teachable" else name for name in rows.tier)
        figure = pass_rate_histogram.draw(rows, band=params.band)
        run.figure = run.save_figure(figure, "pass_rates")
        run.table = rows
        run.result |= {
            "tiers": rows.tier.value_counts().to_dict(),
            "risk": rows.groupby("tier").risk.mean().dropna().round(4).to_dict(),
            "band": params.band,
            "never_solved": tiers.never_solved_note(rows),
            "teachable_places": rows[rows.tier == "teachable"]
            .place.value_counts()
            .to_dict(),
            "measured_afresh": fresh_pass_rates(rows, rng_seed=params.rng_seed),
            **controls.arm_sizes(rows),
        }
    return run


def rate_seeds(
    params: Params, domain: Domain, seeds: list[Seed], *, run: StepRun
) -> pd.DataFrame:
    """What the student makes of every seed: one row each, with tier and reason.

    Writes the samples, the fresh ones too, and puts into the result what they took.
    `place` says where the pass rate lies to the band. Seeds that nobody could answer
    are not asked; they are `suspect`.
    """
    student = completion.open_sampler(params)
    asked = [seed for seed in seeds if seed.answer]
    if not asked:
        raise DataError(
            f"none of {len(seeds)} seeds has an answer",
            todo="give the reference more samples, or name a stronger one",
        )
    sampling = domain.sampling(params.max_tokens, params.temperature)
    screening = PassRateSampler(
        student, domain, asked, sampling=sampling, rng_seed=params.rng_seed
    )
    outcome = screening.run(params.plan(len(asked)))
    rated = screening.rating_table(outcome)
    tier, why = tiers.assign_by_student(rated, outcome.tier_index, asked)
    place = [tiers.PLACES[at] for at in outcome.tier_index]
    rated = rated.assign(tier=tier, why=why, place=place)
    teachable = _seeds_of("teachable", rated, asked)
    if params.confirm and teachable:
        fresh, samples = screening.fresh_pass_rates(teachable, k=params.confirm)
        rated = rated.join(fresh)
        run.save_rows(samples, "fresh")
    run.save_rows(screening.samples, "samples")
    run.result |= {
        "samples": round(sum(outcome.spent) / len(asked), 2),
        "rounds": outcome.spent,
        "doubt": round(float(outcome.doubt.mean()), 4),
        "truncated": truncated_share(screening.samples),
        "unanswered": unanswered_counts(screening.samples),
        "cut_off": screening.truncation_summary(),
    }
    rows = to_frame(seeds).join(rated, on="id")
    counts = dict.fromkeys(("right", "wrong", "cut", "unknown", "n"), 0)
    texts = {"tier": "suspect", "why": reference_answers.SPLIT, "plurality": ""}
    texts |= {"place": ""}
    return rows.fillna(counts | texts).astype(dict.fromkeys(counts, int))


def recheck_frontier(
    params: Params,
    domain: Domain,
    rows: pd.DataFrame,
    *,
    key: reference_answers.AnswerKey,
    run: StepRun,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows after the reference has seen what the student never solves.

    It is asked where the gold is not its own: a seed stays `frontier` only if it is
    sure of that gold. What it said to the gold slice stands. Writes all that it was
    asked.

    Returns:
        The rows, and every answer of the references, for a teacher of the same name.
    """
    if not params.reference:
        return rows, reference_answers.answers_table(key.opinions)
    known = {opinion.seed.id: opinion for opinion in key.opinions}
    seeds = [
        seed
        for seed in _seeds_of("frontier", rows, key.seeds)
        if reference_answers.ANSWERED_BY not in seed.facts
    ]
    new = reference_answers.ask_references(
        params.rules(domain.style),
        domain,
        [seed for seed in seeds if seed.id not in known],
        rng_seed=params.rng_seed,
    )
    known |= {opinion.seed.id: opinion for opinion in new}
    opinions = [known[seed.id] for seed in seeds]
    whys = [
        reference_answers.frontier_doubt(opinion, domain.verifier)
        for opinion in opinions
    ]
    distrusted = {s.id: why for s, why in zip(seeds, whys, strict=True) if why}
    asked = reference_answers.opinion_table(opinions, "never solved")
    run.save_rows(pd.concat([key.asked, asked]), "reference")
    split = whys.count(reference_answers.SPLIT)
    counts = {"asked": len(seeds), "split": split, "other": len(distrusted) - split}
    run.result["reference"] = key.report | {"never_solved": counts}
    doubted = rows.id.isin(distrusted)
    rows = rows.assign(
        tier=rows.tier.mask(doubted, "suspect"),
        why=rows.why.mask(doubted, rows.id.map(distrusted)),
    )
    return rows, reference_answers.answers_table(list(known.values()))


def add_responses(
    params: Params,
    domain: Domain,
    rows: pd.DataFrame,
    seeds: list[Seed],
    earlier: pd.DataFrame,
    *,
    run: StepRun,
) -> pd.DataFrame:
    """The rows with what each seed's kept responses cost, and the tiers they make.

    Writes every response that was made, with `kept`, `own` (the student's own, for
    that control) and the reason why it is not trained on.

    Args:
        params: of the step.
        domain: in the study's style.
        rows: of the seeds, with their tiers.
        seeds: of those rows, in the same order.
        earlier: what the references answered.
        run: the step.

    Raises:
        DataError: no seed has a response that may be trained on.
    """
    sources = _open_sources(params, domain, rows, earlier, run=run)
    answered = [seed for seed in seeds if seed.answer]
    found = sources.collect(answered)
    require_responses(found, domain, sources.names)
    trusted = rows[rows.tier != "suspect"]
    examples = choose_examples(
        trusted, found.table, k=params.own_examples, rng_seed=params.rng_seed
    )
    own = sources.collect_own(answered, examples)
    table = with_own(found.table, own.table)
    run.save_rows(table, "responses")
    rule = params.teachable_rule(domain.style)
    run.result["responses"] = found.summary | {
        "style": domain.style,
        "own": own.summary,
        "settings": params.settings(),
        "teacher": sources.teacher.spending.as_dict() if sources.teacher else None,
        "teachable": rule,
    }
    rows = rows.assign(
        responses=_counted(rows, table[table.kept]),
        own_responses=_counted(rows, table[table.own]),
    )
    kept = _training_tokens(sources.student, domain, seeds, table[table.kept])
    return rows.join(kept, on="id").assign(tier=tiers.assign_by_response(rows, rule))


def _open_sources(
    params: Params,
    domain: Domain,
    rows: pd.DataFrame,
    earlier: pd.DataFrame,
    *,
    run: StepRun,
) -> StudySources:
    """The study's sources, with what student and references have said already."""
    # A teacher's budget is not for seeds whose gold is in doubt: they come last.
    easiness = rows.pass_rate.fillna(0).mask(rows.tier == "suspect", float("inf"))
    return StudySources(
        config=params,
        names=params.source_names(domain.style),
        domain=domain,
        student=completion.open_sampler(params),
        sampling=domain.sampling(params.max_tokens, params.temperature),
        rng_seed=params.rng_seed,
        samples=pd.read_parquet(run.staging / "samples.parquet"),
        pass_rates=dict(zip(rows.id, easiness, strict=True)),
        earlier=earlier,
        open_sampler=partial(completion.open_sampler, params),
        sealed=Seal.of([run.read(step_table.PICK_DOMAIN)]).hit,
    )


def _counted(rows: pd.DataFrame, responses: pd.DataFrame) -> pd.Series:
    """How many of these responses each row's seed has."""
    return rows.id.map(responses.groupby("seed_id").size()).fillna(0).astype(int)


def _training_tokens(
    student: Sampler, domain: Domain, seeds: list[Seed], kept: pd.DataFrame
) -> pd.DataFrame:
    """Each seed's tokens as training rows, and how many of them the loss sees.

    A seed without a response counts with its gold; nobody trains on it.
    """
    by_id = {seed.id: seed for seed in seeds}
    pairs = [(by_id[one.seed_id], one.text) for one in kept.itertuples()]
    lacking = [seed for seed in seeds if seed.id not in set(kept.seed_id)]
    pairs += [(seed, seed.answer) for seed in lacking]
    lengths = row_lengths(student, domain, pairs)
    return lengths.groupby([seed.id for seed, _ in pairs]).sum()


def rank_teachable(
    params: Params, rows: pd.DataFrame, seeds: list[Seed]
) -> pd.DataFrame:
    """The rows with the teachable ones' priority; those above `wanted` are `spare`.

    Without a rubric, and among equals, see `tiers.first_rows`.

    Args:
        params: of the step.
        rows: with their tiers.
        seeds: of those rows, in the same order.
    """
    teachable = rows[rows.tier == "teachable"]
    if params.rubric_model and len(teachable):
        grader = question_rubric.grader(
            completion.open_sampler(params, params.rubric_model),
            rng_seed=params.rng_seed,
        )
        grades = question_rubric.grade_questions(
            grader, _seeds_of("teachable", rows, seeds)
        )
        rows = rows.join(question_rubric.grade_table(grades, index=teachable.index))
    else:
        rows = rows.assign(priority=float("nan"))
    if not params.wanted:
        return rows
    chosen = tiers.first_rows(rows.loc[teachable.index], params.wanted)
    spare = teachable.index.difference(chosen)
    return rows.assign(tier=rows.tier.mask(rows.index.isin(spare), "spare"))


def _seeds_of(tier: str, rows: pd.DataFrame, seeds: list[Seed]) -> list[Seed]:
    """The seeds of one tier; `rows` has a row for each of them, in order."""
    return [seed for seed, name in zip(seeds, rows.tier, strict=True) if name == tier]


def _require_teachable(rows: pd.DataFrame, *, run: StepRun) -> None:
    """Stop where training would have nothing to learn from.

    Raises:
        DataError: no seed is teachable, or too few are.
    """
    teachable = (rows.tier == "teachable").sum()
    if not teachable:
        samples = pd.read_parquet(run.staging / "samples.parquet")
        raise tiers.no_teachable_error(rows, samples)
    if teachable < tiers.MIN_TEACHABLE:
        raise tiers.too_few_error(rows)


def fresh_pass_rates(rows: pd.DataFrame, *, rng_seed: int) -> dict[str, Any]:
    """The mean pass rate of those in the band when put there, and from fresh samples.

    The first is too far into the band, for it chose them. `expected` is the mean of
    their posteriors, which knows that. Empty if nothing was measured afresh.
    """
    if "fresh_rate" not in rows:
        return {}
    again = rows[(rows.tier == "teachable") & rows.fresh_rate.notna()]
    names = {"chosen": "pass_rate", "expected": "expected", "fresh": "fresh_rate"}
    return {
        name: accuracy(again[column].tolist(), rng_seed=rng_seed).as_dict()
        for name, column in names.items()
    }
