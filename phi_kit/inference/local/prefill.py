"""Prefill: read each prompt once, in batches, and their common prefix only once.

The prompts of a domain begin with the same turns. Their common prefix is read once
for all of them; each prompt then adds its own part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from .shared_prefix import (
    LEAST_SHARED,
    causal_mask,
    is_shareable,
    prefix_layers,
    shared_prefix,
)

# Prompts that make a group of their own worth its last, half-empty steps (kit default).
LEAST_GROUP = 8


@dataclass(frozen=True)
class PrefillBatch:
    """Prompts that were read together.

    Attributes:
        layers: keys and values, left-aligned, shape (prompts, heads, tokens, size);
            without those of a prefix that is shared.
        logits: of each prompt's next token, shape (prompts, vocabulary).
        lengths: tokens of each prompt in `layers`.
    """

    layers: list[Any]
    logits: torch.Tensor
    lengths: list[int]


class Prefiller:
    """Reads the prompts of one draw.

    Args:
        model: a causal language model.
        prompts: token ids of every prompt of the draw.
        pad: the token that fills short rows; it is masked.
        shared: what `shared_tokens` says of them.
    """

    def __init__(
        self,
        model: Any,
        prompts: Sequence[Sequence[int]],
        *,
        pad: int,
        shared: int = 0,
    ):
        self.model, self.pad = model, pad
        self.prefix = common_prefix(prompts)
        self.prefix_cache: DynamicCache | None = None
        if self.prefix:
            self.prefix_cache = DynamicCache()
            ids = torch.tensor([self.prefix], device=model.device)
            model(
                input_ids=ids,
                past_key_values=self.prefix_cache,
                use_cache=True,
                logits_to_keep=1,
            )
        self.shared = prefix_layers(self.prefix_cache) if shared else []

    def read(self, prompts: Sequence[Sequence[int]]) -> PrefillBatch:
        """Keys, values and next-token logits of these prompts."""
        prefix, device = len(self.prefix), self.model.device
        rest = [list(tokens[prefix:]) for tokens in prompts]
        width = max(map(len, rest))
        gaps = torch.tensor([width - len(tokens) for tokens in rest], device=device)
        ids = torch.tensor([[self.pad] * (width - len(t)) + t for t in rest])
        own = torch.arange(width, device=device)[None] >= gaps[:, None]
        kept = 0 if self.shared else prefix  # the prefix' columns in each row's cache
        cache = DynamicCache() if self.shared else self._with_prefix(len(rest))
        with self.behind_prefix():
            logits = self.model(
                input_ids=ids.to(device),
                attention_mask=self._mask(own),
                position_ids=prefix + (own.cumsum(dim=1) - 1).clamp(min=0),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
        columns = torch.arange(width, device=device)[None] + gaps[:, None]
        columns = kept + columns.clamp(max=width - 1)
        before = torch.arange(kept, device=device).expand(len(rest), -1)
        _align_left(cache, torch.cat([before, columns], dim=1))
        return PrefillBatch(cache.layers, logits, [kept + len(t) for t in rest])

    def behind_prefix(self) -> AbstractContextManager[None]:
        """Where the model is called on what comes behind a shared prefix."""
        if self.shared:
            return shared_prefix(self.model, self.shared)
        return nullcontext()

    def _mask(self, own: torch.Tensor) -> torch.Tensor:
        """The attention mask of rows of which the left is padding."""
        if self.shared:
            return causal_mask(own, self.model.dtype)
        return torch.cat([own.new_ones(len(own), len(self.prefix)), own], dim=1).long()

    def _with_prefix(self, rows: int) -> DynamicCache:
        cache = DynamicCache()
        if self.prefix_cache is not None:
            for number, layer in enumerate(self.prefix_cache.layers):
                keys, values = (
                    part.expand(rows, -1, -1, -1) for part in (layer.keys, layer.values)
                )
                cache.update(keys, values, number)
        return cache


def shared_tokens(model: Any, prompts: Sequence[Sequence[int]]) -> int:
    """Tokens of a prefix that is long enough to be kept once, and can be; else 0."""
    tokens = len(common_prefix(prompts))
    return tokens if tokens >= LEAST_SHARED and is_shareable(model) else 0


def prefix_groups(model: Any, prompts: Mapping[str, Sequence[int]]) -> list[list[str]]:
    """Prompts by the long prefix they share; those that share none are one more group.

    With worked examples the questions of each family come after others. Decoded family
    by family each prefix is read and kept once; all together they share only the
    system turn.

    Args:
        model: that reads them.
        prompts: with their token ids.
    """
    runs: list[list[str]] = []
    ordered = sorted(prompts, key=prompts.__getitem__)
    for prompt in ordered:
        if runs and _share(prompts[runs[-1][0]], prompts[prompt]):
            runs[-1].append(prompt)
        else:
            runs.append([prompt])
    groups = [run for run in runs if len(run) >= LEAST_GROUP]
    if len(runs) == 1 or not groups or not is_shareable(model):
        return [ordered]
    rest = [prompt for run in runs if len(run) < LEAST_GROUP for prompt in run]
    return [*groups, *([rest] if rest else [])]


def _share(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two prompts begin with the same long prefix."""
    return list(one[:LEAST_SHARED]) == list(other[:LEAST_SHARED]) and (
        min(len(one), len(other)) > LEAST_SHARED
    )


def common_prefix(prompts: Sequence[Sequence[int]]) -> list[int]:
    """The tokens all prompts begin with; each has at least one more of its own."""
    first, last = min(prompts), max(prompts)
    limit = min(map(len, prompts)) - 1
    same = 0
    while same < limit and first[same] == last[same]:
        same += 1
    return list(first[:same])


def _align_left(cache: DynamicCache, columns: torch.Tensor) -> None:
    """Close the gap of padding between the common prefix and a row's own part."""
    for layer in cache.layers:
        index = columns[:, None, :, None]
        layer.keys = layer.keys.take_along_dim(index, dim=2)
        layer.values = layer.values.take_along_dim(index, dim=2)
