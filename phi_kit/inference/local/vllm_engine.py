"""vLLM as a sampling engine: a server of its own, asked as any endpoint is.

The server is started at the first draw and stays for the next ones of the same model;
`close` ends it, as before training. It loads the model's folder itself, in NF4 with
double quantisation like the kit (vLLM's `bitsandbytes_loader.py` asks for just that),
with the LoRA adapter beside the weights where a tuned model samples.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from phi_kit.core.errors import PhiKitError
from phi_kit.core.params import EndpointSettings
from phi_kit.inference.endpoint.client import Endpoint
from phi_kit.inference.types import (
    Completion,
    LostSamplesError,
    SampleRequest,
    SamplingParams,
)

from .vllm_server import ServedModel, serving, stop_server

if TYPE_CHECKING:
    from .engine import DecodableModel

# So many requests are under way: as many as vLLM decodes together by default.
CONCURRENCY = 256
_TRIES = 3  # of a request that failed
_SETTINGS = EndpointSettings(
    concurrency=CONCURRENCY, timeout=3600, patience=30, logprobs=True
)


@dataclass(frozen=True)
class VllmEngine:
    """A vLLM server on this machine. A `SamplingEngine`.

    Each request has a seed, made of the sample's random stream; which token a seed
    draws depends on rounding, and so on what shares the batch.

    Args:
        served: the model.
    """

    name: ClassVar[str] = "vllm"

    served: ServedModel

    def stream(
        self,
        local: DecodableModel,
        requests: Sequence[SampleRequest],
        sampling: SamplingParams,
    ) -> Iterator[tuple[int, Completion]]:
        """Draw the samples; see `SamplingEngine`.

        Raises:
            RunError: the server does not start, or fails; it names the server's log.
            LostSamplesError: some samples failed in all their tries.
        """
        if not requests:
            return
        asked = [replace(each, prompt=_as_turns(each.prompt)) for each in requests]
        tokens = _longest(local, requests) + sampling.max_tokens
        with serving(self.served, tokens) as server:
            try:
                endpoint = Endpoint(server.address, _SETTINGS, tries=_TRIES)
                for index, sample in endpoint.stream(asked, sampling):
                    yield index, _as_decoded(sample)
            except PhiKitError as error:
                if server.ends_soon():
                    what = "vLLM ended while it was sampling"
                    raise server.failed(what) from error
                if isinstance(error, LostSamplesError):
                    raise
                where = str(server.log)
                raise type(error)(error.what, where=where, todo=error.todo) from error

    def adapted(self, folder: Path) -> VllmEngine:
        """The engine that serves the adapter with the model."""
        return VllmEngine(replace(self.served, adapter=folder))

    def close(self) -> None:
        """End the server; its memory is free again when this returns."""
        stop_server()


def _longest(local: DecodableModel, requests: Sequence[SampleRequest]) -> int:
    """Tokens of the longest prompt."""
    prompts = list({request.prompt for request in requests})
    ids = local.tokenizer(prompts, add_special_tokens=False).input_ids
    return max(map(len, ids))


def _as_turns(prompt: str) -> str:
    """A rendered prompt as the one turn that the server's template repeats."""
    turns = [{"role": "user", "content": prompt}]
    return json.dumps(turns, ensure_ascii=False, separators=(",", ":"))


def _as_decoded(sample: Completion) -> Completion:
    """A sample as the kit's own engine gives it."""
    known = sample.logprob is not None
    return replace(sample, logprob=round(sample.logprob, 4) if known else None)
