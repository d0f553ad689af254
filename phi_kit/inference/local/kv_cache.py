"""A key-value cache whose rows come and go on their own.

transformers' `DynamicCache` copies itself at every token and keeps all rows at
one length. Here each row has a slot: it starts at any time with a prompt's
keys and values, writes each new token in place, and leaves its slot to the
last row, so that the rows in use always stand first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

GROWTH = 128  # tokens by which slots grow at least


class SlotKVCache(Cache):
    """Keys and values of rows of different lengths, for one new token each.

    Args:
        layers: the prompt's layers to take shapes from, each with keys of shape
            (prompts, heads, tokens, size).
        rows: number of slots.
        longest: tokens that a row may have at most.
        before: tokens of a prefix that stands before every row and is kept elsewhere.
    """

    def __init__(
        self, layers: Sequence[Any], *, rows: int, longest: int, before: int = 0
    ):
        super().__init__(layers=[_SlotLayer(self, like, rows) for like in layers])
        self.longest, self.before, self.width = longest, before, 0
        device = layers[0].keys.device
        self.lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self.used = 0

    def admit(
        self, layers: Sequence[Any], prompts: list[int], lengths: list[int]
    ) -> int:
        """Start new rows behind those in use; returns the first one's slot.

        Args:
            layers: prompts' keys and values, left-aligned.
            prompts: number of each new row's prompt in `layers`.
            lengths: tokens of each new row's prompt.
        """
        first, last = self.used, self.used + len(prompts)
        self._grow(max(lengths))
        numbers = torch.tensor(prompts, device=self.lengths.device)
        for own, prefilled in zip(self.layers, layers, strict=True):
            own.put(first, last, prefilled, numbers)
        self.lengths[first:last] = torch.tensor(lengths, device=self.lengths.device)
        self.used = last
        return first

    def remove(self, slots: list[int]) -> list[tuple[int, int]]:
        """Free slots; the last rows in use move into them.

        Returns:
            The moves as (from, to), for what the caller holds per row.
        """
        left = self.used - len(slots)
        freed = set(slots)
        moving = [row for row in range(left, self.used) if row not in freed]
        moves = list(zip(moving, sorted(s for s in slots if s < left), strict=True))
        if moves:
            source, target = (list(rows) for rows in zip(*moves, strict=True))
            self.lengths[target] = self.lengths[source]
            width = int(self.lengths[target].max())
            for layer in self.layers:
                layer.move(source, target, width)
        self.used = left
        return moves

    def extend(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Make room for one more token per row.

        Returns:
            The additive attention mask, shape (rows, 1, 1, width), and the
            positions of the new tokens, shape (rows, 1).
        """
        lengths = self.lengths[: self.used]
        self._grow(int(lengths.max()) + 1)
        self.rows = torch.arange(self.used, device=lengths.device)
        self.columns = lengths.clone()
        visible = torch.arange(self.width, device=lengths.device) <= lengths[:, None]
        dtype = self.layers[0].keys.dtype
        mask = torch.zeros(visible.shape, dtype=dtype, device=lengths.device)
        mask.masked_fill_(~visible, torch.finfo(dtype).min)
        self.lengths[: self.used] += 1
        return mask[:, None, None], self.before + self.columns[:, None]

    def _grow(self, width: int) -> None:
        longest = int(self.lengths[: self.used].max()) if self.used else 0
        self.width = max(width, longest)
        for layer in self.layers:
            layer.grow(self.width, limit=self.longest)


class _SlotLayer(CacheLayerMixin):
    """One layer's slots: keys and values of shape (rows, heads, tokens, size)."""

    def __init__(self, slots: SlotKVCache, like: Any, rows: int):
        super().__init__()
        self.slots = slots
        self.keys, self.values = (
            part.new_empty(rows, part.shape[1], 0, part.shape[3])
            for part in (like.keys, like.values)
        )
        self.is_initialized = True

    def lazy_initialization(self, key_states, value_states) -> None:
        """Do nothing: shapes are known from the start."""

    def grow(self, tokens: int, *, limit: int) -> None:
        """Grow to so many tokens per row, and by half at least: growing copies."""
        capacity = self.keys.shape[2]
        if capacity >= tokens:
            return
        wanted = max(-(-tokens // GROWTH) * GROWTH, capacity * 3 // 2)
        tokens = max(tokens, min(wanted, limit))
        for name in ("keys", "values"):
            old = getattr(self, name)
            # Zeros, because masked values are multiplied by 0, and 0 x NaN is NaN.
            new = old.new_zeros(*old.shape[:2], tokens, old.shape[3])
            new[:, :, :capacity] = old
            setattr(self, name, new)

    def put(self, first: int, last: int, prefilled: Any, numbers: torch.Tensor) -> None:
        """Copy prompts' keys and values into the slots from `first` to `last`."""
        width = prefilled.keys.shape[2]
        self.grow(width, limit=self.slots.longest)
        self.keys[first:last, :, :width] = prefilled.keys[numbers]
        self.values[first:last, :, :width] = prefilled.values[numbers]

    def move(self, source: list[int], target: list[int], width: int) -> None:
        """Copy whole rows."""
        self.keys[target, :, :width] = self.keys[source, :, :width]
        self.values[target, :, :width] = self.values[source, :, :width]

    def update(self, key_states, value_states, *_, **__):
        """Write one token per row in place; returns the rows in use."""
        slots = self.slots
        self.keys[slots.rows, :, slots.columns] = key_states[:, :, 0]
        self.values[slots.rows, :, slots.columns] = value_states[:, :, 0]
        used, width = slots.used, slots.width
        return self.keys[:used, :, :width], self.values[:used, :, :width]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Width and offset; the caller passes a finished mask."""
        return self.slots.width, 0

    def get_seq_length(self) -> int:
        """Tokens of the longest row."""
        return self.slots.width

    def get_max_length(self) -> int:
        """Tokens that a row may have at most."""
        return self.slots.longest
