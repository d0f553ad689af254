"""Drawing samples from a model, wherever it runs.

`draw` is the one way in. A sampler is whatever can carry it out: a model on
this machine (`loading.Student`) or one behind an endpoint. What was ever drawn
stands in the ledger (`ledger`) and is not drawn again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from phi_kit.core.errors import RunError
from phi_kit.core.progress import in_notebook, progress
from phi_kit.core.rng import label_seed

# How a sample ends that the model was not let say, or nobody could read: `finish`,
# and what it means. Nobody can tell whether it would have been right.
UNANSWERED = {
    "filtered": "filtered by the endpoint",
    "refused": "refused by the endpoint",
    "too_long": "too long for the model's context",
    "failed": "no usable reply in any of its tries",
}


class LostSamplesError(RunError):
    """Some samples failed again and again; all others have been handed over.

    Attributes:
        places: theirs, in what was asked.
        bearable: whether they are so few that a step can go on without them.
    """

    places: tuple[int, ...] = ()
    bearable: bool = False


@dataclass(frozen=True)
class SamplingParams:
    """How samples are drawn. `temperature=0` is greedy.

    `max_tokens` counts new tokens; a sample that reaches it is truncated.
    The kit's default temperature is the report's (0.8, arXiv 2504.21318).
    """

    max_tokens: int = 16
    temperature: float = 0.8


@dataclass(frozen=True)
class Completion:
    """One completion of a model.

    `tokens` is its length; `finish` is why it ended: "stop", "length" or one of
    `UNANSWERED`; `logprob` is the mean log-probability of its tokens under the
    model itself (temperature 1, natural logarithm), where the sampler knows it;
    `cost` is money, where it is known.
    """

    text: str
    tokens: int
    finish: str
    logprob: float | None = None
    cost: float | None = None


@dataclass(frozen=True)
class SampleRequest:
    """One sample that is wanted: a rendered prompt, its index, its stream."""

    prompt: str
    index: int
    seed: int


class Sampler(Protocol):
    """What `draw` needs of a model."""

    name: str

    @property
    def identity(self) -> str:
        """Names the weights, adapter included: other weights, another identity."""

    def render(self, instruction: str, prompt: str) -> str:
        """The text a model completes, or the turns an endpoint is sent."""

    def stream(
        self, asked: Sequence[SampleRequest], sampling: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Carry it out; yields (place in `asked`, sample) in any order.

        Raises:
            LostError: some could not be had; all others have been yielded.
        """


def draw(
    sampler: Sampler,
    prompts: Sequence[str],
    sampling: SamplingParams,
    *,
    k: int | Sequence[int] = 1,
    rng_seed: int = 0,
    label: str = "sampling",
    title: str = "",
) -> list[list[Completion]]:
    """Draw samples for each rendered prompt, in the prompts' order.

    Args:
        sampler: the model.
        prompts: texts as `sampler.render` gave them.
        sampling: token limit and temperature.
        k: samples per prompt; one number, or one for each prompt.
        rng_seed: with `label`, the prompt and the sample's index, names the
            random stream of a sample.
        label: what the samples are for.
        title: of the progress line, where the label does not say enough.

    Returns:
        One list of samples per prompt, in the order of their indices.
    """
    counts = [k] * len(prompts) if isinstance(k, int) else list(k)
    owners = [i for i, count in enumerate(counts) for _ in range(count)]
    asked = [
        SampleRequest(
            prompt, index, label_seed(rng_seed, label, label_seed(0, prompt), index)
        )
        for prompt, count in zip(prompts, counts, strict=True)
        for index in range(count)
    ]
    from .draw import supplied

    with progress(title or label, total=len(asked), unit="samples") as bar:
        drawn = dict(supplied(sampler, asked, sampling, bar))
    if bar.had and len(asked) > 1 and not in_notebook():
        print(f"{label}: {bar.had} of {len(asked)} samples came from the ledger")
    if lacking := count_unanswered(sample.finish for sample in drawn.values()):
        each = ", ".join(f"{n} {UNANSWERED[why]}" for why, n in lacking.items())
        print(
            f"{label}: {sum(lacking.values())} of {len(asked)} have no answer: {each}"
        )
    found: list[list[Completion]] = [[] for _ in prompts]
    for place, owner in enumerate(owners):
        found[owner].append(drawn[place])
    return found


def count_unanswered(finishes: Iterable[str]) -> dict[str, int]:
    """How many samples have no answer, by why."""
    counts = Counter(finish for finish in finishes if finish in UNANSWERED)
    return dict(sorted(counts.items()))
