"""Samples from an OpenAI-compatible server: vLLM, SGLang, llama.cpp, a hosted API.

One request per sample, sent concurrently and retried. A prompt that the server
filters or finds too long costs its own samples only: they come without a text, and
`Completion.finish` says why. A key comes from the environment when requests are made
(see `api_keys`); nothing that is stored, shown or written contains it.

Not covered: batch APIs that answer within a day, and streamed replies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from phi_kit.core.endpoint_url import EndpointAddress, parse_endpoint
from phi_kit.core.params import EndpointSettings
from phi_kit.inference.types import Completion, SampleRequest, SamplingParams

from .async_bridge import iterate_async
from .budget import FILE, Budget
from .request_retries import EndpointDraw, ServerState


@dataclass(frozen=True)
class Endpoint:
    """A model behind a URL. A `Sampler`.

    Args:
        name: `http://host:port/v1#model`.
        settings: budget, concurrency and patience.
        folder: of the study, where `spent.jsonl` counts what is used.
        tries: failed requests after which one sample is given up; those that
            a busy server (429, 503) puts off do not count.
        first_wait: seconds after the first failure at most; see
            `request_retries.backoff`.

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
    def server(self) -> ServerState:
        """What is known of the server, over all draws from it."""
        file = self.folder / FILE if self.folder else None
        budget = Budget(str(self.address), self.settings, file)
        return ServerState(
            self.address, self.settings, budget, self.tries, self.first_wait
        )

    @cached_property
    def identity(self) -> str:
        """The address, and the server's facts about the model; asked once.

        A server does not show its weights: serve others under another name.

        Raises:
            RunError: it does not answer.
            ModelError: it refuses the key.
        """
        (facts,) = iterate_async(EndpointDraw(self.server).report)
        return f"{self.address} {facts}".strip()

    @property
    def about(self) -> str:
        """Its URL, in a few words for a reader."""
        return f"a model behind {self.address.url}"

    def render(
        self,
        instruction: str,
        prompt: str,
        *,
        thinking: bool = False,
        examples: Sequence[tuple[str, str]] = (),
    ) -> str:
        """The chat turns as JSON; the server has the template.

        It also has the switch of the model's thinking, if there is one: to a server
        `thinking` is said by the instruction alone.
        """
        turns = [{"role": "system", "content": instruction}] if instruction else []
        for question, response in examples:
            turns.append({"role": "user", "content": question})
            turns.append({"role": "assistant", "content": response})
        turns.append({"role": "user", "content": prompt})
        return json.dumps(turns, ensure_ascii=False, separators=(",", ":"))

    def note_answered(self, answered: int) -> None:
        """Take note that it has answered so many requests in earlier runs.

        A refusal is then the prompt's fault, and not that of all requests.
        """
        outcomes = self.server.outcomes
        outcomes.earlier = max(outcomes.earlier, answered)

    def stream(
        self, requests: Sequence[SampleRequest], sampling: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Draw the samples; yields (index in `requests`, sample) as replies arrive.

        Closing the generator cancels the requests under way.

        Raises:
            RunError: the server does not answer, most prompts are filtered or too
                long, samples failed in all their tries (a `LostSamplesError`), or
                the budget is used up; all that arrived has been yielded.
            ModelError: key, model or request are refused, or another model or
                another server is to answer.
        """
        if requests:
            draw = EndpointDraw(self.server, requests, sampling)
            yield from iterate_async(draw.samples)
