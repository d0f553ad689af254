"""Rows that start together and keep one length, for models of any kind.

Slower than `batch`, and without its assumption that every layer sees every
token: the cache is the one that transformers makes for the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import DynamicCache

from phi_kit.inference.types import Completion

from .engine import ContinuousBatch, DecodingRow, not_finite, sample_of
from .token_sampler import sample_tokens


def sees_everything(config: Any, longest: int) -> bool:
    """Whether all layers of a model attend to all of `longest` tokens."""
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ())
    if window is None or longest <= window:
        return kinds <= {"full_attention", "sliding_attention"}
    return kinds == {"full_attention"}


class Lockstep(ContinuousBatch):
    """The same samples as `Batch`, in groups that start together."""

    def run(self, places: Sequence[int]) -> Iterator[tuple[int, Completion]]:
        """Decode these places of `asked`, in their order."""
        for start in range(0, len(places), self.limit):
            group = places[start : start + self.limit]
            self.rows = [DecodingRow(i, self.asked[i], self.sampling) for i in group]
            with torch.inference_mode():
                logits, cache, mask = self._prefill()
            position = mask.sum(dim=1)
            while self.rows:
                with torch.inference_mode():
                    tokens, going = self._draw(logits)
                for row in [row for row in self.rows if row.over(self.stops)]:
                    yield row.place, sample_of(self.student, row.tokens, row.logprob)
                self.rows = [self.rows[i] for i in going]
                if not going:
                    break
                with torch.inference_mode():
                    kept = torch.tensor(going, device=mask.device)
                    cache.batch_select_indices(kept)
                    mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)[kept]
                    position = position[kept]
                    logits = self.student.model(
                        input_ids=tokens[kept, None],
                        attention_mask=mask,
                        position_ids=position[:, None],
                        past_key_values=cache,
                        use_cache=True,
                    ).logits[:, -1]
                    position = position + 1

    def _draw(self, logits: torch.Tensor) -> tuple[torch.Tensor, list[int]]:
        """A token for every row, and which rows go on."""
        uniforms = torch.tensor([row.uniform for row in self.rows])
        tokens, logprobs = sample_tokens(
            logits, uniforms.to(logits.device), self.sampling.temperature
        )
        if not logprobs.isfinite().all():
            raise not_finite(self.student)
        for row, token, logprob in zip(
            self.rows, tokens.tolist(), logprobs.tolist(), strict=True
        ):
            row.say(token, logprob)
        return tokens, [
            i for i, row in enumerate(self.rows) if not row.over(self.stops)
        ]

    def _prefill(self) -> tuple[torch.Tensor, DynamicCache, torch.Tensor]:
        """Read each prompt once; logits, cache and mask for every row."""
        prompts = [self.asked[row.place].prompt for row in self.rows]
        unique = list(dict.fromkeys(prompts))
        tokens = [self.ids[prompt] for prompt in unique]
        width, model = max(map(len, tokens)), self.student.model
        pad = self.student.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(t)) + t for t in tokens])
        mask = torch.tensor([[0] * (width - len(t)) + [1] * len(t) for t in tokens])
        ids, mask = ids.to(model.device), mask.to(model.device)
        out = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
            past_key_values=DynamicCache(config=model.config),
            use_cache=True,
            logits_to_keep=1,
        )
        number = {prompt: i for i, prompt in enumerate(unique)}
        which = torch.tensor([number[prompt] for prompt in prompts], device=ids.device)
        cache = out.past_key_values
        cache.batch_select_indices(which)
        return out.logits[which, -1], cache, mask[which]
