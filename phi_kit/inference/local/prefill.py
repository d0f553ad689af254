"""Prefill: read each prompt once, in batches, and their common prefix only once.

The prompts of a domain begin with the same turns. Their common prefix is read once
for all of them; each prompt then adds its own part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache


@dataclass(frozen=True)
class PrefillBatch:
    """Prompts that were read together.

    Attributes:
        layers: keys and values, left-aligned, shape (prompts, heads, tokens, size).
        logits: of each prompt's next token, shape (prompts, vocabulary).
        lengths: tokens of each prompt.
    """

    layers: list[Any]
    logits: torch.Tensor
    lengths: list[int]


class Prefiller:
    """Reads the prompts of one draw.

    Args:
        model: a causal language model.
        pad: the token that fills short rows; it is masked.
        prompts: token ids of every prompt of the draw.
    """

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]], *, pad: int):
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

    def read(self, prompts: Sequence[Sequence[int]]) -> PrefillBatch:
        """Keys, values and next-token logits of these prompts."""
        prefix, device = len(self.prefix), self.model.device
        rest = [list(tokens[prefix:]) for tokens in prompts]
        width = max(map(len, rest))
        gaps = torch.tensor([width - len(tokens) for tokens in rest], device=device)
        ids = torch.tensor([[self.pad] * (width - len(t)) + t for t in rest])
        own = torch.arange(width, device=device)[None] >= gaps[:, None]
        mask = torch.cat([own.new_ones(len(rest), prefix), own], dim=1)
        cache = self._with_prefix(len(rest))
        logits = self.model(
            input_ids=ids.to(device),
            attention_mask=mask.long(),
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0)[:, prefix:],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        columns = torch.arange(width, device=device)[None] + gaps[:, None]
        columns = prefix + columns.clamp(max=width - 1)
        before = torch.arange(prefix, device=device).expand(len(rest), -1)
        _align_left(cache, torch.cat([before, columns], dim=1))
        return PrefillBatch(cache.layers, logits, [len(tokens) for tokens in prompts])

    def _with_prefix(self, rows: int) -> DynamicCache:
        cache = DynamicCache()
        if self.prefix_cache is not None:
            for number, layer in enumerate(self.prefix_cache.layers):
                keys, values = (
                    part.expand(rows, -1, -1, -1) for part in (layer.keys, layer.values)
                )
                cache.update(keys, values, number)
        return cache


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
