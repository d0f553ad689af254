"""What the steps of a study will do: samples to draw, rows to train on.

Counted from the study file before anything runs. What only a run can tell, how many
seeds are teachable above all, is taken from a short probe, or at its most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Literal, NamedTuple

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.answer_style import Style, token_limit
from phi_kit.core.errors import DataError
from phi_kit.data.read_sources import read_source
from phi_kit.data.source_types import HubData
from phi_kit.evaluation.benchmarks import regression_suite
from phi_kit.evaluation.benchmarks.public_benchmark import PublicBenchmark, load_items
from phi_kit.responses.response_config import ResponseConfig
from phi_kit.steps import expand_domains
from phi_kit.study.config import Unit
from phi_kit.synthesis import known_transforms
from phi_kit.synthesis.teacher_transforms import BRIDGE
from phi_kit.training.arms import OWN

# Tokens around a question where a model rewrites it, at 4 bytes each (the kit's own
# transforms say 130 to 178).
REWRITING = 150


class SampleKind(NamedTuple):
    """Of which domain, of how many tokens at most, and how they are drawn.

    `plain` by the student as it is, `shown` after worked examples, `tuned` by an
    adapter, which has learnt to answer as its rows do.
    """

    domain: str
    limit: int
    how: Literal["plain", "shown", "tuned"] = "plain"


class SeedOutlook(NamedTuple):
    """What is expected of a domain's seeds, as shares of them.

    Attributes:
        band: share that is solved sometimes.
        teachable: share that is, by the study's rule.
        untaught: share without a right response before a teacher is asked.
        right: share of a teacher's samples that may be trained on.
        variants: rewrites of a teachable seed that only a teacher may answer.
        prompt: tokens of a question.
        trained: tokens of a training row that its loss sees; 0 if nobody knows.
    """

    band: float
    teachable: float
    untaught: float
    right: float
    variants: float = 0.0
    prompt: float = 0.0
    trained: float = 0.0


class TeacherLoad(NamedTuple):
    """What a teacher does: samples, tokens of prompts, tokens of responses at most."""

    samples: float = 0.0
    read: float = 0.0
    written: float = 0.0

    @classmethod
    def of(cls, loads: Iterable[StepLoad]) -> TeacherLoad:
        """All of it in several steps."""
        parts = [cls(), *(load.teacher for load in loads)]
        return cls(*map(sum, zip(*parts, strict=True)))

    @property
    def tokens(self) -> float:
        """Of prompts and responses."""
        return self.read + self.written


@dataclass(frozen=True)
class StepLoad:
    """All that a unit does with models.

    Attributes:
        unit: the step and its domain.
        samples: of the student, how many are drawn.
        rows: how many are trained on, repeats included, by domain.
        runs: training runs, each of which is set up anew.
        teacher: what it is asked.
        uncounted: benchmarks whose items only reading them would count.
    """

    unit: Unit
    samples: Mapping[SampleKind, float] = field(default_factory=dict)
    rows: Mapping[str, float] = field(default_factory=dict)
    runs: float = 0
    teacher: TeacherLoad = field(default_factory=TeacherLoad)
    uncounted: tuple[str, ...] = ()


@dataclass
class DomainState:
    """What earlier steps leave of a domain for later ones."""

    outlook: SeedOutlook
    dev: int = 0  # samples of one round of its dev items
    limit: int = 0  # tokens each of these may have
    style: Style = "answer"  # what holds in steps without a limit of their own
    test: int = 0  # test items
    seeds: float = 0
    teachable: float = 0
    frozen: float = 0
    epochs: int = 1  # of its probe, which `recipe: best` takes over
    own: bool = False  # an arm learns from the student's own responses
    finals: int = 1  # adapters of all domains, one for each training seed
    paid: float = 0  # samples of the teacher in earlier steps
    responses: ResponseConfig = field(default_factory=ResponseConfig)

    def taught(self, load: StepLoad, seeds: float) -> StepLoad:
        """The load of a step that leaves so many seeds to the teacher, if any."""
        config = self.responses
        if "teacher" not in config.source_names(self.style):
            return load
        samples = teacher_samples(config, seeds, right=self.outlook.right)
        return self.asks(load, samples, self.outlook.prompt)

    def asks(self, load: StepLoad, samples: float, read: float) -> StepLoad:
        """The load of a step with further samples of the teacher, as its budget lets.

        Args:
            load: so far.
            samples: that the step would draw.
            read: tokens of a prompt.
        """
        if budget := self.responses.teacher_budget:
            samples = min(samples, max(0, budget - self.paid))
        self.paid += samples
        more = TeacherLoad(samples, samples * read, samples * self.strong_limit)
        both = map(sum, zip(load.teacher, more, strict=True))
        return replace(load, teacher=TeacherLoad(*both))

    @property
    def strong_limit(self) -> int:
        """Tokens that a teacher's answer may have."""
        tokens = self.responses.teacher_tokens
        return token_limit(tokens, self.style, strong=True)


UnitKey = tuple[str, str]  # step and domain


def workload(
    units: Sequence[Unit],
    *,
    seeds: Mapping[str, float],
    outlooks: Mapping[str, SeedOutlook],
    kept_rows: Mapping[UnitKey, int],
) -> Iterator[StepLoad]:
    """The load of every unit, in their order.

    Args:
        units: of a whole study: later ones build on what earlier ones leave.
        seeds: of each domain, after step 2.
        outlooks: on each domain's seeds.
        kept_rows: of finished units.
    """
    states = {name: DomainState(outlook) for name, outlook in outlooks.items()}
    for unit in units:
        rows = kept_rows.get((unit.step, unit.domain))
        if unit.params.STEP == step_table.EXPAND_DOMAINS:
            yield _expand(unit, states)
        elif unit.params.STEP == step_table.BENCHMARK:
            yield _benchmark(unit, states)
        else:
            yield _of_domain(unit, states[unit.domain], seeds, rows)


def _of_domain(
    unit: Unit, state: DomainState, seeds: Mapping[str, float], rows: int | None
) -> StepLoad:
    """The load of a step of one domain, which leaves its state to the next."""
    p = unit.params
    if p.STEP == step_table.PICK_DOMAIN:
        state.dev, state.style = p.dev_items * p.samples, p.style
        state.limit = token_limit(p.max_tokens, p.style)
        state.test = p.test_items
        return StepLoad(unit, {SampleKind(unit.domain, state.limit): state.dev})
    if p.STEP == step_table.FILTER_EDGE:
        return _filter(unit, state, rows)
    if p.STEP == step_table.PROBE_SFT:
        return _probe(unit, state)
    if p.STEP == step_table.SYNTHESIZE:
        most = state.teachable / p.organic_share
        state.frozen = most if rows is None else rows
        return _synthesize(unit, state)
    state.seeds = seeds[unit.domain]
    return StepLoad(unit)


def seeds_read(params: Any) -> int:
    """Rows that step 2 reads; a source without a limit is read to count them.

    Raises:
        DataError: such a source lies on the hub.
    """
    if params.limit:
        return params.limit
    for source in params.sources:
        if isinstance(source, HubData) and not source.limit:
            raise DataError(
                "a hub data set without a limit cannot be planned for",
                where=source.name,
                todo="give it a limit: in the study file",
            )
    return sum(
        source.limit or sum(1 for _ in read_source(source, "", families=(), rng_seed=0))
        for source in params.sources
    )


def teacher_samples(config: ResponseConfig, seeds: float, *, right: float) -> float:
    """Samples of a teacher that answers so many seeds, round after round.

    Args:
        config: of the study.
        seeds: that come to the teacher.
        right: share of its samples that may be trained on.
    """
    samples, had = 0.0, 0
    while count := min(
        config.teacher_more if had else config.teacher_samples,
        config.teacher_most - had,
    ):
        samples += count * seeds * (1 - right) ** had
        had += count
    return samples


def _filter(unit: Unit, state: DomainState, kept_rows: int | None) -> StepLoad:
    p, outlook, seeds = unit.params, state.outlook, state.seeds
    state.responses = p
    state.teachable = outlook.teachable * seeds if kept_rows is None else kept_rows
    if p.wanted:
        state.teachable = min(state.teachable, p.wanted)
    each = min(max(p.budget, p.samples), p.max_samples)
    samples = each * seeds + p.confirm * outlook.band * seeds
    untaught = outlook.untaught * seeds
    if "hinted" in p.source_names(state.style):
        samples += max(1, p.own_samples) * untaught
    plain = SampleKind(unit.domain, token_limit(p.max_tokens, state.style))
    drawn = {plain: samples}
    if p.own_samples and state.style != "answer":
        drawn[plain._replace(how="shown")] = p.own_samples * seeds
    return state.taught(StepLoad(unit, drawn), untaught)


def _probe(unit: Unit, state: DomainState) -> StepLoad:
    """Every run sees as many tokens as the teachable arm: arms, trials, doses."""
    p = unit.params
    seeds = len(p.train_seeds) or 1
    trials = len(list(p.search.configs(p))) if p.search else 0
    doses = [share for share in p.dose if share < 1]
    full = len(p.arms) * seeds + trials
    runs, passes = full + len(doses) * seeds, full + sum(doses) * seeds
    state.epochs, state.own = p.epochs, OWN in p.arms
    rows = state.teachable * p.epochs
    samples = state.dev * (runs + _evaluations(passes, rows, p))
    samples += p.drift_samples * state.seeds
    drawn = {SampleKind(unit.domain, state.limit, "tuned"): samples}
    if p.few_shot:
        drawn[SampleKind(unit.domain, state.limit, "shown")] = state.dev
    return StepLoad(unit, drawn, {unit.domain: passes * rows}, runs)


def _synthesize(unit: Unit, state: DomainState) -> StepLoad:
    """What models rewrite, the responses to that, and the probes between rounds.

    Each reply counts as a question that is answered anew, but those that tell a
    solution again.
    """
    p, seeds, prompt = unit.params, state.teachable, state.outlook.prompt
    chosen = known_transforms.chosen(domains.of(p), p.transforms)
    names = [one.name for one in chosen if one.needs == "teacher"]
    asked = sum(name != BRIDGE for name in names)
    load = _rounds(unit, state)
    if retold := sum(one.needs == "student" for one in chosen):
        kind = SampleKind(unit.domain, state.strong_limit)
        load = replace(load, samples={**load.samples, kind: retold * seeds})
    load = state.asks(load, len(names) * seeds, prompt + REWRITING)
    if p.gate == "on":
        load = state.asks(load, asked * p.second_answers * seeds, prompt)
    return state.taught(load, (asked + state.outlook.variants) * seeds)


def _rounds(unit: Unit, state: DomainState) -> StepLoad:
    """The probes between the rounds of synthesis, if all of them are made."""
    p, probes = unit.params, unit.params.rounds - 1
    if not probes:
        return StepLoad(unit)
    made = max(0, state.frozen - state.teachable)
    parts = sum(number / p.rounds for number in range(1, p.rounds))
    rows = state.epochs * (probes * state.teachable + parts * made)
    samples = probes * (state.dev + p.round_samples * state.teachable)
    asked = SampleKind(unit.domain, state.limit, "tuned")
    return StepLoad(unit, {asked: samples}, {unit.domain: rows}, probes)


def _expand(unit: Unit, states: Mapping[str, DomainState]) -> StepLoad:
    p = unit.params
    best = p.recipe == "best"
    rows = {
        name: states[name].frozen * (states[name].epochs if best else p.epochs)
        for name in p.domains
    }
    whole, mixes = sum(rows.values()), p.predict_mix.trained
    jobs = expand_domains.training_plan(p)
    alone = rows
    if p.equal_tokens:
        alone = dict.fromkeys(rows, whole)
    elif p.domain_tokens:
        each = {n: states[n].outlook.trained for n in rows}
        alone = {n: p.domain_tokens / each[n] if each[n] else rows[n] for n in rows}
    trained = [
        {name: (rows if len(job.domains) > 1 else alone)[name] for name in job.domains}
        for job in jobs
    ]
    first, last = p.domains[0], p.domains[-1]
    trained += [{first: one * whole, last: (1 - one) * whole} for one in mixes]
    asked = len(mixes) + len(p.merges) + len(p.predict_mix.weights) * bool(mixes)
    asked += sum(_evaluations(1, sum(run.values()), p) for run in trained)
    drawn = {}
    for n in p.domains:
        states[n].finals = len(expand_domains.final_adapters(p))
        # Organic rows alone are asked their own domain's items, the others all.
        times = asked + sum(not job.organic or n in job.domains for job in jobs)
        drawn[SampleKind(n, states[n].limit, "tuned")] = times * states[n].dev
    return StepLoad(
        unit,
        drawn,
        {n: sum(run.get(n, 0) for run in trained) for n in p.domains},
        len(trained),
    )


def _benchmark(unit: Unit, states: Mapping[str, DomainState]) -> StepLoad:
    """Base, every final adapter and the controls on the test items; then the rest.

    Public benchmarks and the regression suite are asked of base and of the final
    adapter; their answers are taken to be as long as those of the first domain.
    """
    p, drawn, uncounted = unit.params, Counter(), []
    for name in p.domains:
        state = states[name]
        plain = SampleKind(name, token_limit(p.max_tokens, state.style))
        drawn[plain] += (each := state.test * p.samples)
        drawn[plain._replace(how="tuned")] += (state.finals + state.own) * each
        if p.few_shot:
            drawn[plain._replace(how="shown")] += each
    first, style = p.domains[0], states[p.domains[0]].style
    others = [(len(regression_suite.items()), regression_suite.MAX_TOKENS)]
    for one in p.public():
        if many := _benchmark_items(one, p.benchmark_items):
            others.append((many * one.samples, token_limit(one.max_tokens, style)))
        else:
            uncounted.append(one.name)
    for many, limit in others:
        drawn[SampleKind(first, limit)] += many
        drawn[SampleKind(first, limit, "tuned")] += many
    return StepLoad(unit, drawn, uncounted=tuple(uncounted))


def _benchmark_items(benchmark: PublicBenchmark, limit: int) -> int:
    """Items that a benchmark is asked; 0 where they lie on the hub, and all are."""
    if isinstance(benchmark.source, HubData):
        return limit
    return len(load_items(benchmark, limit=limit).items)


def _evaluations(passes: float, rows: float, params: Any) -> float:
    """How often runs over so many rows ask the held-out items in between."""
    if not params.eval_steps:
        return 0
    return passes * ceil(rows / params.batch) // params.eval_steps
