"""Decoding on this machine: many samples at once from a transformers model.

Each prompt is read (prefilled) once and its cache is shared out to its
samples; rows that have finished leave the batch. Every sample has a random
stream of its own, so what it says does not depend on which rows happened to
share its batch (up to float rounding).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from .sampling import Asked, Sample, Sampling

if TYPE_CHECKING:
    import torch

    from .loading import Student

# Rows that decode together. The kit's own choice, not tuned.
ROWS = 128


def stream(
    student: Student, asked: Sequence[Asked], sampling: Sampling
) -> Iterator[tuple[int, Sample]]:
    """Decode what is asked; yields (place in `asked`, sample) as rows finish."""
    ids = {one.prompt: None for one in asked}
    for prompt in ids:
        ids[prompt] = student.tokenizer(prompt, add_special_tokens=False).input_ids
    # Similar lengths together: less padding.
    order = sorted(
        range(len(asked)), key=lambda i: (len(ids[asked[i].prompt]), asked[i].prompt)
    )
    for start in range(0, len(order), ROWS):
        places = order[start : start + ROWS]
        groups = [
            (ids[prompt], len(list(same)))
            for prompt, same in groupby(asked[i].prompt for i in places)
        ]
        streams = [_uniforms(asked[i].seed, sampling.max_tokens) for i in places]
        rows = _decode(student, groups, sampling, streams)
        for place, tokens in zip(places, rows, strict=True):
            yield place, _sample(student, tokens)


def _uniforms(seed: int, n: int) -> list[float]:
    return np.random.default_rng(seed).random(n).tolist()


def _sample(student: Student, tokens: list[int]) -> Sample:
    ended = bool(tokens) and tokens[-1] in student.stop_ids
    text = student.tokenizer.decode(tokens, skip_special_tokens=True)
    return Sample(text.strip(), len(tokens), "stop" if ended else "length")


def _decode(
    student: Student,
    groups: list[tuple[list[int], int]],
    sampling: Sampling,
    streams: list[list[float]],
) -> list[list[int]]:
    """Token ids of the completions of each (prompt, how many), stop token included."""
    import torch

    with torch.inference_mode():
        logits, cache, mask = _prefill(student, groups)
        uniforms = torch.tensor(streams, device=logits.device)
        rows: list[list[int]] = [[] for _ in streams]
        alive = list(range(len(streams)))
        stop = torch.tensor(sorted(student.stop_ids), device=logits.device)
        position = mask.sum(dim=1)
        for step in range(sampling.max_tokens):
            tokens = pick(logits, uniforms[:, step], sampling.temperature)
            for row, token in zip(alive, tokens.tolist(), strict=True):
                rows[row].append(token)
            going = (~torch.isin(tokens, stop)).nonzero().flatten()
            if step + 1 == sampling.max_tokens or not len(going):
                break
            if len(going) < len(alive):
                alive = [alive[i] for i in going.tolist()]
                cache.batch_select_indices(going)
                mask, uniforms = mask[going], uniforms[going]
                tokens, position = tokens[going], position[going]
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
            logits = student.model(
                input_ids=tokens[:, None],
                attention_mask=mask,
                position_ids=position[:, None],
                past_key_values=cache,
                use_cache=True,
            ).logits[:, -1]
            position = position + 1
    return rows


def _prefill(student: Student, groups: list[tuple[list[int], int]]):
    """Read each prompt once; logits, cache and mask expanded to its rows."""
    import torch

    device, prompts = student.model.device, [tokens for tokens, _ in groups]
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), student.tokenizer.pad_token_id)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(prompts):
        ids[row, width - len(tokens) :] = torch.tensor(tokens)
        mask[row, width - len(tokens) :] = 1
    ids, mask = ids.to(device), mask.to(device)
    out = student.model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
        use_cache=True,
        logits_to_keep=1,
    )
    counts = torch.tensor([count for _, count in groups], device=device)
    which = torch.arange(len(groups), device=device).repeat_interleave(counts)
    out.past_key_values.batch_select_indices(which)
    return out.logits[which, -1], out.past_key_values, mask[which]


def pick(
    logits: torch.Tensor, uniforms: torch.Tensor, temperature: float
) -> torch.Tensor:
    """One token per row by inverting the cumulative distribution.

    Args:
        logits: shape (rows, vocabulary).
        uniforms: shape (rows,), each in [0, 1).
        temperature: 0 takes the likeliest token.

    Returns:
        Token ids, shape (rows,). The same law as `torch.multinomial`, from
        one uniform number a row that does not depend on the other rows.
    """
    import torch

    if temperature == 0:
        return logits.argmax(dim=-1)
    total = torch.softmax(logits.float() / temperature, dim=-1).cumsum(dim=-1)
    # Rounding must never point past the last token that can be drawn at all.
    whole = total[:, -1:].contiguous()
    goal = uniforms[:, None].to(total.dtype) * whole
    found = torch.searchsorted(total, goal, right=True)
    return found.minimum(torch.searchsorted(total, whole)).squeeze(1)
