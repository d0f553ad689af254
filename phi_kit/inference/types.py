"""What samplers are asked for and what they give back; `draw` is the way in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from phi_kit.core.errors import RunError


class LostSamplesError(RunError):
    """Some samples failed in all their tries; all others have been handed over.

    Attributes:
        indices: their positions among the requests.
        tolerable: whether they are so few that a step can go on without them.
    """

    indices: tuple[int, ...] = ()
    tolerable: bool = False


@dataclass(frozen=True)
class SamplingParams:
    """How samples are drawn. `temperature=0` is greedy.

    `max_tokens` counts new tokens; a sample that reaches it is truncated.
    The default temperature is the one of the Phi-4-reasoning report (0.8,
    arXiv 2504.21318).
    """

    max_tokens: int = 16
    temperature: float = 0.8


@dataclass(frozen=True)
class Completion:
    """One sample of a model.

    Attributes:
        text: the completion, without the token that ends the turn.
        tokens: its length in tokens.
        finish: why it ended: "stop", "length" (truncated), or one of
            `sample_counts.UNANSWERED`.
        logprob: mean log-probability of its tokens under the model itself
            (temperature 1, natural logarithm), where the sampler knows it.
        cost: money, where the price is known.
    """

    text: str
    tokens: int
    finish: str
    logprob: float | None = None
    cost: float | None = None


@dataclass(frozen=True)
class SampleRequest:
    """One sample to draw: its rendered prompt, its index, its random stream."""

    prompt: str
    index: int
    seed: int


class Sampler(Protocol):
    """A model that `draw` can sample from, wherever it runs."""

    name: str

    @property
    def identity(self) -> str:
        """A name for the weights, adapter included: it changes when they do.

        An empty one means that samples of this model cannot be cached.
        """

    def render(
        self,
        instruction: str,
        prompt: str,
        *,
        thinking: bool = False,
        examples: Sequence[tuple[str, str]] = (),
    ) -> str:
        """The text a model completes, or the turns an endpoint is sent.

        Args:
            instruction: how to answer.
            prompt: the question.
            thinking: whether the model is to think first, where its chat template
                has a switch for that.
            examples: questions with responses, shown as earlier turns.
        """

    def stream(
        self, requests: Sequence[SampleRequest], sampling: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Draw the samples; yields (index in `requests`, sample) in any order.

        Raises:
            LostSamplesError: some could not be had; all others have been yielded.
        """
