"""Drawing samples from a local model: fast, batched, reproducible per sample.

Each prompt is read (prefilled) once and its cache is shared out to its k
samples; rows that have finished leave the batch. Every sample has a random
stream of its own, named by the prompt and its index, so what it says does not
depend on which rows happened to share its batch (up to float rounding).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phi_kit.core.progress import progress
from phi_kit.core.rng import label_seed, rng

if TYPE_CHECKING:
    import torch

    from .loading import Student

# Rows that decode together. The kit's own choice, not tuned.
ROWS = 128


@dataclass(frozen=True)
class Sampling:
    """How samples are drawn. `temperature=0` is greedy.

    `max_tokens` counts new tokens; a sample that reaches it is truncated.
    The kit's default temperature is the report's (0.8, arXiv 2504.21318).
    """

    max_tokens: int = 16
    temperature: float = 0.8


@dataclass(frozen=True)
class Sample:
    """One completion: its text, its length in tokens, and why it ended."""

    text: str
    tokens: int
    finish: str  # "stop" or "length"


def draw(
    student: Student,
    prompts: Sequence[str],
    sampling: Sampling,
    *,
    k: int = 1,
    rng_seed: int = 0,
    label: str = "sampling",
) -> list[list[Sample]]:
    """Draw `k` samples for each rendered prompt, in the prompts' order.

    Args:
        student: a loaded model with its tokenizer.
        prompts: texts as the chat template rendered them.
        sampling: token limit and temperature.
        k: samples per prompt.
        rng_seed: with `label`, the prompt and the sample's index, names the
            random stream of a sample.
        label: what the samples are for; also the progress line's title.

    Returns:
        One list of `k` samples per prompt.
    """
    ids = [
        student.tokenizer(text, add_special_tokens=False).input_ids for text in prompts
    ]
    found: list[list[Sample]] = [[] for _ in prompts]
    # Similar lengths together: less padding.
    order = sorted(range(len(prompts)), key=lambda i: len(ids[i]))
    per_batch = max(1, ROWS // k)
    with progress(label, total=len(prompts), unit="prompts") as bar:
        for start in range(0, len(order), per_batch):
            batch = order[start : start + per_batch]
            streams = [
                _uniforms(rng_seed, label, prompts[i], index=j, n=sampling.max_tokens)
                for i in batch
                for j in range(k)
            ]
            rows = _decode(student, [ids[i] for i in batch], sampling, streams, k=k)
            for position, tokens in enumerate(rows):
                found[batch[position // k]].append(_sample(student, tokens))
            bar.step(len(batch), tokens=sum(len(tokens) for tokens in rows))
    return found


def _uniforms(seed: int, label: str, prompt: str, *, index: int, n: int) -> list[float]:
    return rng(seed, label, label_seed(0, prompt), index).random(n).tolist()


def _sample(student: Student, tokens: list[int]) -> Sample:
    ended = bool(tokens) and tokens[-1] in student.stop_ids
    text = student.tokenizer.decode(tokens, skip_special_tokens=True)
    return Sample(text.strip(), len(tokens), "stop" if ended else "length")


def _decode(
    student: Student,
    prompts: list[list[int]],
    sampling: Sampling,
    streams: list[list[float]],
    *,
    k: int,
) -> list[list[int]]:
    """Token ids of `k` completions per prompt, stop token included."""
    import torch

    with torch.inference_mode():
        logits, cache, mask = _prefill(student, prompts, k=k)
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


def _prefill(student: Student, prompts: list[list[int]], *, k: int):
    """Read each prompt once; logits, cache and mask expanded to k rows each."""
    import torch

    device, width = student.model.device, max(map(len, prompts))
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
    cache = out.past_key_values
    if k > 1:
        cache.batch_repeat_interleave(k)
    return (
        out.logits[:, -1].repeat_interleave(k, dim=0),
        cache,
        mask.repeat_interleave(k, dim=0),
    )


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
