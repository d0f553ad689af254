"""Samples from an OpenAI-compatible server: vLLM, SGLang, llama.cpp, a hosted API.

One request a sample, many at once, and as many again as it takes. A prompt that
the server filters or finds too long costs its own samples only: they come without
a text, and `Completion.finish` says why. A key comes from the environment when requests
are made (see `api_keys`); nothing that is kept, shown or written holds it.

Not covered: batch APIs that answer within a day, and streamed replies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path

from phi_kit.core.endpoint_url import EndpointAddress, is_endpoint, parse_endpoint
from phi_kit.core.params import EndpointSettings
from phi_kit.core.replay_mode import replayed_ledger
from phi_kit.inference.types import (
    UNANSWERED,
    Completion,
    Sampler,
    SampleRequest,
    SamplingParams,
    draw,
)

from .async_bridge import iterate_async
from .budget import FILE, Budget
from .refusals import Outcomes
from .requests import EndpointDraw


@dataclass(frozen=True)
class Endpoint:
    """A model behind a URL. A `Sampler`.

    Args:
        name: `http://host:port/v1#model`.
        settings: what it may cost and how patient we are.
        folder: of the study, where `spent.jsonl` counts what is used.
        tries: failed requests after which one sample is given up; those that
            a busy server (429, 503) puts off do not count.
        first_wait: seconds after the first fault at most; see `backoff`.

    Raises:
        StudyError: the name cannot be read.
    """

    name: str
    settings: EndpointSettings = field(default_factory=EndpointSettings)
    folder: Path | None = None
    tries: int = 6
    first_wait: float = 1.0

    def __post_init__(self) -> None:
        parse_endpoint(self.name)

    @cached_property
    def address(self) -> EndpointAddress:
        """Its URL and the model's name there."""
        return parse_endpoint(self.name)

    @cached_property
    def spending(self) -> Budget:
        """What has been spent, earlier runs of the study included."""
        file = self.folder / FILE if self.folder else None
        return Budget(str(self.address), self.settings, file)

    @cached_property
    def unknown(self) -> set[str]:
        """Fields of a request that the server has refused so far."""
        return set()

    @cached_property
    def outcomes(self) -> Outcomes:
        """What became of all that it was asked."""
        return Outcomes(self.settings.unanswered)

    @cached_property
    def identity(self) -> str:
        """The address, and what the server says of the model; asked once.

        A server does not show its weights: other weights need another name. In a
        replay nobody is asked: it is what was recorded.

        Raises:
            RunError: it does not answer, or a replay does not know it.
            ModelError: it refuses the key.
        """
        if replayed_ledger():
            from phi_kit.cache.recordings import recorded_identity

            return recorded_identity(self.name)
        (told,) = iterate_async(EndpointDraw(self).report)
        return f"{self.address} {told}".strip()

    @property
    def about(self) -> str:
        """Where it is, for a reader."""
        return f"a model behind {self.address.url}"

    def render(self, instruction: str, prompt: str) -> str:
        """The chat turns as JSON; the server has the template."""
        turns = [{"role": "system", "content": instruction}] if instruction else []
        turns.append({"role": "user", "content": prompt})
        return json.dumps(turns, ensure_ascii=False, separators=(",", ":"))

    def remember(self, answered: int) -> None:
        """Learn that it has answered so many in earlier runs.

        Then a refusal is about a prompt, not about everything it is asked.
        """
        self.outcomes.earlier = max(self.outcomes.earlier, answered)

    def stream(
        self, asked: Sequence[SampleRequest], sampling: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Carry it out; yields (place in `asked`, sample) as replies arrive.

        Closing the generator cancels what is under way.

        Raises:
            RunError: the server is dead, most prompts are filtered or too long,
                samples failed again and again (a `LostError`), or the budget is
                used up; all that arrived has been yielded.
            ModelError: key, model or request are refused, or another model or
                another server is to answer.
        """
        if asked:
            yield from iterate_async(EndpointDraw(self, asked, sampling).samples)


@lru_cache(maxsize=4)  # whoever asks for the same judge gets the loaded one
def complete(
    name: str,
    *,
    settings: EndpointSettings | None = None,
    folder: Path | None = None,
    max_tokens: int = 512,
) -> Callable[[str], str]:
    """A function from a prompt to a model's greedy reply, as a judge needs it.

    Args:
        name: of the model, local or behind a URL; loaded at the first prompt.
        settings: of the endpoint.
        folder: of the study, which pays.
        max_tokens: of a reply; a longer one is cut.

    A prompt that the model is not let answer gets an empty reply.
    """

    @cache
    def sampler() -> Sampler:
        if is_endpoint(name):
            return Endpoint(name, settings or EndpointSettings(), folder)
        from phi_kit.inference.local.model import load

        # Past the cache of one: the judge must not push the student out.
        return load.__wrapped__(name)

    def reply(prompt: str) -> str:
        model = sampler()
        how = SamplingParams(max_tokens, temperature=0)
        ((sample,),) = draw(model, [model.render("", prompt)], how, label="judge")
        return "" if sample.finish in UNANSWERED else sample.text

    return reply
