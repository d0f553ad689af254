"""Responses that the student wrote itself: rejection sampling on its own samples.

What it was asked already costs nothing. It may be asked again: in the plain way, with
worked examples before the question, or with the gold as a hint (as STaR rationalises,
arXiv 2203.14465); what it then says is asked for in the plain way when it is trained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from phi_kit.core.answer_style import Style
from phi_kit.core.sample_counts import UNANSWERED
from phi_kit.data.records import Seed
from phi_kit.evaluation.few_shot import FamilyExamples, shown_to
from phi_kit.inference.draw import draw
from phi_kit.inference.types import Completion, Sampler, SamplingParams

from .checks import HINTED
from .response import Response

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.domains.base import Domain

STUDENT, FEW_SHOT = "student", "few-shot"
_SHOW: dict[Style, str] = {
    "answer": "Say it.",
    "steps": "Show the steps that lead to it.",
    "think": "Think it through step by step until you reach it.",
}


def hinted_prompt(seed: Seed, style: Style) -> str:
    """The question, and below it the gold as a hint."""
    return f"{seed.prompt}\n\nThe answer is {seed.answer}. {_SHOW[style]}"


def sampled(samples: pd.DataFrame, model: str, seeds: Sequence[Seed]) -> Iterator[Any]:
    """The rows of a table of samples that belong to these seeds and this model.

    Args:
        samples: as `evaluation.ask.ask` returns them; `model` where there are several.
        model: whose they have to be, if the table says.
        seeds: whose they have to be.
    """
    wanted = {seed.id for seed in seeds}
    for row in samples.itertuples():
        if row.seed_id in wanted and getattr(row, "model", model) == model:
            yield row


@dataclass(frozen=True)
class StudentSource:
    """The samples by which the student was rated.

    Args:
        student: who wrote them.
        samples: as `evaluation.ask.ask` returns them.
    """

    name: ClassVar[str] = STUDENT

    student: Sampler
    samples: pd.DataFrame

    def offer(self, seeds: Sequence[Seed]) -> Iterator[Response]:
        """Every sample of these seeds."""
        attempts: Counter[str] = Counter()
        for row in sampled(self.samples, self.student.name, seeds):
            yield from_row(row, STUDENT, self.student.name, attempts[row.seed_id])
            attempts[row.seed_id] += 1


def without_reply(samples: pd.DataFrame) -> set[str]:
    """Ids of the seeds none of whose samples got a reply.

    Args:
        samples: as `evaluation.ask.ask` returns them.
    """
    replied = ~samples.finish.isin(UNANSWERED)
    return set(samples.seed_id) - set(samples.seed_id[replied])


def from_row(row: Any, source: str, model: str, attempt: int) -> Response:
    """The response that a row of a table of samples is."""
    cost, logprob = (_known(getattr(row, name, None)) for name in ("cost", "logprob"))
    told = (row.text, int(row.tokens), row.finish, cost, logprob)
    return Response(row.seed_id, source, model, attempt, *told)


def from_completion(
    seed: Seed, source: str, model: str, attempt: int, sample: Completion
) -> Response:
    """The response that a sample is."""
    told = (sample.text, sample.tokens, sample.finish, sample.cost, sample.logprob)
    return Response(seed.id, source, model, attempt, *told)


def _known(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


@dataclass(frozen=True)
class StudentAgain:
    """Further samples of the student: its name says how it was asked.

    Args:
        student: who is asked.
        domain: says how to ask.
        sampling: token limit and temperature.
        samples: of each seed.
        rng_seed: of the random streams.
        examples: worked examples to show before the question, by its family; one that
            asks the seed's own question is left out for that seed.
        hint: whether the gold is given away; its responses are `hinted`.
        silent: ids of seeds that the student gave no reply to before: their prompts
            do not grow shorter or milder, so they are not asked again.
    """

    student: Sampler
    domain: Domain
    sampling: SamplingParams
    samples: int
    rng_seed: int
    examples: FamilyExamples = field(default_factory=dict)
    hint: bool = False
    silent: Collection[str] = ()

    @property
    def name(self) -> str:
        """`hinted`, `few-shot`, or `student` where neither helps."""
        return HINTED if self.hint else FEW_SHOT if self.examples else STUDENT

    def offer(self, seeds: Sequence[Seed]) -> Iterator[Response]:
        """So many samples of each seed."""
        seeds = [seed for seed in seeds if seed.id not in self.silent]
        if self.examples:  # a question that no example fits was asked plainly before
            seeds = [seed for seed in seeds if shown_to(seed, self.examples)]
        prompts = [self._rendered(seed) for seed in seeds]
        label = f"responses {self.name}"
        drawn = draw(
            self.student,
            prompts,
            self.sampling,
            k=self.samples,
            rng_seed=self.rng_seed,
            label=label,
        )
        for seed, samples in zip(seeds, drawn, strict=True):
            for attempt, sample in enumerate(samples):
                yield from_completion(
                    seed, self.name, self.student.name, attempt, sample
                )

    def _rendered(self, seed: Seed) -> str:
        asked = self.domain.asked(seed)
        if self.hint:
            asked = asked._replace(question=hinted_prompt(seed, self.domain.style))
        return asked.rendered(self.student.render, shown_to(seed, self.examples))
