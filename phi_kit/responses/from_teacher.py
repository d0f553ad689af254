"""Responses of a teacher: a few samples of every seed, more of those still without one.

A strong model writes a right response to most seeds at once; what is spent further
goes where it does not, the hardest seeds first, up to a budget. The first round goes
through the seeds in random order: whatever a budget leaves, the answered ones are a
random part of the pool, from which the control arms can be drawn. What the same model
was asked before, as a reference, counts as its first attempts and is not asked again;
what a lower limit cut off there is no attempt.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from phi_kit.core.rng import rng
from phi_kit.core.sample_counts import UNANSWERED
from phi_kit.data.records import Seed
from phi_kit.inference.draw import draw
from phi_kit.inference.types import Completion, Sampler, SamplingParams

from .from_student import from_completion, from_row, sampled
from .response import Response

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.domains.base import Domain


@dataclass(frozen=True)
class TeacherPlan:
    """How a teacher's samples are spent; the numbers are kit defaults.

    Args:
        samples: of each seed in the first round.
        more: of each seed that is still without a right one, in a further round.
        most: of one seed, those of before included.
        budget: samples in all; `None` for no limit but `most`. What was asked before
            costs none of it. Seeds whose gold is in doubt come last.
        sampling: token limit and temperature.
    """

    samples: int = 1
    more: int = 2
    most: int = 8
    budget: int | None = None
    sampling: SamplingParams = field(default_factory=lambda: SamplingParams(1024))


@dataclass
class TeacherSpending:
    """What a teacher was asked, and what it cost.

    Attributes:
        samples: that were drawn, now or by an earlier run of the step.
        reused: answers of it as a reference.
        tokens: of the samples drawn.
        cost: of them, `None` while no price is known.
        rounds: in which it was asked.
        unasked: seeds that the budget left without a single sample.
    """

    samples: int = 0
    reused: int = 0
    tokens: int = 0
    cost: float | None = None
    rounds: int = 0
    unasked: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return dict(vars(self))


@dataclass(frozen=True)
class TeacherSource:
    """A teacher's samples.

    Args:
        model: who is asked.
        open_model: loads it, when there is something to ask.
        domain: says how to ask.
        plan: how samples are spent.
        rng_seed: of the random streams.
        usable: whether a response may be trained on; see `ResponseChecks.usable`.
        pass_rates: of the student, by seed; a seed without one is the hardest, and
            one whose gold is in doubt has infinity.
        earlier: what the same model was asked before, as `evaluation.ask.ask` returns
            it; rows of other models are left alone if there is a column `model`.
        spending: what was asked so far.
    """

    name: ClassVar[str] = "teacher"

    model: str
    open_model: Callable[[], Sampler]
    domain: Domain
    plan: TeacherPlan
    rng_seed: int
    usable: Callable[[Seed, Response], bool]
    pass_rates: Mapping[str, float] = field(default_factory=dict)
    earlier: pd.DataFrame | None = None
    spending: TeacherSpending = field(default_factory=TeacherSpending)

    @cached_property
    def teacher(self) -> Sampler:
        """The model itself, loaded when it is first asked."""
        return self.open_model()

    def offer(self, seeds: Sequence[Seed]) -> Iterator[Response]:
        """Its earlier answers, then round after round what is asked now."""
        known = {seed.id: seed for seed in seeds}
        attempts: Counter[str] = Counter()
        cut: Counter[str] = Counter()  # off earlier than they would be now
        done: set[str] = set()  # has a right one, or gets no reply at all
        for response in self._answered_before(seeds):
            attempts[response.seed_id] += 1
            cut[response.seed_id] += self._cut_early(response)
            if self.usable(known[response.seed_id], response):
                done.add(response.seed_id)
            yield response
        for number in itertools.count(1):
            order = self._in_turn(seeds, first=number == 1)
            left = [seed for seed in order if seed.id not in done]
            wanted = self._wanted(left, attempts - cut, first=number == 1)
            if not wanted:
                self.spending.unasked = sum(not attempts[seed.id] for seed in left)
                return
            replied: set[str] = set()
            for seed, response in self._asked(wanted, attempts, number=number):
                if self.usable(seed, response):
                    done.add(seed.id)
                if response.finish not in UNANSWERED:
                    replied.add(seed.id)
                yield response
            done |= {seed.id for seed, _ in wanted} - replied

    def _in_turn(self, seeds: Sequence[Seed], *, first: bool) -> list[Seed]:
        """The order in which a budget is spent, those of doubted gold last."""
        order = rng(self.rng_seed, "teacher's order").permutation(len(seeds))
        rates = {seed.id: self.pass_rates.get(seed.id, 0.0) for seed in seeds}
        if first:
            rates = {name: rate == math.inf for name, rate in rates.items()}
        return sorted((seeds[i] for i in order), key=lambda seed: rates[seed.id])

    def _answered_before(self, seeds: Sequence[Seed]) -> Iterator[Response]:
        if self.earlier is None or self.earlier.empty:
            return
        attempts: Counter[str] = Counter()
        for row in sampled(self.earlier, self.model, seeds):
            yield from_row(row, self.name, self.model, attempts[row.seed_id])
            attempts[row.seed_id] += 1
            self.spending.reused += 1

    def _cut_early(self, response: Response) -> bool:
        """Whether it ended at a lower limit than a sample has now."""
        return (
            response.finish == "length"
            and response.tokens < self.plan.sampling.max_tokens
        )

    def _wanted(
        self, seeds: Sequence[Seed], attempts: Counter[str], *, first: bool
    ) -> list[tuple[Seed, int]]:
        """Which of these seeds are asked next and how often, within the budget."""
        plan, wanted = self.plan, []
        left = math.inf if plan.budget is None else plan.budget - self.spending.samples
        for seed in seeds:
            had = attempts[seed.id]
            count = plan.samples - had if first and had < plan.samples else plan.more
            count = min(count, plan.most - had, left)
            if count > 0:
                wanted.append((seed, int(count)))
                left -= count
        return wanted

    def _asked(
        self, wanted: Sequence[tuple[Seed, int]], attempts: Counter[str], *, number: int
    ) -> Iterator[tuple[Seed, Response]]:
        """One round; each round has random streams of its own."""
        self.spending.rounds += 1
        label = f"teacher {self.model}"
        if number > 1:
            label += f", round {number}"
        asked = [self.domain.asked(seed) for seed, _ in wanted]
        drawn = draw(
            self.teacher,
            [one.rendered(self.teacher.render) for one in asked],
            self.plan.sampling,
            k=[count for _, count in wanted],
            rng_seed=self.rng_seed,
            label=label,
        )
        for (seed, _), samples in zip(wanted, drawn, strict=True):
            for sample in samples:
                self._count(sample)
                attempt = attempts[seed.id]
                attempts[seed.id] += 1
                told = (seed, self.name, self.model, attempt, sample)
                yield seed, from_completion(*told)

    def _count(self, sample: Completion) -> None:
        self.spending.samples += 1
        self.spending.tokens += sample.tokens
        if sample.cost is not None:
            self.spending.cost = (self.spending.cost or 0.0) + sample.cost
