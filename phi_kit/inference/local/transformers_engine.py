"""transformers' continuous batching as a sampling engine.

Its paged cache and, on a GPU, its CUDA graphs and flash attention (where that package
is installed) make it fast; its random numbers are drawn for all rows together, so a
sample depends on what shares its batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from phi_kit.core.errors import RunError
from phi_kit.core.rng import label_seed
from phi_kit.inference.types import Completion, SampleRequest, SamplingParams

from .decoding_weights import unused_bytes, weights_for_decoding

if TYPE_CHECKING:
    from transformers import ContinuousBatchingConfig, GenerationConfig

    from .engine import DecodableModel

ROWS = 256  # that decode together at most (kit default)
# Share of the free memory that its cache takes, and the share up to which it gets just
# what the draw needs (kit defaults): filling a large one outlasts a small draw.
CACHE_SHARE, SMALL_SHARE = {"cpu": 0.2, "cuda": 0.8}, {"cpu": 0.1, "cuda": 0.3}
PAGE = 256  # tokens; flash attention wants a multiple of it
# Tokens of one forward pass. Without flash attention there is a mask of that many rows,
# as wide as the whole cache.
_PASS_TOKENS = 2048
_POLL_SECONDS = 1.0  # after which a batch without a result is looked at
_OUT_OF_MEMORY = "out of memory"


@dataclass(frozen=True)
class TransformersEngine:
    """Continuous batching by transformers. A `SamplingEngine`."""

    name: ClassVar[str] = "transformers"

    def stream(
        self,
        local: DecodableModel,
        requests: Sequence[SampleRequest],
        sampling: SamplingParams,
    ) -> Iterator[tuple[int, Completion]]:
        """Draw the samples; see `SamplingEngine`.

        Log-probabilities are the model's own, at temperature 1. The engine knows those
        at the temperature it samples with, so at others there are none.

        Raises:
            RunError: it fails, or memory does not suffice.
        """
        from .engine import completion_of, token_ids

        if not requests:
            return
        ids = token_ids(local, requests)
        # Samples of one prompt after the other: they share its pages.
        order = sorted(range(len(requests)), key=lambda i: ids[requests[i].prompt])
        with (
            weights_for_decoding(local.model),
            _manager(
                local, requests, sampling, longest=max(map(len, ids.values()))
            ) as manager,
        ):
            for index in order:
                manager.add_request(
                    ids[requests[index].prompt],
                    request_id=str(index),
                    max_new_tokens=sampling.max_tokens,
                    eos_token_id=sorted(local.stop_ids),
                )
            for result in _results(manager, len(requests), local.name):
                logprob = sum(result.logprobs) if result.logprobs else None
                yield (
                    int(result.request_id),
                    completion_of(local, result.generated_tokens, logprob),
                )

    def adapted(self, folder: Path) -> TransformersEngine:
        """Itself: it decodes the model that it is given."""
        return self

    def close(self) -> None:
        """Do nothing: it holds memory while it draws and no longer."""


@contextmanager
def _manager(
    local: DecodableModel,
    requests: Sequence[SampleRequest],
    sampling: SamplingParams,
    *,
    longest: int,
) -> Iterator[Any]:
    """The manager, running; stopped at once where the draw is left."""
    import torch
    from transformers.generation.continuous_batching.utils import WorkloadHints

    model = getattr(local.model, "get_base_model", lambda: local.model)()
    hints = WorkloadHints(
        max_prompt_length=longest,
        max_generated_length=sampling.max_tokens,
        num_requests=len(requests),
    )
    with torch.random.fork_rng():  # it seeds the process's generators
        manager = model.init_continuous_batching(
            generation_config=_law(local, sampling),
            continuous_batching_config=_batching(
                local, requests, sampling, longest=longest
            ),
            workload_hints=hints,
        )
        try:
            if model.device.type == "cuda":
                manager.warmup()  # captures its graphs, largest first
            manager.start()
            yield manager
        finally:
            manager.stop(block=True, hard_stop=True)
            manager.destroy()


def _law(local: DecodableModel, sampling: SamplingParams) -> GenerationConfig:
    """The softmax at a temperature, whatever the model's own settings say."""
    from transformers import GenerationConfig

    warm = {"temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
    return GenerationConfig(
        do_sample=sampling.temperature > 0,
        **(warm if sampling.temperature > 0 else {}),
        max_new_tokens=sampling.max_tokens,
        eos_token_id=sorted(local.stop_ids),
        pad_token_id=local.tokenizer.pad_token_id,
    )


def _batching(
    local: DecodableModel,
    requests: Sequence[SampleRequest],
    sampling: SamplingParams,
    *,
    longest: int,
) -> ContinuousBatchingConfig:
    from transformers import ContinuousBatchingConfig

    from .engine import kv_bytes

    model, rows = local.model, min(ROWS, len(requests))
    pages = rows * -(-(longest + sampling.max_tokens) // PAGE)
    small = SMALL_SHARE[model.device.type] * unused_bytes(model.device)
    # Only a package that is installed: it would fetch kernels from the hub.
    flash = find_spec("flash_attn") is not None
    seed = label_seed(0, "continuous batching", *(each.seed for each in requests))
    return ContinuousBatchingConfig(
        page_size=PAGE,
        num_blocks=pages if pages * PAGE * kv_bytes(model) <= small else None,
        max_batch_tokens=None if flash else _PASS_TOKENS,
        max_requests_per_batch=rows,
        max_memory_percent=CACHE_SHARE[model.device.type],
        return_logprobs=sampling.temperature in (0, 1),
        seed=seed >> 32,
        auto_switch_to_flash=flash,
    )


def _results(manager: Any, expected: int, name: str) -> Iterator[Any]:
    """The finished requests, as they end."""
    left = expected
    while left:
        result = manager.get_result(timeout=_POLL_SECONDS)
        if result is None:
            if not manager.is_running():
                error = manager.background_thread_status.fatal_error
                raise _failed(name, str(error or "it ended"))
            continue
        if result.error is not None:
            raise _failed(name, result.error)
        left -= 1
        yield result


def _failed(name: str, why: str) -> RunError:
    if _OUT_OF_MEMORY in why:
        todo = "lower max_tokens or set engine: own, which goes on with fewer rows"
    else:
        todo = "set engine: own; the samples' law is the same"
    return RunError(
        f"transformers' continuous batching failed: {why.strip()}",
        where=name,
        todo=todo,
    )
