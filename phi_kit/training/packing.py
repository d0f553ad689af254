"""Rows end to end: a micro-batch without padding in which rows never meet.

Padding wastes a quarter of a batch of short rows of different lengths. Packed end to
end they waste nothing, but only if no row can see another one. So attention stays
within rows (see `row_attention`; flash attention does the same by its `cu_seq_lens`),
positions restart with each row, and before a run the model itself is tested: if the
text of one row changes the hidden states of the next, rows are padded.

No packing beyond a micro-batch, and no length grouping across steps: either
would change which rows share an optimiser step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .encoding import IGNORE_INDEX, EncodedRow
from .row_attention import attend_within_rows

if TYPE_CHECKING:
    import torch

PER_ROW_ATTENTION = "phi_kit_row_by_row"
# A position that is off, or a layer that mixes rows, differs by far more; bf16
# products of other shapes differ by less.
_CLOSE = 0.05


def pack(rows: Sequence[EncodedRow]) -> dict[str, Any]:
    """One sequence of all rows.

    Returns:
        `input_ids`, `position_ids` and `labels` of shape (1, tokens), and where
        rows begin and end, named as transformers' flash attention names it.
    """
    import torch

    starts = [0]
    for row in rows:
        starts.append(starts[-1] + len(row.ids))
    lengths = [len(row.ids) for row in rows]
    # The first token of a row must not be predicted from the row before it.
    labels = [label for row in rows for label in (IGNORE_INDEX, *row.labels[1:])]
    bounds = torch.tensor(starts, dtype=torch.int32)
    return {
        "input_ids": torch.tensor([[token for row in rows for token in row.ids]]),
        "position_ids": torch.tensor([[i for n in lengths for i in range(n)]]),
        "labels": torch.tensor([labels]),
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
    }


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
    first_row, other_row, last = (
        [(7 * i + k) % size for i in range(6)] for k in (11, 23, 41)
    )
    with torch.no_grad(), per_row_attention(inner):
        first, second, alone = (
            _last_row(model, rows)
            for rows in ([first_row, last], [other_row, last], [last])
        )
    same = torch.equal(first, second)
    scale = alone.abs().max()
    return same and bool(((first - alone).abs().max() <= _CLOSE * scale).item())


def _last_row(model: Any, rows: list[list[int]]) -> torch.Tensor:
    batch = pack([EncodedRow(ids, ids) for ids in rows])
    return hidden_states(model, to_device(batch, model.device))[
        0, -len(rows[-1]) :
    ].float()


def to_device(batch: dict[str, Any], device: Any) -> dict[str, Any]:
    """The batch's arrays on the model's device."""
    return {
        name: value.to(device) if hasattr(value, "to") else value
        for name, value in batch.items()
    }
