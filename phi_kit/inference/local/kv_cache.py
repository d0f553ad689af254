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

GROWTH = 64  # slots grow by so many tokens at a time


class SlotKVCache(Cache):
    """Keys and values of rows of different lengths, for one new token each.

    Args:
        layers: the prompt's layers to take shapes from, each with keys of shape
            (prompts, heads, tokens, size).
        rows: how many slots.
        longest: tokens that a row may come to.
    """

    def __init__(self, layers: Sequence[Any], *, rows: int, longest: int):
        super().__init__(layers=[_SlotLayer(self, like, rows) for like in layers])
        self.longest, self.width = longest, 0
        device = layers[0].keys.device
        self.lengths = torch.zeros(rows, dtype=torch.long, device=device)
        self.used = 0

    def admit(self, layers: Sequence[Any], which: list[int], lengths: list[int]) -> int:
        """Start new rows behind those in use; gives the first one's number.

        Args:
            layers: prompts' keys and values, left-aligned.
            which: the prompt of each new row.
            lengths: the tokens of each new row's prompt.
        """
        first, last = self.used, self.used + len(which)
        self._reach(max(lengths))
        picked = torch.tensor(which, device=self.lengths.device)
        for own, given in zip(self.layers, layers, strict=True):
            own.put(first, last, given, picked)
        self.lengths[first:last] = torch.tensor(lengths, device=self.lengths.device)
        self.used = last
        return first

    def leave(self, gone: list[int]) -> list[tuple[int, int]]:
        """End rows; the last rows in use move into their slots.

        Returns:
            The moves as (from, to), for whatever else is kept per row.
        """
        left = self.used - len(gone)
        ended = set(gone)
        staying = [row for row in range(left, self.used) if row not in ended]
        moves = list(zip(staying, sorted(r for r in gone if r < left), strict=True))
        if moves:
            source, target = (list(rows) for rows in zip(*moves, strict=True))
            self.lengths[target] = self.lengths[source]
            width = int(self.lengths[target].max())
            for layer in self.layers:
                layer.move(source, target, width)
        self.used = left
        return moves

    def open(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Make room for one more token a row.

        Returns:
            The additive attention mask, shape (rows, 1, 1, width), and the
            positions of the new tokens, shape (rows, 1).
        """
        at = self.lengths[: self.used]
        self._reach(int(at.max()) + 1)
        self.rows = torch.arange(self.used, device=at.device)
        self.at = at.clone()
        seen = torch.arange(self.width, device=at.device) <= at[:, None]
        dtype = self.layers[0].keys.dtype
        mask = torch.zeros(seen.shape, dtype=dtype, device=at.device)
        mask.masked_fill_(~seen, torch.finfo(dtype).min)
        self.lengths[: self.used] += 1
        return mask[:, None, None], self.at[:, None]

    def _reach(self, width: int) -> None:
        longest = int(self.lengths[: self.used].max()) if self.used else 0
        self.width = max(width, longest)
        for layer in self.layers:
            layer.reach(self.width, most=self.longest)


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
        """Nothing: shapes are known from the start."""

    def reach(self, tokens: int, *, most: int) -> None:
        """Grow to so many tokens a row, and by half at least: growing copies."""
        have = self.keys.shape[2]
        if have >= tokens:
            return
        wanted = max(-(-tokens // GROWTH) * GROWTH, have * 3 // 2)
        tokens = max(tokens, min(wanted, most))
        for name in ("keys", "values"):
            old = getattr(self, name)
            # Zeros: a masked place still counts, and 0 x NaN is NaN.
            new = old.new_zeros(
                *old.shape[:2], max(tokens, min(wanted, most)), old.shape[3]
            )
            new[:, :, :have] = old
            setattr(self, name, new)

    def put(self, first: int, last: int, given: Any, which: torch.Tensor) -> None:
        """Prompts' keys and values into the slots from `first` to `last`."""
        width = given.keys.shape[2]
        self.reach(width, most=self.slots.longest)
        self.keys[first:last, :, :width] = given.keys[which]
        self.values[first:last, :, :width] = given.values[which]

    def move(self, source: list[int], target: list[int], width: int) -> None:
        """Copy whole rows."""
        self.keys[target, :, :width] = self.keys[source, :, :width]
        self.values[target, :, :width] = self.values[source, :, :width]

    def update(self, key_states, value_states, *_, **__):
        """Write one token a row in place; the rows in use, as wide as the longest."""
        slots = self.slots
        self.keys[slots.rows, :, slots.at] = key_states[:, :, 0]
        self.values[slots.rows, :, slots.at] = value_states[:, :, 0]
        used, width = slots.used, slots.width
        return self.keys[:used, :, :width], self.values[:used, :, :width]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Width and offset; the mask is handed in ready made."""
        return self.slots.width, 0

    def get_seq_length(self) -> int:
        """The longest row's tokens."""
        return self.slots.width

    def get_max_length(self) -> int:
        """What a row may come to."""
        return self.slots.longest
