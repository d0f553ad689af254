"""Attention within the rows of a micro-batch that lie end to end.

On a CPU each row gets a call of its own, without padding: padded, attention at the
embedded model's sizes took 1.1 times as long on 10 rows of 40 to 60 tokens, 1.6 times
on 4 of 20 to 400. On a GPU that is too many launches: a micro-batch of short rows
leaves the card waiting for Python (on an H100 rows of 48 tokens trained at 593
tokens/s, rows of 2,048 at 11,000). There rows of similar length are padded and go into
one call; how fast that is has not been measured on a card yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PADDED_DEVICES = {"cuda"}  # where rows of similar length go into one call
MAX_PADDING = 1.5  # positions for each token in such a call at most (kit default)

Attend = Callable[..., "torch.Tensor"]  # queries, keys, values to attention's output


def attend_within_rows(module, query, key, value, attention_mask, **options):
    """PyTorch's attention within rows; arrays of shape (1, heads, tokens, width)."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    bounds, shared = options.pop("cu_seq_lens_q"), options.pop("shared_prefix", 0)
    options.pop("is_causal", None)

    def attend(*arrays: torch.Tensor) -> torch.Tensor:
        outputs, _ = sdpa_attention_forward(
            module, *arrays, None, is_causal=True, **options
        )
        return outputs

    if query.device.type in PADDED_DEVICES:
        return _attend_padded(attend, bounds, query, key, value), None
    return _attend_each(attend, bounds, shared, query, key, value), None


def _attend_each(
    attend: Attend, bounds: torch.Tensor, shared: int, *arrays: torch.Tensor
) -> torch.Tensor:
    """One call a row. On a GPU the card would wait for the launches.

    Args:
        attend: causal attention of one row.
        bounds: where rows begin and end.
        shared: tokens of a prefix that every row begins with, and only the first holds.
        arrays: queries, keys and values of all rows, (1, heads, tokens, width).
    """
    import torch

    ends = _once(bounds, "numbers", bounds.tolist)
    # Split, not sliced one by one: a slice's gradient is an array of the whole's size.
    sizes = [shared, *(end - start for start, end in pairwise([shared, *ends[1:]]))]
    prefix, *rows = zip(*(array.split(sizes, dim=2) for array in arrays), strict=True)
    outputs = []
    for number, row in enumerate(rows):
        if shared:
            row = [torch.cat(pair, dim=2) for pair in zip(prefix, row, strict=True)]
        out = attend(*row)
        outputs.append(out[:, shared:] if number else out)
    return torch.cat(outputs, dim=1)


def _attend_padded(
    attend: Attend, bounds: torch.Tensor, *arrays: torch.Tensor
) -> torch.Tensor:
    """One call for all rows of similar length, padded on the right.

    No mask is needed: attention is causal, and pads come after every token.
    """
    import torch

    groups = _once(bounds, "groups", lambda: _row_groups(bounds))
    outputs = [
        group.flatten(attend(*(group.pad(array[0]) for array in arrays)))
        for group in groups
    ]
    if len(outputs) == 1:
        return outputs[0][None]
    restore = _once(bounds, "restore", lambda: _restore(groups))
    return torch.cat(outputs).index_select(0, restore)[None]


@dataclass(frozen=True)
class RowGroup:
    """Rows that attention takes in one call.

    Attributes:
        rows: how many.
        longest: tokens of the longest one.
        tokens: where their tokens stand in the micro-batch, row after row; `None`
            where they are all of it.
        slots: where the tokens go in the padded rows end to end; `None` where all
            rows are equally long and nothing is padded.
    """

    rows: int
    longest: int
    tokens: torch.Tensor | None
    slots: torch.Tensor | None

    def pad(self, array: torch.Tensor) -> torch.Tensor:
        """(heads, all tokens, width) to (rows, heads, longest, width)."""
        array = array.transpose(0, 1)
        if self.tokens is not None:
            array = array.index_select(0, self.tokens)
        if self.slots is not None:
            empty = array.new_zeros(self.rows * self.longest, *array.shape[1:])
            # (`index_copy` would keep its source for the backward pass.)
            array = empty.index_put((self.slots,), array)
        return array.unflatten(0, (self.rows, self.longest)).transpose(1, 2)

    def flatten(self, padded: torch.Tensor) -> torch.Tensor:
        """(rows, longest, heads, width) to (tokens of the group, heads, width)."""
        flat = padded.flatten(0, 1)
        return flat if self.slots is None else flat.index_select(0, self.slots)


def _row_groups(bounds: torch.Tensor) -> list[RowGroup]:
    """Groups of rows, the longest first, none padded beyond `MAX_PADDING`."""
    import torch

    starts = bounds.tolist()
    lengths = [end - start for start, end in pairwise(starts)]
    groups = []
    for rows in group_by_length(lengths):
        longest = lengths[rows[0]]
        rows = sorted(rows)
        sizes = [lengths[row] for row in rows]
        tokens = [starts[row] + i for row in rows for i in range(lengths[row])]
        slots = [n * longest + i for n, size in enumerate(sizes) for i in range(size)]
        groups.append(
            RowGroup(
                rows=len(rows),
                longest=longest,
                tokens=None
                if len(tokens) == starts[-1]
                else torch.tensor(tokens, device=bounds.device),
                slots=None
                if len(slots) == len(rows) * longest
                else torch.tensor(slots, device=bounds.device),
            )
        )
    return groups


def group_by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Indices of rows in as few groups as padding allows.

    A group takes ever shorter rows until, padded to its longest, it would have more
    than `MAX_PADDING` positions for each token.
    """
    groups: list[list[int]] = []
    tokens = 0
    for row in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if groups:
            positions = lengths[groups[-1][0]] * (len(groups[-1]) + 1)
            if positions <= MAX_PADDING * (tokens + lengths[row]):
                groups[-1].append(row)
                tokens += lengths[row]
                continue
        groups.append([row])
        tokens = lengths[row]
    return groups


def _restore(groups: Sequence[RowGroup]) -> torch.Tensor:
    """Indices that put the groups' tokens end to end back in the batch's order."""
    import torch

    return torch.cat([group.tokens for group in groups]).argsort()


def _once(bounds: torch.Tensor, name: str, compute: Callable[[], Any]) -> Any:
    """What follows from a micro-batch's bounds, computed once for all layers.

    On a GPU reading them waits for the card. It is kept with the bounds.
    """
    if not hasattr(bounds, name):
        setattr(bounds, name, compute())
    return getattr(bounds, name)
