"""Is the kit's sampler worth its code? Against transformers' own `generate`."""

from __future__ import annotations

import pytest
import torch

from phi_kit import domains
from phi_kit.data.procedural import items
from phi_kit.models.prompts import render
from phi_kit.models.sampling import Sampling, draw

from .conftest import per_second, ratio

pytestmark = pytest.mark.bench

PROMPTS, K, TOKENS = 16, 8, 64


def prompts(student) -> list[str]:
    math = domains.get("math")
    stream = items("math", math.chosen()[0], rng_seed=1, split="bench")
    seeds = [next(stream) for _ in range(PROMPTS)]
    return [render(student.tokenizer, math.instruction, s.prompt) for s in seeds]


def test_sampling_vs_generate(student, record):
    texts, calls = prompts(student), 0
    torch.manual_seed(0)

    def ours() -> int:
        nonlocal calls
        calls += 1
        drawn = draw(student, texts, Sampling(TOKENS, 0.6), k=K, rng_seed=calls)
        return sum(sample.tokens for samples in drawn for sample in samples)

    def theirs() -> int:
        student.tokenizer.padding_side = "left"
        batch = student.tokenizer(
            texts, return_tensors="pt", padding=True, add_special_tokens=False
        )
        out = student.model.generate(
            **batch,
            do_sample=True,
            temperature=0.6,
            top_k=0,
            max_new_tokens=TOKENS,
            num_return_sequences=K,
        )[:, batch.input_ids.shape[1] :]
        # Only useful tokens count: up to and with the first stop token.
        stop = next(iter(student.stop_ids))
        return sum(
            (row.index(stop) + 1 if stop in row else len(row)) for row in out.tolist()
        )

    figure = ratio(lambda: per_second(ours), lambda: per_second(theirs), pairs=3)
    record(
        "sampling_vs_generate",
        figure,
        unit="times the useful tokens per second",
        n=3,
        what=f"{PROMPTS} prompts x {K} samples x up to {TOKENS} tokens, NF4, against "
        "generate(num_return_sequences=8) on the same batch",
    )
    assert figure >= 2
