"""Is the kit's sampler worth its code? Against transformers' own ways to sample."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import islice

import pytest
import torch
from real_server import needs_server, transformers_serve

from phi_kit import domains
from phi_kit.core.params import EndpointSettings
from phi_kit.data.generators import generate_items
from phi_kit.domains.worked import worked
from phi_kit.inference import completion
from phi_kit.inference.draw import draw
from phi_kit.inference.endpoint.client import Endpoint
from phi_kit.inference.local import decoding_weights, prefill
from phi_kit.inference.types import Sampler, SamplingParams

from .conftest import gemm_rate, needs_bf16, per_second, ratio

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


@needs_bf16
def test_sampling_bf16_vs_float32(student, in_float32, record):
    """What products in bf16 earn; that the samples' law is the same is a test."""
    calls = 0

    def rate(model: Sampler) -> float:
        nonlocal calls
        calls += 1
        return per_second(lambda: useful(model, prompts=PROMPTS, rng_seed=calls))

    figure = ratio(lambda: rate(student), lambda: rate(in_float32), pairs=5)
    record(
        "sampling_bf16_vs_float32",
        figure,
        unit="times the useful tokens per second",
        n=5,
        what=f"{PROMPTS} prompts x {K} samples x up to {TOKENS} tokens, NF4, products "
        "with the weights in bf16 against compute: float32, in turn",
    )
    assert figure >= 1.2


def test_sampling_behind_examples(student, record, monkeypatch):
    """Worked examples of three families: each family's read once, or with each one."""
    math = domains.get("math").in_style("steps")
    texts = []
    for family in math.chosen(["sum-1", "story-1", "product-1"]):
        stream = generate_items("math", family, rng_seed=1, split="bench")
        seeds = list(islice(stream, 5 + PROMPTS))
        shown = [(seed.prompt, worked(seed)) for seed in seeds[:5]]
        texts += [
            student.render(math.instruction, seed.prompt, examples=shown)
            for seed in seeds[5:]
        ]
    calls = 0

    def rate(least: int) -> float:
        nonlocal calls
        calls += 1
        monkeypatch.setattr(prefill, "LEAST_GROUP", least)
        sampling = SamplingParams(TOKENS, 0.6)
        return per_second(
            lambda: sum(map(len, draw(student, texts, sampling, k=2, rng_seed=calls)))
        )

    figure = ratio(lambda: rate(8), lambda: rate(10**6), pairs=5)
    record(
        "sampling_behind_examples",
        figure,
        unit="times the samples per second",
        n=5,
        what=f"{len(texts)} questions of three families behind five worked examples "
        f"each, 2 samples, up to {TOKENS} tokens: examples read and kept once a family "
        "against once a question, in turn",
    )
    assert figure >= 1.1


def test_sampling_products_share(student, record, monkeypatch):
    """How much of sampling's time its own matrix products take when nothing else is.

    Every product with a weight, the output layer's included, is noted with its number
    of rows as a draw makes it; then the same products are made again, in their order,
    and nothing else. What a draw takes longer is what this machine could still give.
    """
    made: list[tuple[Callable, int, int]] = []

    def noted(layer, dtype):
        forward = plain_forward(layer, dtype)

        def product(inputs, *rest, **named):
            rows = inputs.numel() // inputs.shape[-1]
            made.append((forward, rows, inputs.shape[-1]))
            return forward(inputs, *rest, **named)

        product.laid_out = True
        return product

    texts, calls = rendered(student, PROMPTS), 0
    plain_forward = decoding_weights._forward

    def sampling() -> float:
        nonlocal calls
        calls += 1
        made.clear()
        with monkeypatch.context() as patch:
            patch.setattr(decoding_weights, "_forward", noted)
            began = time.perf_counter()
            draw(student, texts, SamplingParams(TOKENS, 0.6), k=K, rng_seed=calls)
            return time.perf_counter() - began

    def products() -> float:
        inputs = {(rows, width): torch.randn(rows, width) for _, rows, width in made}
        with torch.inference_mode():
            began = time.perf_counter()
            for forward, rows, width in made:
                forward(inputs[rows, width])
            return time.perf_counter() - began

    def share() -> float:
        whole = sampling()
        return products() / whole

    share()
    figure = statistics.median(share() for _ in range(5))
    record(
        "sampling_products_share",
        figure,
        unit="of the rate that its own products reach alone",
        n=5,
        what=f"{PROMPTS} prompts x {K} samples x up to {TOKENS} tokens, NF4; the time "
        "of every matrix product of a draw (rows, inputs and outputs as they were, "
        "weights laid out as they were) made again without the rest, over the draw's",
    )
    # Conversions, attention, norms and sampling are the rest: .49 and .51 in two runs.
    assert figure >= 0.4


def decoding_products() -> dict[str, Callable[[], torch.Tensor]]:
    """A decoding step's product, 64 rows by 576 x 1,536, in each way PyTorch has."""
    rows, inputs, outputs = 64, 576, 1536
    x, weight = torch.randn(rows, inputs), torch.randn(outputs, inputs)
    product = torch.ops.mkldnn._linear_pointwise
    reorder = torch.ops.mkldnn._reorder_linear_weight
    whole, half = reorder(weight, rows), reorder(weight.bfloat16(), rows)
    eight = torch.randint(-127, 128, (outputs, inputs), dtype=torch.int8)
    scale = torch.rand(outputs).bfloat16()
    four = torch.ops.aten._convert_weight_to_int4pack_for_cpu(
        torch.randint(0, 16, (outputs, inputs), dtype=torch.int32), 2
    )
    scales = torch.rand(inputs // 32, outputs, 2).bfloat16()
    packed = torch.ops.aten._weight_int4pack_mm_for_cpu

    def in_bf16(multiply: Callable) -> Callable[[], torch.Tensor]:
        return lambda: multiply(x.bfloat16()).float()

    return {
        "float32": lambda: product(x, whole, None, "none", [], ""),
        "bf16": in_bf16(lambda x: product(x, half, None, "none", [], "")),
        "int8_weights": in_bf16(lambda x: torch._weight_int8pack_mm(x, eight, scale)),
        "int4_weights": in_bf16(lambda x: packed(x, four, 32, scales)),
    }


@pytest.mark.parametrize("kind", ["bf16", "int8_weights", "int4_weights"])
def test_decoding_products(record, kind):
    products = decoding_products()

    def rate(name: str) -> float:
        return per_second(lambda: sum(len(products[name]()) for _ in range(50)))

    figure = ratio(lambda: rate(kind), lambda: rate("float32"), pairs=7)
    record(
        f"decoding_products_{kind}",
        figure,
        unit="times the products per second",
        n=7,
        what=f"64 rows by 576 x 1,536 with {kind.replace('_', ' ')} of PyTorch against "
        "float32 weights in oneDNN's layout, conversions of the rows included, in turn",
    )


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
