"""The sources that a study names, opened for one domain's seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from phi_kit.core.answer_style import token_limit
from phi_kit.core.errors import DataError
from phi_kit.data.records import Seed
from phi_kit.evaluation.few_shot import FamilyExamples, fitted
from phi_kit.inference.types import Sampler, SamplingParams
from phi_kit.training.row_checks import SealLookup

from . import collect as collecting
from .checks import ResponseChecks, known_verdicts
from .collect import CollectedResponses
from .from_gold import GoldSource
from .from_source import SolutionSource
from .from_student import StudentAgain, StudentSource, without_reply
from .from_teacher import TeacherPlan, TeacherSource
from .from_worked import WorkedSource
from .response import ResponseSource
from .response_config import ResponseConfig, SourceName

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.domains.base import Domain


@dataclass
class StudySources:
    """All that the sources of one domain need.

    Attributes:
        config: what the study says.
        names: of its sources, in order of preference.
        domain: in the study's style.
        student: who is to learn.
        sampling: how the student is asked.
        rng_seed: of every draw.
        samples: of the student, as `evaluation.ask.ask` returns them.
        pass_rates: of the student, by seed; see `TeacherSource`.
        earlier: what the teacher answered as a reference.
        open_sampler: opens a model by its name.
        sealed: tells what a text has in common with a held-out item; a seal's `hit`.
        spent: samples of the teacher's budget that were taken, by earlier steps too.
    """

    config: ResponseConfig
    names: Sequence[SourceName]
    domain: Domain
    student: Sampler
    sampling: SamplingParams
    rng_seed: int
    samples: pd.DataFrame
    pass_rates: Mapping[str, float]
    earlier: pd.DataFrame | None
    open_sampler: Callable[[str], Sampler]
    sealed: SealLookup | None = None
    spent: int = 0

    def __post_init__(self) -> None:
        most = self.config.response_tokens or self.sampling.max_tokens
        known = known_verdicts(self.samples)
        self.checks = ResponseChecks(
            self.domain, self.student, most, known, self.sealed
        )
        self.teacher: TeacherSource | None = None

    def collect(self, seeds: Sequence[Seed]) -> CollectedResponses:
        """Responses to the seeds, from the study's sources in their order."""
        opened = [self._open(name) for name in self.names]
        found = self._collected(opened, seeds)
        self.spent += self.teacher.spending.samples if self.teacher else 0
        return found

    @property
    def room(self) -> int | None:
        """Samples of the teacher that its budget leaves; `None` without a budget."""
        budget = self.config.teacher_budget
        return max(0, budget - self.spent) if budget else None

    def collect_own(
        self, seeds: Sequence[Seed], examples: FamilyExamples
    ) -> CollectedResponses:
        """The student's own responses to all seeds, whatever else there is.

        Args:
            seeds: all of them.
            examples: worked examples by family, for what it is asked again; they show
                it the form, and it is asked no more often than the config says. Those
                that do not fit into its context are left out.
        """
        sources: list[ResponseSource] = [StudentSource(self.student, self.samples)]
        again = self.config.own_samples if self.domain.style != "answer" else 0
        limit = self.sampling.max_tokens
        examples = fitted(examples, self.student, self.domain, seeds, max_tokens=limit)
        if again and any(examples.values()):
            sources.append(self._again(again, examples=examples))
        return self._collected(sources, seeds)

    def _collected(
        self, sources: Sequence[ResponseSource], seeds: Sequence[Seed]
    ) -> CollectedResponses:
        config = self.config
        return collecting.collect(
            sources,
            seeds,
            self.checks,
            prefer=config.prefer,
            keep=config.keep,
            score=config.score,
        )

    def _open(self, name: SourceName) -> ResponseSource:
        style = self.domain.style
        if name == "source":
            return SolutionSource(style)
        if name == "worked":
            return WorkedSource(style, self.config.worked_form)
        if name == "answer":
            return GoldSource(style)
        if name == "student":
            return StudentSource(self.student, self.samples)
        if name == "hinted":
            return self._again(max(1, self.config.own_samples), hint=True)
        self.teacher = self._open_teacher()
        return self.teacher

    def _again(self, samples: int, **how: Any) -> StudentAgain:
        return StudentAgain(
            self.student,
            self.domain,
            self.sampling,
            samples,
            self.rng_seed,
            silent=without_reply(self.samples),
            **how,
        )

    def _open_teacher(self) -> TeacherSource:
        config, style = self.config, self.domain.style
        tokens = token_limit(config.teacher_tokens, style, strong=True)
        plan = TeacherPlan(
            config.teacher_samples,
            config.teacher_more,
            config.teacher_most,
            self.room,
            SamplingParams(tokens),
        )
        return TeacherSource(
            config.teacher,
            partial(self.open_sampler, config.teacher),
            self.domain,
            plan,
            self.rng_seed,
            self.checks.usable,
            self.pass_rates,
            self.earlier,
        )


def require_responses(found: CollectedResponses, domain: Domain, names: Any) -> None:
    """Stop where no seed has a response that may be trained on.

    Raises:
        DataError: it says what was made and why nothing of it is kept.
    """
    if found.summary["kept"]:
        return
    made = found.summary["made"]
    why = ", ".join(f"{n} {reason}" for reason, n in found.summary["dropped"].items())
    raise DataError(
        f"no seed has a response in the style '{domain.style}' that may be trained "
        f"on: {made} were made by {', '.join(names)}" + (f" ({why})" if why else ""),
        todo="name a teacher, or the column of the worked solutions (solution: or "
        "answer_after: of the source); to train on bare answers instead: "
        "style: answer",
    )
