"""Decoding on this machine: many samples at once from a transformers model.

Each prompt is read once and its keys and values are shared by its samples. A row
that has finished makes room for the next sample, so the batch stays full
(continuous batching). Every sample has a random stream of its own, so it does not
depend on which rows happened to share its batch (up to float rounding).

Models with layers that do not attend to all tokens (sliding windows, linear
attention) go through transformers' `generate`, in groups that start together:
slower, with the same samples.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from phi_kit.core.errors import RunError
from phi_kit.inference.types import Completion, SampleRequest, SamplingParams
from phi_kit.models.shortage import is_out_of_memory

from .decoding_weights import unused_bytes, weights_for_decoding
from .kv_cache import SlotKVCache
from .prefill import PrefillBatch, Prefiller, prefix_groups, shared_tokens
from .token_sampler import sample_tokens

MAX_ROWS = 128  # rows that decode together (kit default, not tuned)
MEMORY_SHARE = 0.5  # of the free memory that the rows' keys and values may take
PREFILL_TOKENS = 2048  # prompt tokens read at a time
# New samples enter when so large a part of the rows is free: each entry costs
# a forward pass over prompts and copies (kit default).
REFILL_SHARE = 1 / 8


class DecodableModel(Protocol):
    """A loaded model as the engine needs it; `LocalModel` is one."""

    name: str
    model: Any
    tokenizer: Any

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a turn."""


def decode(
    local: DecodableModel, requests: Sequence[SampleRequest], sampling: SamplingParams
) -> Iterator[tuple[int, Completion]]:
    """Decode all requests; yields (index in `requests`, sample) as rows finish.

    Out of memory, it goes on with half the rows; samples under way start again
    and come out the same.

    Raises:
        RunError: memory does not suffice for a single row, or the model's
            logits are not finite.
    """
    if not requests:
        return
    prompt_ids = token_ids(local, requests)
    longest = max(map(len, prompt_ids.values())) + sampling.max_tokens
    config = local.model.config.get_text_config()
    with weights_for_decoding(local.model):
        if not attends_to_all(config, longest):
            yield from _decode_group(
                GenerateBatch, local, requests, prompt_ids, sampling
            )
            return
        for group in prefix_groups(local.model, prompt_ids):
            ids = {prompt: prompt_ids[prompt] for prompt in group}
            yield from _decode_group(ContinuousBatch, local, requests, ids, sampling)


def _decode_group(
    batch_type: type[ContinuousBatch],
    local: DecodableModel,
    requests: Sequence[SampleRequest],
    prompt_ids: Mapping[str, list[int]],
    sampling: SamplingParams,
) -> Iterator[tuple[int, Completion]]:
    """Decode the requests of these prompts, with half the rows if memory runs out."""
    chosen = [i for i, request in enumerate(requests) if request.prompt in prompt_ids]
    # Similar lengths together, for less padding; the samples of a prompt in a row.
    left = sorted(chosen, key=lambda i: (len(prompt_ids[requests[i].prompt]), i))
    shared = 0
    if batch_type is ContinuousBatch:
        shared = shared_tokens(local.model, list(prompt_ids.values()))
    longest = max(map(len, prompt_ids.values())) + sampling.max_tokens
    fitting = _rows_that_fit(local.model, longest - shared)
    rows = min(MAX_ROWS, len(left), fitting)
    while left:
        batch = batch_type(
            local, requests, prompt_ids, sampling, rows=rows, shared=shared
        )
        done: set[int] = set()
        try:
            for index, completion in batch.run(left):
                done.add(index)
                yield index, completion
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if rows == 1:
                raise _too_large(local) from error
            rows = -(-rows // 2)
        left = [index for index in left if index not in done]


def attends_to_all(config: Any, longest: int) -> bool:
    """Whether all layers of a model attend to all of `longest` tokens."""
    window = getattr(config, "sliding_window", None)
    layer_types = set(getattr(config, "layer_types", None) or ())
    if window is None or longest <= window:
        return layer_types <= {"full_attention", "sliding_attention"}
    return layer_types == {"full_attention"}


def token_ids(
    local: DecodableModel, requests: Sequence[SampleRequest]
) -> dict[str, list[int]]:
    """The token ids of every prompt, as a model reads them."""
    prompts = list(dict.fromkeys(request.prompt for request in requests))
    # The template has written its own BOS.
    ids = local.tokenizer(prompts, add_special_tokens=False).input_ids
    return dict(zip(prompts, ids, strict=True))


def kv_bytes(model: Any) -> int:
    """Bytes of the keys and values of one token."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None)
    size = size or config.hidden_size // config.num_attention_heads
    return 2 * config.num_hidden_layers * heads * size * model.dtype.itemsize


def _rows_that_fit(model: Any, longest: int) -> int:
    """How many rows of `longest` tokens the free memory holds, at least one."""
    config = model.config.get_text_config()
    row_bytes = longest * kv_bytes(model)
    row_bytes += 3 * 4 * config.vocab_size  # logits, and what is made of them
    return max(1, int(MEMORY_SHARE * unused_bytes(model.device) / row_bytes))


def _too_large(local: DecodableModel) -> RunError:
    return RunError(
        f"{local.name} does not fit into memory with one sample at a time",
        todo="lower max_tokens, take a smaller model, or free memory",
    )


def _not_finite(local: DecodableModel) -> RunError:
    return RunError(
        f"{local.name} gives logits that are not finite",
        todo="the weights or the adapter are damaged, or an adapter was trained "
        "with too high a learning_rate",
    )


class DecodingRow:
    """A sample under way: its tokens so far, and its random stream."""

    def __init__(self, index: int, request: SampleRequest, sampling: SamplingParams):
        self.index = index
        self.tokens: list[int] = []
        self.logprob = 0.0
        rng = np.random.default_rng(request.seed)
        self.uniforms = rng.random(sampling.max_tokens)

    @property
    def next_uniform(self) -> float:
        """The number in [0, 1) that draws its next token."""
        return self.uniforms[len(self.tokens)]

    def append(self, token: int, logprob: float) -> None:
        """Add its next token."""
        self.tokens.append(token)
        self.logprob += logprob

    def is_finished(self, stop_ids: frozenset[int]) -> bool:
        """Whether its last token ends the turn or reaches the limit."""
        return self.tokens[-1] in stop_ids or len(self.tokens) == len(self.uniforms)


def completion_of(
    local: DecodableModel, tokens: list[int], logprob: float | None
) -> Completion:
    """The sample that these tokens are; `logprob` is the sum over them, if known."""
    text = local.tokenizer.decode(tokens, skip_special_tokens=True)
    return Completion(
        text.strip(),
        len(tokens),
        "stop" if tokens[-1] in local.stop_ids else "length",
        None if logprob is None else round(logprob / len(tokens), 4),
    )


def _append_tokens(
    local: DecodableModel,
    rows: Sequence[DecodingRow],
    logits: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Sample the next token of each row; logits of shape (rows, vocabulary).

    Returns:
        The token ids, shape (rows,).
    """
    uniforms = torch.tensor([row.next_uniform for row in rows])
    tokens, logprobs = sample_tokens(logits, uniforms.to(logits.device), temperature)
    if not logprobs.isfinite().all():
        raise _not_finite(local)
    for row, token, logprob in zip(
        rows, tokens.tolist(), logprobs.tolist(), strict=True
    ):
        row.append(token, logprob)
    return tokens


class ContinuousBatch:
    """Samples that decode together; rows start and end at any time.

    Args:
        local: the model.
        requests: all samples of the draw.
        prompt_ids: the token ids of every prompt.
        sampling: token limit and temperature.
        rows: how many samples decode together at most.
        shared: tokens of a prefix of all prompts that is kept once.
    """

    def __init__(
        self,
        local: DecodableModel,
        requests: Sequence[SampleRequest],
        prompt_ids: Mapping[str, list[int]],
        sampling: SamplingParams,
        *,
        rows: int,
        shared: int = 0,
    ):
        self.local, self.requests, self.prompt_ids = local, requests, prompt_ids
        self.sampling, self.max_rows, self.shared = sampling, rows, shared
        self.stop_ids = local.stop_ids
        self.rows: list[DecodingRow] = []  # one per slot in use, in their order
        self.kv_cache: SlotKVCache | None = None
        self.prefilled: PrefillBatch | None = None
        # Samples whose prompt is read: (request, number of its prompt in `prefilled`).
        self.ready: deque[tuple[int, int]] = deque()

    def run(self, indices: Sequence[int]) -> Iterator[tuple[int, Completion]]:
        """Decode these requests, in their order."""
        self.waiting = deque(indices)
        with torch.inference_mode():
            pad = self.local.tokenizer.pad_token_id
            prompts = list(self.prompt_ids.values())
            self.prefiller = Prefiller(
                self.local.model, prompts, pad=pad, shared=self.shared
            )
        while self.rows or self.ready or self.waiting:
            # Not around the `yield`: the mode would leak to the caller.
            with torch.inference_mode():
                ended = self._admit() if self._has_room() else []
                if self.rows:
                    ended += self._step()
            for row in ended:
                yield row.index, completion_of(self.local, row.tokens, row.logprob)

    def _has_room(self) -> bool:
        free = self.max_rows - len(self.rows)
        waiting = bool(self.ready or self.waiting)
        return waiting and free >= REFILL_SHARE * self.max_rows

    def _admit(self) -> list[DecodingRow]:
        """Fill the free slots; returns the samples that end with their first token."""
        ended: list[DecodingRow] = []
        while (free := self.max_rows - len(self.rows)) and (self.ready or self.waiting):
            if not self.ready:
                self._prefill()
            entering = [self.ready.popleft() for _ in range(min(free, len(self.ready)))]
            prompts = [prompt for _, prompt in entering]
            lengths = [self.prefilled.lengths[prompt] for prompt in prompts]
            first = self.kv_cache.admit(self.prefilled.layers, prompts, lengths)
            self.rows += [
                DecodingRow(index, self.requests[index], self.sampling)
                for index, _ in entering
            ]
            ended += self._append(self.prefilled.logits[prompts], first=first)
        return ended

    def _prefill(self) -> None:
        """Read the prompts of the samples that come next."""
        numbers: dict[str, int] = {}
        tokens = 0
        while self.waiting and len(self.ready) < self.max_rows:
            prompt = self.requests[self.waiting[0]].prompt
            if prompt not in numbers:
                tokens += len(self.prompt_ids[prompt]) - self.shared
                if numbers and tokens > PREFILL_TOKENS:
                    break
                numbers[prompt] = len(numbers)
            self.ready.append((self.waiting.popleft(), numbers[prompt]))
        ids = [self.prompt_ids[prompt] for prompt in numbers]
        self.prefilled = self.prefiller.read(ids)
        if self.kv_cache is None:
            longest = max(map(len, self.prompt_ids.values())) + self.sampling.max_tokens
            self.kv_cache = SlotKVCache(
                self.prefilled.layers,
                rows=self.max_rows,
                longest=longest - self.shared,
                before=self.shared,
            )

    def _step(self) -> list[DecodingRow]:
        """One more token for every row; returns those that end with it."""
        mask, positions = self.kv_cache.extend()
        last = torch.tensor([row.tokens[-1] for row in self.rows])
        with self.prefiller.behind_prefix():
            logits = self.local.model(
                input_ids=last.to(positions.device)[:, None],
                attention_mask=mask,
                position_ids=positions,
                past_key_values=self.kv_cache,
                use_cache=True,
            ).logits[:, -1]
        return self._append(logits, first=0)

    def _append(self, logits: torch.Tensor, *, first: int) -> list[DecodingRow]:
        """Sample a token for the rows from `first` on; rows that end leave."""
        _append_tokens(self.local, self.rows[first:], logits, self.sampling.temperature)
        ended = [
            slot for slot, row in enumerate(self.rows) if row.is_finished(self.stop_ids)
        ]
        leaving = [self.rows[slot] for slot in ended]
        for source, target in self.kv_cache.remove(ended):
            self.rows[target] = self.rows[source]
        del self.rows[self.kv_cache.used :]
        return leaving


class GenerateBatch(ContinuousBatch):
    """The same samples from transformers' `generate`, in groups of `rows`.

    The cache is the one that transformers makes for the model, of any kind.
    Samples of a group are handed over together when the longest has ended.
    """

    def run(self, indices: Sequence[int]) -> Iterator[tuple[int, Completion]]:
        """Decode these requests, in their order."""
        for start in range(0, len(indices), self.max_rows):
            group = indices[start : start + self.max_rows]
            self.rows = [DecodingRow(i, self.requests[i], self.sampling) for i in group]
            self._generate()
            for row in self.rows:
                yield row.index, completion_of(self.local, row.tokens, row.logprob)

    def _generate(self) -> None:
        pad = self.local.tokenizer.pad_token_id
        prompts = [
            self.prompt_ids[self.requests[row.index].prompt] for row in self.rows
        ]
        width = max(map(len, prompts))
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        settings = GenerationConfig(
            do_sample=False,
            max_new_tokens=self.sampling.max_tokens,
            eos_token_id=sorted(self.stop_ids),
            pad_token_id=pad,
        )
        model = self.local.model
        with torch.inference_mode(), _generation_config(model, settings):
            model.generate(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                generation_config=settings,
                logits_processor=LogitsProcessorList([_OwnStreams(self)]),
            )


@contextmanager
def _generation_config(model: Any, settings: GenerationConfig) -> Iterator[None]:
    """Give a model generation settings for a while.

    `generate` fills whatever is not set from the model's own, such as penalties.
    """
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    own = base.generation_config
    base.generation_config = settings
    try:
        yield
    finally:
        base.generation_config = own


class _OwnStreams(LogitsProcessor):
    """Samples each row's token by its own random stream, inside `generate`.

    `generate` itself takes the likeliest token: only the sampled one is left.
    """

    def __init__(self, batch: GenerateBatch):
        self.batch = batch

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor
    ) -> torch.FloatTensor:
        """Scores that leave one possible token a row, shape (rows, vocabulary)."""
        batch = self.batch
        going = [
            number
            for number, row in enumerate(batch.rows)
            if not row.tokens or not row.is_finished(batch.stop_ids)
        ]
        tokens = torch.zeros(len(scores), dtype=torch.long, device=scores.device)
        tokens[going] = _append_tokens(
            batch.local,
            [batch.rows[number] for number in going],
            scores[going],
            batch.sampling.temperature,
        )
        forced = torch.full_like(scores, -torch.inf)
        return forced.scatter_(1, tokens[:, None], 0.0)
