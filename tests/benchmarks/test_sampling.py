"""Is the kit's sampler worth its code? Against transformers' own ways to sample."""

from __future__ import annotations

import statistics
import time

import pytest
import torch
from real_server import needs_server, transformers_serve

from phi_kit import domains
from phi_kit.core.params import EndpointSettings
from phi_kit.data.generators import generate_items
from phi_kit.inference import completion
from phi_kit.inference.draw import draw
from phi_kit.inference.endpoint.client import Endpoint
from phi_kit.inference.types import Sampler, SamplingParams

from .conftest import gemm_rate, per_second, ratio

pytestmark = pytest.mark.bench

PROMPTS, K, TOKENS = 16, 8, 64


def rendered(model: Sampler, n: int) -> list[str]:
    """Prompts of the math domain's first family."""
    math = domains.get("math")
    stream = generate_items("math", math.chosen()[0], rng_seed=1, split="bench")
    seeds = [next(stream) for _ in range(n)]
    return [model.render(math.instruction, seed.prompt) for seed in seeds]


def test_sampling_vs_generate(student, record):
    texts, calls = rendered(student, PROMPTS), 0
    torch.manual_seed(0)

    def ours() -> int:
        nonlocal calls
        calls += 1
        drawn = draw(student, texts, SamplingParams(TOKENS, 0.6), k=K, rng_seed=calls)
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


def useful(model: Sampler, *, prompts: int, rng_seed: int) -> int:
    """Draw K samples for each of so many prompts; their tokens, stop included."""
    texts = rendered(model, prompts)
    drawn = draw(model, texts, SamplingParams(TOKENS, 0.6), k=K, rng_seed=rng_seed)
    return sum(sample.tokens for samples in drawn for sample in samples)


def test_sampling_matmul_share(student, record):
    """Operations that the samples must take, at the rate they are drawn.

    Two for each weight and token: each prompt's tokens once, as its samples share
    them, and each sampled token with the output layer. Attention is left out.
    """
    texts, calls = rendered(student, PROMPTS), 0
    linear = [m for m in student.model.modules() if isinstance(m, torch.nn.Linear)]
    weights = sum(m.in_features * m.out_features for m in linear)
    head = student.model.get_output_embeddings()
    body = weights - head.in_features * head.out_features
    read = sum(
        len(ids) for ids in student.tokenizer(texts, add_special_tokens=False).input_ids
    )

    def ours() -> float:
        nonlocal calls
        calls += 1
        began = time.perf_counter()
        drawn = draw(student, texts, SamplingParams(TOKENS, 0.6), k=K, rng_seed=calls)
        spent = time.perf_counter() - began
        sampled = sum(sample.tokens for samples in drawn for sample in samples)
        return 2 * (read * body + sampled * weights) / spent

    figure = ratio(ours, gemm_rate, pairs=5)
    record(
        "sampling_matmul_share",
        figure,
        unit="of the machine's float32 matmul rate",
        n=5,
        what=f"{PROMPTS} prompts x {K} samples x up to {TOKENS} tokens, NF4, "
        f"{2 * weights / 1e6:.0f} MFLOP a sampled token, against products of "
        "2048 x 2048, in turn",
    )
    assert 0 < figure < 1


# By default the server decodes request after request, and more at a time only share
# the cores. With continuous batching it takes all at once: its fastest way here.
# Its cache would take nearly all memory that is free.
BATCHING = ("--continuous-batching", "--cb-max-memory-percent", "0.2")


@needs_server
@pytest.mark.parametrize(
    ("name", "options", "at_once", "turns", "least"),
    [
        ("sampling_vs_server", (), 2, 1, 4),
        ("sampling_vs_server_batching", BATCHING, PROMPTS * K, 2, 2),
    ],
)
def test_sampling_vs_server(record, tmp_path, name, options, at_once, turns, least):
    near = completion.load.__wrapped__("smollm2-135m", four_bit=False)
    settings = EndpointSettings(concurrency=at_once, timeout=3600)
    rates: list[tuple[float, float]] = []
    with transformers_serve(tmp_path / "log", *options) as address:
        far = Endpoint(address, settings)
        for model in (near, far):  # the server loads its model at a first request
            useful(model, prompts=1, rng_seed=0)
        for turn in range(1, turns + 1):
            here, there = (
                per_second(lambda m=m, t=turn: useful(m, prompts=PROMPTS, rng_seed=t))
                for m in (near, far)
            )
            rates.append((here, there))
    figure = statistics.median(here / there for here, there in rates)
    here, there = (statistics.median(rate) for rate in zip(*rates, strict=True))
    command = " ".join(("transformers serve", *options[:1]))
    record(
        name,
        figure,
        unit="times the useful tokens per second",
        n=len(rates),
        what=f"{PROMPTS} prompts x {K} samples x up to {TOKENS} tokens, float32 on "
        f"both sides, against `{command}` with {at_once} requests at a time on the "
        f"same machine: {here:.0f} against {there:.0f} tokens/s",
    )
    assert figure >= least
