"""One token per row, exactly by the softmax and cheaply.

Instead of one cumulative sum over 50,000 tokens, the vocabulary is cut into
blocks: first a block is drawn by its sum, then a token inside it. The law is
that of `torch.multinomial`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

BLOCK = 256  # tokens
# Rows at a time on a CPU, so that their logits stay in its cache between passes.
_ROWS = 8


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
        (temperature 1), each of shape (rows,). One uniform number a row, and
        none depends on the other rows.
    """
    import torch

    rows = len(logits) if logits.is_cuda else _ROWS
    parts = [
        _sample_rows(some, u, temperature)
        for some, u in zip(logits.split(rows), uniforms.split(rows), strict=True)
    ]
    tokens, logprobs = zip(*parts, strict=True)
    return torch.cat(tokens), torch.cat(logprobs)


def _sample_rows(
    logits: torch.Tensor, uniforms: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    below = logits.float()
    below = below - below.amax(dim=-1, keepdim=True)
    whole = below.exp().sum(dim=-1).log()
    if temperature == 0:
        tokens = below.argmax(dim=-1, keepdim=True)
    else:
        tokens = _inverse_cdf((below / temperature).exp_(), uniforms.double()[:, None])
    return tokens[:, 0], below.gather(1, tokens)[:, 0] - whole


def _inverse_cdf(weights: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    import torch

    if short := -weights.shape[-1] % BLOCK:
        weights = torch.nn.functional.pad(weights, (0, short))
    blocks = weights.unflatten(-1, (-1, BLOCK))
    sums = blocks.sum(dim=-1, dtype=torch.double)
    ends = sums.cumsum(dim=-1)
    goal = uniforms * ends[:, -1:]
    block = _first_index_above(ends, goal)
    inside = blocks.gather(1, block[..., None].expand(-1, -1, BLOCK))[:, 0]
    rest = goal - (ends - sums).gather(1, block)
    return block * BLOCK + _first_index_above(inside.double().cumsum(dim=-1), rest)


def _first_index_above(ends: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    """The first place whose end lies beyond the goal, never one of no weight."""
    import torch

    found = torch.searchsorted(ends, goal, right=True)
    # Rounding must not point past the last place that can be drawn at all.
    last = torch.searchsorted(ends, ends[:, -1:].contiguous())
    # Of logits that are not finite nothing can be drawn; the caller sees NaN.
    return found.minimum(last).clamp(max=ends.shape[1] - 1)
