"""The one shape of a domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from phi_kit.core.answer_style import ANSWER_MARK, STYLES, Style, token_limit
from phi_kit.core.errors import StudyError, did_you_mean
from phi_kit.data.generators import Family
from phi_kit.data.records import Seed
from phi_kit.data.source_types import HubData
from phi_kit.inference.types import SamplingParams
from phi_kit.models.chat_template import Asked
from phi_kit.verifiers.base import Verifier, guarded

from .transform import Rewrite, Transform

# What a model is told where it is to work before it answers.
INSTRUCTIONS: Mapping[Style, str] = {
    "steps": "Think step by step. Then write {}.",
    "think": "Think first, between <think> and </think>. Then give a short solution "
    "and write {}.",
}


@dataclass(frozen=True)
class SuggestedDataset:
    """A data set of the Hugging Face hub that fits a domain; a study has to name it.

    Args:
        id: its name on the hub.
        licence: as its card states it (SPDX where there is one); the user of the
            rows is bound by it, the kit only says so.
        config: the configuration, where it has several.
        split: the split to train from; never a benchmark's test split.
        question: column of the prompt.
        answer: column of the answer.
        columns: further keys of a source, as a study file has them.
        note: what to know before using it.
    """

    id: str
    licence: str
    config: str = ""
    split: str = "train"
    question: str = "question"
    answer: str = "answer"
    columns: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def source(self) -> HubData:
        """The entry of `collect_seeds.sources` that reads it."""
        return HubData(
            hub=self.id,
            config=self.config,
            split=self.split,
            question=self.question,
            answer=self.answer,
            licence=self.licence,
            **self.columns,
        )


@dataclass(frozen=True)
class Domain:
    """What is asked, how an answer must look, and who checks it.

    `checker` names the verifier for the reader; `verifier` is what is called. It
    is guarded: no response can make it raise. `style` is the form of the answers
    that `instruction` asks for, and the prompts of its families too; in a style with
    steps, `marked` is what stands at their end: "Then write {marked}." `transforms`
    are its own by their names, a bare function becomes one; `named_transforms` are
    the names of further ones that it takes from elsewhere.
    `benchmarks` are the public ones that fit it, by their names: step 7 runs them where
    a study says `benchmarks: [suggested]`.
    """

    name: str
    title: str
    description: str
    instruction: str
    answer_kind: str
    verifier: Verifier
    families: tuple[Family, ...]
    transforms: Mapping[str, Transform | Rewrite]
    checker: str = ""
    suggested_datasets: tuple[SuggestedDataset, ...] = ()
    benchmarks: tuple[str, ...] = ()
    style: Style = "answer"
    marked: str = f'the answer after "{ANSWER_MARK}"'
    named_transforms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "verifier", guarded(self.verifier))
        styled = (replace(family, style=self.style) for family in self.families)
        object.__setattr__(self, "families", tuple(styled))
        own = {
            name: made
            if isinstance(made, Transform)
            else Transform(name, made, self.name, _first_line(made.__doc__))
            for name, made in self.transforms.items()
        }
        object.__setattr__(self, "transforms", own)

    @property
    def styles(self) -> tuple[Style, ...]:
        """The styles that it has an instruction for."""
        return STYLES if self.style == "answer" else (self.style,)

    def in_style(self, style: Style) -> Domain:
        """The domain, asking for its answers in another style.

        Raises:
            StudyError: it has no instruction for that style.
        """
        if style == self.style:
            return self
        if style not in self.styles:
            raise StudyError(
                f"{self.name} asks in the style '{self.style}' and in no other",
                todo=f"set style: {self.style}, or give the domain an instruction",
            )
        return replace(
            self, style=style, instruction=INSTRUCTIONS[style].format(self.marked)
        )

    def sampling(self, max_tokens: int | None, temperature: float) -> SamplingParams:
        """How its samples are drawn; without a limit its style's own holds."""
        return SamplingParams(token_limit(max_tokens, self.style), temperature)

    @property
    def thinking(self) -> bool:
        """Whether a model is asked to think first."""
        return self.style == "think"

    def asked(self, seed: Seed) -> Asked:
        """What a model is asked about a seed."""
        return Asked(self.instruction, seed.prompt, self.thinking)

    def chosen(self, names: Sequence[str] = ()) -> list[Family]:
        """The families of these names, the easiest first; without names the usual ones.

        Raises:
            StudyError: the domain has no such family.
        """
        known = {family.name: family for family in self.families}
        for name in names:
            if name not in known:
                raise StudyError(
                    f"{self.name} has no family '{name}'{did_you_mean(name, known)}",
                    todo="name families of this domain, or leave the list empty",
                )
        return [f for f in self.families if (f.name in names if names else f.usual)]


def _first_line(words: str | None) -> str:
    return (words or "").strip().partition("\n")[0]
