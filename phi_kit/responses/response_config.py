"""What a study says about its responses: whose, how many, how long."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from phi_kit.core.answer_style import Style
from phi_kit.core.params import Strict
from phi_kit.domains.worked import Form
from phi_kit.training.arms import TeachableRule

from .choose import Prefer, Score

SourceName = Literal["source", "worked", "teacher", "student", "hinted", "answer"]
# A bare answer is no reasoning: it is trained on only in the style that asks for it.
SOURCES_OF: dict[Style, tuple[SourceName, ...]] = {
    "answer": ("answer",),
    "steps": ("source", "worked", "teacher", "student"),
    "think": ("source", "worked", "teacher", "student"),
}


class ResponseConfig(Strict):
    """Where the responses come from that are trained on, and which are kept.

    The numbers are kit defaults: the report publishes neither how many samples its
    teacher gave nor how one of several was chosen.

    Args:
        responses: sources in order of preference, a later one only for the seeds that
            those before it leave without a right response; empty: those of the style.
        teacher: a strong model that writes responses: a name or an endpoint.
        teacher_samples: of each seed that needs one.
        teacher_more: in each further round, for seeds still without a right one.
        teacher_most: of one seed.
        teacher_budget: samples of a domain, in steps 3 and 5 together; 0: no limit. A
            study pays for as many in each of its domains, and for its references; what
            all of them cost is bounded by the budgets in `endpoint`.
        teacher_tokens: of one response; `None`: as the style has it.
        response_tokens: of a response that is trained on; `None`: as many as the
            student may take itself.
        prefer: which of several right ones: the shortest, the first, or the one that
            is closest to the student (its mean log-probability is the highest).
        score: of which responses their log-probability under the student is recorded:
            of the `usable` ones, of `every` finished one, or of `none`, which spares
            step 5 the student's weights.
        keep: responses of one seed.
        worked_form: of the built-in families' solutions: short, or long.
        own_samples: of the student with worked examples in its prompt, for the arm
            `own`; 0: only what it answered anyway.
        own_examples: how many examples those prompts have.
        teachable: what the student does not solve yet and a response shows (`gap`), or
            what it solves sometimes (`band`); `None`: `band` for bare answers, which
            show nothing, else `gap`.
    """

    responses: list[SourceName] = Field([])
    teacher: str = ""
    teacher_samples: int = Field(1, ge=1)
    teacher_more: int = Field(2, ge=0)
    teacher_most: int = Field(8, ge=1)
    teacher_budget: int = Field(0, ge=0)
    teacher_tokens: int | None = Field(None, ge=1)
    response_tokens: int | None = Field(None, ge=1)
    prefer: Prefer = "shortest"
    score: Score = "usable"
    keep: int = Field(1, ge=1)
    worked_form: Form = "short"
    own_samples: int = Field(2, ge=0)
    own_examples: int = Field(5, ge=1)
    teachable: TeachableRule | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if len(set(self.responses)) < len(self.responses):
            raise ValueError("responses names a source twice")
        if "teacher" in self.responses and not self.teacher:
            raise ValueError("responses names a teacher: say which in teacher")
        if self.teacher_samples > self.teacher_most:
            raise ValueError("teacher_samples should not be above teacher_most")
        if self.prefer == "closest" and self.score == "none":
            raise ValueError("prefer: closest goes by the score: set another than none")
        return self

    def source_names(self, style: Style) -> tuple[SourceName, ...]:
        """The sources in order; without a teacher that one is left out."""
        names = tuple(self.responses) or SOURCES_OF[style]
        return tuple(name for name in names if name != "teacher" or self.teacher)

    def settings(self) -> dict[str, Any]:
        """What the study says of responses, for a manifest.

        Step 5 asks the same sources about other seeds: there a change tells even
        where it changed nothing that step 3 had to ask.
        """
        return {name: getattr(self, name) for name in ResponseConfig.model_fields}

    def teachable_rule(self, style: Style) -> TeachableRule:
        """When a seed is teachable."""
        return self.teachable or ("band" if style == "answer" else "gap")
