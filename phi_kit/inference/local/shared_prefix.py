"""Attention to a prefix that all rows begin with, kept once and read once.

With worked examples in the prompt most of a row's keys and values are those of the
prefix: copied for each row they fill the memory and take most of a decoding step. Here
the queries of all rows meet the prefix together, and each row's own tokens by
themselves; the two outputs are weighted by their sums of exponentials, which is
attention to both (FlashDecoding's and Hydragen's split: arXiv 2402.05099, section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from transformers import AttentionInterface, DynamicCache

# Tokens from which on a prefix is kept once (kit default). On a CPU attention to 120
# tokens behind 64, 128, 256 and 512 shared ones took 0.83, 0.77, 0.66 and 0.46 of its
# time; below, the samples stay those of attention in one piece to the bit.
LEAST_SHARED = 128
_ATTENTION = "phi_kit_shared_prefix"
# Another way of attending, or a cap or a sink that is not carried, is off by far more.
_CLOSE = 0.05


class PrefixLayer(NamedTuple):
    """Keys and values of the prefix in one layer, (1, heads, tokens, size)."""

    keys: torch.Tensor
    values: torch.Tensor


def prefix_layers(cache: DynamicCache) -> list[PrefixLayer]:
    """What a cache holds after the prefix has been read."""
    return [PrefixLayer(layer.keys, layer.values) for layer in cache.layers]


@contextmanager
def shared_prefix(model: Any, layers: Sequence[PrefixLayer]) -> Iterator[None]:
    """Let rows continue a prefix; caches then hold what comes behind it.

    Inside, every forward pass needs positions that count from the prefix's start, and
    an additive mask of shape (rows, 1, tokens, width) over the rows' own tokens.

    Args:
        model: that `is_shareable` is true of.
        layers: of the prefix.
    """
    inner = _with_attention(model)

    def attend(module, query, key, value, attention_mask, scaling=None, **options):
        if options.get("softcap") or options.get("s_aux") is not None:
            raise NotImplementedError("attention with a cap or a sink")
        prefix = layers[module.layer_idx]
        out = _attend(query, key, value, prefix, attention_mask, scaling)
        return out, None

    AttentionInterface.register(_ATTENTION, attend)
    before = inner.config._attn_implementation
    inner.set_attn_implementation(_ATTENTION)
    try:
        yield
    finally:
        inner.set_attn_implementation(before)


def _with_attention(model: Any) -> Any:
    """The transformers model under an adapter."""
    return getattr(model, "get_base_model", lambda: model)()


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    prefix: PrefixLayer,
    mask: torch.Tensor,
    scaling: float | None,
) -> torch.Tensor:
    """Attention to the prefix and to a row's own keys, (rows, tokens, heads, size).

    Query heads that share a key head are taken as further queries of it.
    """
    rows, heads, tokens, size = query.shape
    groups = key.shape[1]
    shared = heads // groups
    query = query.reshape(rows, groups, shared * tokens, size)
    mask = mask.expand(-1, -1, tokens, -1).repeat(1, 1, shared, 1)
    own, own_sums = _attention(query, key, value, mask, scaling)
    together = query.transpose(0, 1).reshape(1, groups, -1, size)
    common, common_sums = _attention(together, *prefix, None, scaling)
    common = common.view(groups, rows, -1, size).transpose(0, 1)
    common_sums = common_sums.reshape(groups, rows, -1).transpose(0, 1)
    share = torch.sigmoid(common_sums - own_sums)[..., None].to(own.dtype)
    out = torch.lerp(own, common, share)
    out = out.view(rows, groups, shared, tokens, size).permute(0, 3, 1, 2, 4)
    return out.reshape(rows, tokens, heads, size)


def _attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """PyTorch's attention, and the logarithms of its sums of exponentials."""
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, attn_mask=mask, scale=scaling
    )


def is_shareable(model: Any) -> bool:
    """Whether a model attends in a way that can be split behind a prefix.

    Ten tokens tell: read behind a shared prefix, and read as a whole.
    """
    inner = _with_attention(model)
    if model.device.type != "cpu" or inner.config._attn_implementation != "sdpa":
        return False
    if not hasattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu"):
        return False
    size = inner.get_input_embeddings().weight.shape[0]
    ids = torch.tensor([[(7 * i + 11) % size for i in range(10)]])
    with torch.inference_mode():
        whole = model(input_ids=ids, logits_to_keep=1).logits.float()
        cache = DynamicCache()
        model(input_ids=ids[:, :6], past_key_values=cache, use_cache=True)
        try:
            with shared_prefix(model, prefix_layers(cache)):
                split = model(
                    input_ids=ids[:, 6:],
                    attention_mask=causal_mask(torch.ones(1, 4), model.dtype),
                    position_ids=torch.arange(6, 10)[None],
                    past_key_values=DynamicCache(),
                    use_cache=True,
                    logits_to_keep=1,
                ).logits.float()
        except (RuntimeError, TypeError, IndexError):  # attention of another kind
            return False
    gap = (split - whole).abs().max() / whole.abs().max()
    return bool((gap <= _CLOSE).item())


def causal_mask(visible: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """An additive mask: each token sees the visible ones up to itself.

    Args:
        visible: which tokens are no padding, (rows, tokens).
        dtype: of the mask.

    Returns:
        Of shape (rows, 1, tokens, tokens).
    """
    seen = visible.bool()[:, None, None, :]
    square = visible.new_ones(2 * visible.shape[-1:], dtype=torch.bool)
    seen = seen & square.tril()
    hidden = torch.finfo(dtype).min
    return visible.new_zeros(seen.shape, dtype=dtype).masked_fill_(~seen, hidden)
