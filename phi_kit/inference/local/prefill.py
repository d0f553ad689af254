"""Reading prompts: once each, in batches, what they share only once.

The prompts of a domain begin with the same turns. Their common beginning is
read once for all of them; each prompt then adds its own part.
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

    `layers` holds keys and values, left-aligned, shape (prompts, heads,
    tokens, size); `logits` what follows each, shape (prompts, vocabulary).
    """

    layers: list[Any]
    logits: torch.Tensor
    lengths: list[int]


class Prefiller:
    """Reads prompts of one draw.

    Args:
        model: a causal language model.
        pad: the token that fills short rows; it is masked.
        prompts: the token ids of every prompt that will come.
    """

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]], *, pad: int):
        self.model, self.pad = model, pad
        self.common = common_prefix(prompts)
        self.begun: DynamicCache | None = None
        if self.common:
            self.begun = DynamicCache()
            ids = torch.tensor([self.common], device=model.device)
            model(
                input_ids=ids,
                past_key_values=self.begun,
                use_cache=True,
                logits_to_keep=1,
            )

    def read(self, prompts: Sequence[Sequence[int]]) -> PrefillBatch:
        """Keys, values and next-token logits of these prompts."""
        shared, device = len(self.common), self.model.device
        rest = [list(tokens[shared:]) for tokens in prompts]
        width = max(map(len, rest))
        gaps = torch.tensor([width - len(tokens) for tokens in rest], device=device)
        ids = torch.tensor([[self.pad] * (width - len(t)) + t for t in rest])
        own = torch.arange(width, device=device)[None] >= gaps[:, None]
        mask = torch.cat([own.new_ones(len(rest), shared), own], dim=1)
        cache = self._begun(len(rest))
        logits = self.model(
            input_ids=ids.to(device),
            attention_mask=mask.long(),
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0)[:, shared:],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        places = torch.arange(width, device=device)[None] + gaps[:, None]
        places = shared + places.clamp(max=width - 1)
        before = torch.arange(shared, device=device).expand(len(rest), -1)
        _align(cache, torch.cat([before, places], dim=1))
        return PrefillBatch(cache.layers, logits, [len(tokens) for tokens in prompts])

    def _begun(self, rows: int) -> DynamicCache:
        cache = DynamicCache()
        if self.begun is not None:
            for number, layer in enumerate(self.begun.layers):
                keys, values = (
                    part.expand(rows, -1, -1, -1) for part in (layer.keys, layer.values)
                )
                cache.update(keys, values, number)
        return cache


def common_prefix(prompts: Sequence[Sequence[int]]) -> list[int]:
    """The tokens all prompts begin with; each keeps at least one of its own."""
    first, last = min(prompts), max(prompts)
    most = min(map(len, prompts)) - 1
    same = 0
    while same < most and first[same] == last[same]:
        same += 1
    return list(first[:same])


def _align(cache: DynamicCache, places: torch.Tensor) -> None:
    """Close the gap that padding left between the shared part and a row's own."""
    for layer in cache.layers:
        index = places[:, None, :, None]
        layer.keys = layer.keys.take_along_dim(index, dim=2)
        layer.values = layer.values.take_along_dim(index, dim=2)
