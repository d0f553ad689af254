"""Rows end to end: a micro-batch without padding in which rows never meet.

Padding wastes a quarter of a batch of short rows of different lengths. Packed end to
end they waste nothing, but only if no row can see another one. So attention stays
within rows (see `row_attention`; flash attention does the same by its `cu_seq_lens`),
positions restart with each row, and before a run the model itself is tested: if the
text of one row changes the hidden states of the next, rows are padded.

What all rows of a micro-batch begin with, their system turn and the first words of the
question, is read once for all of them: no token of it sees what comes after, so every
row would give it the same hidden states.

No packing beyond a micro-batch, and no length grouping across steps: either
would change which rows share an optimiser step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .encoding import IGNORE_INDEX, EncodedRow
from .row_attention import PADDED_DEVICES, attend_within_rows

if TYPE_CHECKING:
    import torch

PER_ROW_ATTENTION = "phi_kit_row_by_row"
# A position that is off, or a layer that mixes rows, differs by far more; bf16
# products of other shapes differ by less.
_CLOSE = 0.05


def pack(rows: Sequence[EncodedRow], *, shared: int = 0) -> dict[str, Any]:
    """One sequence of all rows.

    Args:
        rows: in their order.
        shared: tokens that all rows begin with, at most `shared_prefix(rows)`. They
            stand once, in the first row; the others lie there without them.

    Returns:
        `input_ids`, `position_ids` and `labels` of shape (1, tokens), and where
        rows begin and end, named as transformers' flash attention names it.
    """
    import torch

    # Where each row's part of the sequence begins within the row.
    begins = [0, *[shared] * (len(rows) - 1)]
    parts = list(zip(rows, begins, strict=True))
    starts = [0]
    for row, begin in parts:
        starts.append(starts[-1] + len(row.ids) - begin)
    # The first token of a row must not be predicted from the row before it.
    labels = [
        label
        for row, begin in parts
        for label in (IGNORE_INDEX, *row.labels[begin + 1 :])
    ]
    bounds = torch.tensor(starts, dtype=torch.int32)
    longest = max(end - start for start, end in pairwise(starts))
    return {
        "input_ids": torch.tensor([[t for row, b in parts for t in row.ids[b:]]]),
        "position_ids": torch.tensor(
            [[i for row, begin in parts for i in range(begin, len(row.ids))]]
        ),
        "labels": torch.tensor([labels]),
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": longest,
        "max_length_k": longest,
        **({"shared_prefix": shared} if shared else {}),
    }


def shared_prefix(rows: Sequence[EncodedRow]) -> int:
    """How many tokens all of several rows begin with, masked ones only.

    One more masked token is left to each row: it is from there that the first trained
    one is predicted.
    """
    if len(rows) < 2:
        return 0
    first, last = min(row.ids for row in rows), max(row.ids for row in rows)
    same = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b),
        min(len(first), len(last)),
    )
    masked = min(_masked(row) for row in rows)
    return max(0, min(same, masked - 1))


def _masked(row: EncodedRow) -> int:
    """Tokens before the first trained one."""
    return next(
        (i for i, label in enumerate(row.labels) if label != IGNORE_INDEX),
        len(row.labels),
    )


@contextmanager
def per_row_attention(model: Any) -> Iterator[None]:
    """Let `model` attend within rows only, given `cu_seq_lens_q`.

    Args:
        model: a transformers model whose attention is PyTorch's (`sdpa`); one with
            flash attention understands `cu_seq_lens_q` by itself.
    """
    before = model.config._attn_implementation
    if before != "sdpa":
        yield
        return
    from transformers import AttentionInterface

    AttentionInterface.register(PER_ROW_ATTENTION, attend_within_rows)
    model.set_attn_implementation(PER_ROW_ATTENTION)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def default_attention(model: Any) -> Iterator[None]:
    """Attention as it was before `per_row_attention`, to sample during a run."""
    now = model.config._attn_implementation
    if now != PER_ROW_ATTENTION:
        yield
        return
    model.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        model.set_attn_implementation(now)


def hidden_states(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    """Last hidden states of a batch, shape (rows, width, hidden size)."""
    inner = getattr(model, "get_base_model", lambda: model)()
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    return inner.base_model(**inputs, use_cache=False).last_hidden_state


def rows_are_isolated(model: Any, *, longest: int) -> bool:
    """Whether packed rows give this model the hidden states of each row alone.

    Args:
        model: in evaluation mode; its own attention is left as it was.
        longest: tokens of the longest row there will be: a sliding window
            shorter than that is a mask this layout does not carry.
    """
    import torch

    inner = getattr(model, "get_base_model", lambda: model)()
    window = getattr(inner.config, "sliding_window", None)
    supported = inner.config._attn_implementation in ("sdpa", "flash_attention_2")
    if not supported or (window and longest > window):
        return False
    size = inner.get_input_embeddings().weight.shape[0]
    begin = [(5 * i + 3) % size for i in range(3)]
    first_row, other_row, last = (
        begin + [(7 * i + k) % size for i in range(6)] for k in (11, 23, 41)
    )
    shared = len(begin) if shares_prefix(model) else 0
    with torch.no_grad(), per_row_attention(inner):
        first, second, alone = (
            _last_row(model, rows, shared=shared)[len(begin) - shared :]
            for rows in ([first_row, last], [other_row, last], [last])
        )
    same = torch.equal(first, second)
    scale = alone.abs().max()
    return same and bool(((first - alone).abs().max() <= _CLOSE * scale).item())


def shares_prefix(model: Any) -> bool:
    """Whether rows of this model may be packed behind a prefix that stands once.

    On a GPU rows of similar length go into one call of attention, each as a whole.
    """
    return model.device.type not in PADDED_DEVICES


def _last_row(model: Any, rows: list[list[int]], *, shared: int) -> torch.Tensor:
    """States of the last row, its shared tokens left out; as long when it is alone."""
    batch = pack([EncodedRow(ids, ids) for ids in rows], shared=shared)
    states = hidden_states(model, to_device(batch, model.device))
    return states[0, shared - len(rows[-1]) :].float()


def to_device(batch: dict[str, Any], device: Any) -> dict[str, Any]:
    """The batch's arrays on the model's device."""
    return {
        name: value.to(device) if hasattr(value, "to") else value
        for name, value in batch.items()
    }
