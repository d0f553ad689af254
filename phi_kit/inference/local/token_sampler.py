"""Sample one token per row, exactly by the softmax and cheaply.

Instead of one cumulative sum over 50,000 tokens, the vocabulary is split into
blocks: first a block is drawn by its sum, then a token inside it. The distribution
is that of `torch.multinomial`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BLOCK_TOKENS = 256
# Rows at a time on a CPU, so that their logits stay in its cache between passes.
_CPU_ROWS = 8


def sample_tokens(
    logits: torch.Tensor, uniforms: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw one token per row by inverting the cumulative distribution.

    Args:
        logits: shape (rows, vocabulary).
        uniforms: shape (rows,), each in [0, 1).
        temperature: 0 takes the likeliest token.

    Returns:
        Token ids and their log-probabilities under the model itself
        (temperature 1), each of shape (rows,). Each row uses its own uniform
        number and does not depend on the other rows.
    """
    import torch

    rows = len(logits) if logits.is_cuda else _CPU_ROWS
    parts = [
        _sample_rows(part, u, temperature)
        for part, u in zip(logits.split(rows), uniforms.split(rows), strict=True)
    ]
    tokens, logprobs = zip(*parts, strict=True)
    return torch.cat(tokens), torch.cat(logprobs)


def _sample_rows(
    logits: torch.Tensor, uniforms: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    shifted = logits.float()
    shifted = shifted - shifted.amax(dim=-1, keepdim=True)
    log_sum = shifted.exp().sum(dim=-1).log()
    if temperature == 0:
        tokens = shifted.argmax(dim=-1, keepdim=True)
    else:
        weights = (shifted / temperature).exp_()
        tokens = _inverse_cdf(weights, uniforms.double()[:, None])
    return tokens[:, 0], shifted.gather(1, tokens)[:, 0] - log_sum


def _inverse_cdf(weights: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    import torch

    if padding := -weights.shape[-1] % BLOCK_TOKENS:
        weights = torch.nn.functional.pad(weights, (0, padding))
    blocks = weights.unflatten(-1, (-1, BLOCK_TOKENS))
    sums = blocks.sum(dim=-1, dtype=torch.double)
    ends = sums.cumsum(dim=-1)
    target = uniforms * ends[:, -1:]
    block = _first_index_above(ends, target)
    inside = blocks.gather(1, block[..., None].expand(-1, -1, BLOCK_TOKENS))[:, 0]
    rest = target - (ends - sums).gather(1, block)
    return block * BLOCK_TOKENS + _first_index_above(
        inside.double().cumsum(dim=-1), rest
    )


def _first_index_above(ends: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The first index whose cumulative sum exceeds the target; never a weight of 0."""
    import torch

    index = torch.searchsorted(ends, target, right=True)
    # Rounding must not point past the last index that can be drawn at all.
    last = torch.searchsorted(ends, ends[:, -1:].contiguous())
    # Logits that are not finite cannot be sampled; the caller sees NaN.
    return index.minimum(last).clamp(max=ends.shape[1] - 1)
