"""How fast, and in how much memory: measured on the card, beside its own rate."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.inference import completion
from phi_kit.inference.draw import draw
from phi_kit.inference.local import engine, engine_choice
from phi_kit.inference.local.decoding_weights import MEMORY_SHARE
from phi_kit.inference.local.engine_choice import EngineRate, measure_engine
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.local.sampling_engine import OwnEngine, SamplingEngine
from phi_kit.inference.local.transformers_engine import TransformersEngine
from phi_kit.inference.types import SamplingParams
from phi_kit.models import catalog
from phi_kit.models.architecture import model_sizes
from phi_kit.study import config as study_file
from phi_kit.study.planning import plan_table, speed_probe
from phi_kit.study.planning.memory_estimate import MicroBatch, estimate, total
from phi_kit.study.planning.memory_fit import fit
from phi_kit.training import loss
from phi_kit.training.encoding import TrainingRow, encode
from phi_kit.training.training_config import TrainingConfig

from . import made, runs
from .device import DEVICE, REHEARSAL, free_memory, settle
from .test_correct import training_rows

pytestmark = pytest.mark.gpu

RANK = 32  # of the adapter
# Tokens of a step, of a micro-batch, and of a row.
STEP, MICRO = (1024, 512) if REHEARSAL else (16384, 8192)
LENGTHS = (128, 256, 512) if REHEARSAL else (2048, 4096, 8192)
# Of those the first one warms up; a step of 15B weights is long enough to be one.
STEPS = {"phi-4-mini": 3, "phi-4": 2}
PROMPTS, K, TOKENS = (2, 2, 8) if REHEARSAL else (16, 8, 96)
PARAMS = Path(__file__).resolve().parents[2] / "params"
STUDIES = {"phi-4-mini": "phi4-mini-12gb", "phi-4": "phi4-24gb"}
SHAPE = {"phi-4-mini": "Phi-4-mini's", "phi-4": "Phi-4's"}
RATE, RATIO = "tokens per second", "times the tokens per second"
ENGINES = OwnEngine(), TransformersEngine()  # those without a server
_measured: dict[tuple[str, int], float] = {}  # tokens/s by model and row
_fastest: dict[str, SamplingEngine] = {}  # of those engines, by model


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """In a rehearsal engines draw a few samples of a few tokens."""
    if REHEARSAL:
        monkeypatch.setattr(engine_choice, "_QUESTIONS", 2)
        monkeypatch.setattr(engine_choice, "_SAMPLING", SamplingParams(4, 0.8))


def slug(large: LocalModel) -> str:
    """A model's name in a figure's."""
    return large.name.replace("phi-4", "phi4").replace("-", "_")


def timed(work: Callable[[], object], *, times: int) -> float:
    """Seconds of `work`, the median; the first one warms up."""
    found = []
    for _ in range(times + 1):
        settle()
        began = time.perf_counter()
        work()
        settle()
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])


@pytest.fixture(scope="session")
def card(record) -> float:
    """The card's bf16 matrix products, operations per second."""
    size, block = (512, 1 << 20) if REHEARSAL else (8192, 1 << 30)
    one, other = (
        torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16) for _ in range(2)
    )
    rate = 2 * size**3 / timed(lambda: one @ other, times=10)
    record(
        "bf16_products",
        rate / 1e12,
        "TFLOP per second",
        n=10,
        what=f"products of {size} x {size} in bf16",
    )
    source = torch.empty(block, dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    moved = 2 * source.nbytes / timed(lambda: target.copy_(source), times=10)
    record(
        "memory_copy",
        moved / 1e12,
        "TB per second",
        n=10,
        what=f"{block >> 20} MB copied on the card, read and written",
    )
    return rate


# --- the embedded model -----------------------------------------------------------


def rendered(student: LocalModel, n: int) -> list[str]:
    """Prompts of the math domain's first family."""
    math = domains.get("math")
    stream = generate_items("math", math.chosen()[0], rng_seed=1, split="bench")
    seeds = itertools.islice(stream, n)
    return [student.render(math.instruction, seed.prompt) for seed in seeds]


def sampled(student: LocalModel, *, k: int = K) -> float:
    """Useful tokens per second of a model's engine."""
    texts = rendered(student, PROMPTS)
    draw(student, texts, SamplingParams(4, 0.8), k=k, rng_seed=0)  # warms up
    settle()
    began = time.perf_counter()
    drawn = draw(student, texts, SamplingParams(TOKENS, 0.8), k=k, rng_seed=1)
    spent = time.perf_counter() - began
    return sum(sample.tokens for samples in drawn for sample in samples) / spent


def generated(student: LocalModel) -> float:
    """The same by `generate`: the same prompts, samples and limit."""
    student.tokenizer.padding_side = "left"
    batch = student.tokenizer(
        rendered(student, PROMPTS),
        return_tensors="pt",
        padding=True,
        add_special_tokens=False,
    ).to(DEVICE)

    def some(tokens: int) -> torch.Tensor:
        return student.model.generate(
            **batch,
            do_sample=True,
            temperature=0.8,
            top_k=0,
            max_new_tokens=tokens,
            num_return_sequences=K,
        )[:, batch.input_ids.shape[1] :]

    some(4)
    settle()
    began = time.perf_counter()
    out = some(TOKENS).tolist()
    spent = time.perf_counter() - began
    return sum(until_the_end(row, student.stop_ids) for row in out) / spent


def until_the_end(row: list[int], stops: frozenset[int]) -> int:
    """Tokens of a sample, its stop token included."""
    return next((n for n, token in enumerate(row, 1) if token in stops), len(row))


def against_generate(student: LocalModel, name: str, what: str, record) -> None:
    """Measure a model's sampling beside `generate`'s."""
    ours, theirs = sampled(student), generated(student)
    record(
        name,
        ours / theirs,
        RATIO,
        what=f"{PROMPTS} math prompts, {K} samples each of up to {TOKENS} tokens at "
        f"temperature 0.8, {what}: {ours:.0f} tokens/s against transformers' generate",
    )


def against_batching(
    student: LocalModel, name: str, what: str, record
) -> tuple[EngineRate, SamplingEngine]:
    """Measure the engines that need no server side by side; the faster one."""
    rates = own, theirs = [
        measure_engine(replace(student, engine=one), one) for one in ENGINES
    ]
    record(
        name,
        own.tokens / theirs.tokens,
        RATIO,
        what="the samples that engines are chosen by (up to 128 tokens at temperature "
        f"0.8), {what}: {own.tokens:.0f} tokens/s against transformers' continuous "
        f"batching; first samples after {own.start:.1f} and {theirs.start:.1f} s",
    )
    return min(zip(rates, ENGINES, strict=True), key=lambda pair: pair[0].seconds)


@pytest.mark.seconds(90)
def test_sampling_from_the_embedded_model(student, record):
    what = "embedded model in NF4"
    against_generate(student, "sampling_vs_generate", what, record)
    against_batching(student, "sampling_vs_continuous_batching", what, record)


@pytest.mark.seconds(90)
def test_short_rows_against_trl(student, record):
    rows = training_rows(student, 12 if REHEARSAL else 192)
    how = TrainingConfig(epochs=1, batch=len(rows) // 6, warmup=0)
    mine, theirs = runs.Clock(), runs.Clock()
    runs.ours(student, rows, how, mine)
    fresh = completion.load.__wrapped__("smollm2-135m")  # TRL leaves hooks on it
    runs.trl(fresh, rows, how, theirs, micro=how.batch)
    tokens = sum(len(encode(student, row).ids) for row in rows) / 6
    record(
        "qlora_short_rows_vs_trl",
        theirs.step / mine.step,
        RATIO,
        n=5,
        what=f"{len(rows)} short rows in steps of {how.batch}, embedded model, NF4 + "
        "LoRA r=16, against TRL's SFTTrainer in bf16: "
        f"{tokens / mine.step:.0f} tokens/s",
    )


# --- published sizes, random weights ----------------------------------------------


def operations(name: str, tokens: int) -> float:
    """Of a trained token, none computed twice: weights, attention, head, adapter.

    A frozen weight takes two forward and two for the gradient of its input, the
    adapter two more; attention sees half of the row and takes twice as many backward.
    """
    sizes = model_sizes(name)
    queries = sizes.hidden  # as wide as the model in both
    attention = 3 * 4 * queries * sizes.layers * tokens / 2
    head = 4 * sizes.hidden * sizes.vocabulary
    return 4 * sizes.linear_weights + head + attention + 6 * sizes.adapter(RANK)


def config(tokens: int, checkpointing: str = "on") -> TrainingConfig:
    """Of runs whose rows are so long."""
    return TrainingConfig(
        rank=RANK,
        learning_rate=1e-4,
        epochs=1,
        batch=STEP // tokens,
        warmup=0,
        max_row_tokens=tokens,
        gradient_checkpointing=checkpointing,
    )


def long_rows(large: LocalModel, tokens: int) -> list[TrainingRow]:
    """Rows for all steps of a run."""
    n = STEPS[large.name] * (STEP // tokens)
    return made.rows(large, n, tokens=tokens)


@pytest.mark.seconds(90)
@pytest.mark.parametrize("tokens", LENGTHS)
def test_training(large, card, record, tokens):
    how, clock = config(tokens), runs.Clock()
    done = runs.ours(large, long_rows(large, tokens), how, clock)
    rate = _measured[large.name, tokens] = STEP / clock.step
    micro = MicroBatch(MICRO, RANK, checkpointing=True)
    terms = estimate(model_sizes(large.name), micro)
    peak = 1e6 * max(row["memory_mb"] for row in done.history)
    record(
        f"qlora_{slug(large)}_{tokens}",
        rate,
        RATE,
        n=len(clock.steps) - 1,
        what=f"{SHAPE[large.name]} sizes with random weights, NF4 + LoRA r={RANK}, "
        f"checkpointing, {STEP:,} tokens a step in micro-batches of {MICRO:,}, rows of "
        f"{tokens:,} tokens; {rate * operations(large.name, tokens) / card:.0%} of the "
        f"card's bf16 products by useful operations ({card / 1e12:.0f} TFLOP/s in the "
        f"same process); torch allocated {peak / 1e9:.2f} GB at most and held "
        f"{clock.held / 1e9:.2f}, the formula's tensors are {terms.tensors / 1e9:.2f}",
    )
    if not REHEARSAL:
        last = done.history[-1]
        assert (last["micro_tokens"], last["checkpointing"]) == (MICRO, 1)
        assert peak == pytest.approx(terms.tensors, rel=0.15)
        assert clock.held < total(terms, micro)


@pytest.mark.seconds(60)
def test_training_on_short_rows(large, record):
    """As the kit's own domains have them."""
    batch = 4 if REHEARSAL else 64
    rows, clock = training_rows(large, 3 * batch), runs.Clock()
    runs.ours(large, rows, config(LENGTHS[0]).with_(batch=batch), clock)
    tokens = sum(len(encode(large, row).ids) for row in rows) / 3
    record(
        f"qlora_{slug(large)}_short_rows",
        tokens / clock.step,
        RATE,
        n=2,
        what=f"{SHAPE[large.name]} sizes, steps of {batch} rows of "
        f"{tokens / batch:.0f} tokens",
    )


@pytest.mark.seconds(120)
def test_sampling(large, record):
    what = f"{SHAPE[large.name]} sizes with random weights, NF4"
    name = f"sampling_{slug(large)}_vs"
    against_generate(large, f"{name}_generate", what, record)
    rate, _fastest[large.name] = against_batching(
        large, f"{name}_continuous_batching", what, record
    )
    record(
        f"filter_{slug(large)}",
        rate.seconds / 3600,
        "hours",
        what="3,000 seeds, 5 samples each of 128 tokens, by the faster of the two "
        f"engines, {rate.tokens:.0f} tokens/s, {what}",
    )


@pytest.mark.seconds(120)
def test_how_long_its_study_would_take(large, record, monkeypatch, tmp_path):
    """By the kit's plan; a model that has learnt nothing never ends its answers."""
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path))
    student = replace(large, engine=_fastest.get(large.name, OwnEngine()))
    monkeypatch.setattr(completion, "load", lambda name, **_: student)
    monkeypatch.setattr(catalog, "resolve", lambda name: tmp_path)
    monkeypatch.setattr(speed_probe, "MAX_TOKENS", 4 if REHEARSAL else 48)
    name = STUDIES[large.name]
    shorter = ["probe_sft.max_row_tokens=256", "expand_domains.max_row_tokens=256"]
    units = study_file.load(name, shorter if REHEARSAL else ()).units()
    found = speed_probe.measure(units, seconds=0.1 if REHEARSAL else 6)
    needed = fit(units, found.free_bytes, kind=DEVICE, loaded=True).needed
    peak = found.loaded_bytes + needed
    pace = min(one.plain.tps for one in found.domains.values())
    for tokens in (200, 600, 2048):
        for one in found.domains.values():
            for answers in (one.plain, one.shown, one.tuned):
                answers.samples, answers.tokens = 100, 100 * tokens
                answers.truncated = 0
            one.asked, one.teachable = 30, 12
        steps = plan_table.plan_steps(units, found, peak)
        record(
            f"{name.replace('-', '_')}_answers_of_{tokens}",
            sum(step.seconds for step in steps) / 3600,
            "hours",
            what=f"params/{name}.yaml by the kit's plan, if answers have {tokens} "
            f"tokens and 12 of 30 seeds are teachable; the teacher's time not counted; "
            f"from a probe with random weights: engine {found.engine} sampled "
            f"{pace:.0f} tokens/s and {found.train_tps:.0f} were trained; training's "
            f"peak predicted {peak / 1e9:.1f} GB",
        )
    print("\n".join(plan_table.table(steps, found, plan_table.Prices())))


# The last ones of a model: TRL leaves hooks on it.


@pytest.mark.seconds(90)
@pytest.mark.parametrize("tokens", LENGTHS)
def test_training_against_trl(large, record, tokens):
    if (large.name, tokens) not in _measured:
        pytest.skip("the kit itself was not measured")
    theirs = runs.Clock()
    runs.trl(
        large,
        long_rows(large, tokens),
        config(tokens),
        theirs,
        micro=max(1, MICRO // tokens),
    )
    record(
        f"qlora_{slug(large)}_{tokens}_vs_trl",
        _measured[large.name, tokens] * theirs.step / STEP,
        RATIO,
        n=len(theirs.steps) - 1,
        what=f"{SHAPE[large.name]} sizes, rows of {tokens:,} tokens, checkpointing, "
        "against TRL's SFTTrainer on the same rows and micro-batches in the same "
        f"process: {STEP / theirs.step:.0f} tokens/s, {theirs.allocated / 1e9:.2f} GB "
        "allocated at most",
    )


@pytest.mark.seconds(120)
def test_training_as_much_as_fits(large, record):
    """Activations kept where the card holds them, by TRL as well."""
    tokens = LENGTHS[1]
    mine, theirs = runs.Clock(), runs.Clock()
    rows = long_rows(large, tokens)
    done = runs.ours(large, rows, config(tokens, "auto"), mine)
    last = done.history[-1]
    if last["checkpointing"]:
        pytest.skip("this card does not hold the activations: measured above")
    record(
        f"qlora_{slug(large)}_as_much_as_fits",
        STEP / mine.step,
        RATE,
        n=len(mine.steps) - 1,
        what=f"{SHAPE[large.name]} sizes, rows of {tokens:,} tokens, no checkpointing, "
        f"micro-batches of {last['micro_tokens']:,}; torch held "
        f"{mine.held / 1e9:.2f} GB",
    )
    free_memory()
    try:
        runs.trl(large, rows, config(tokens, "off"), theirs, micro=MICRO // tokens)
    except torch.OutOfMemoryError:
        pytest.skip("TRL does not fit without checkpointing")
    record(
        f"qlora_{slug(large)}_as_much_as_fits_vs_trl",
        theirs.step / mine.step,
        RATIO,
        n=len(theirs.steps) - 1,
        what=f"{SHAPE[large.name]} sizes, rows of {tokens:,} tokens, neither computes "
        f"activations twice: TRL's SFTTrainer {STEP / theirs.step:.0f} tokens/s, "
        f"{theirs.allocated / 1e9:.2f} GB allocated at most",
    )


# --- what the defaults were chosen by: make test-gpu ARGS="-m 'gpu and slow'" --------


@pytest.mark.slow
@pytest.mark.seconds(120)
@pytest.mark.parametrize("bits", [22, 24, 26, 28])
def test_training_with_other_blocks_of_logits(large, record, monkeypatch, bits):
    monkeypatch.setitem(loss.LOGIT_BLOCK, DEVICE, 1 << bits)
    tokens, clock = LENGTHS[1], runs.Clock()
    runs.ours(large, long_rows(large, tokens), config(tokens), clock)
    record(
        f"qlora_{slug(large)}_logit_block_{bits}",
        STEP / clock.step,
        RATE,
        n=len(clock.steps) - 1,
        what=f"{SHAPE[large.name]} sizes, NF4 + LoRA r={RANK}, checkpointing, rows of "
        f"{tokens:,} tokens, logits in blocks of 2^{bits}",
    )


@pytest.mark.slow
@pytest.mark.seconds(120)
def test_sampling_otherwise(large, record, monkeypatch):
    usual = sampled(large)
    monkeypatch.setitem(MEMORY_SHARE, DEVICE, 0.0)
    unpacked = sampled(large)
    monkeypatch.setitem(MEMORY_SHARE, DEVICE, 0.6)
    laid_out = sampled(large)
    monkeypatch.setattr(engine, "MAX_ROWS", 512)
    more = sampled(large, k=4 * K)
    record(
        f"sampling_{slug(large)}",
        usual,
        RATE,
        what=f"{SHAPE[large.name]} sizes, {PROMPTS * K} rows; with NF4 unpacked each "
        f"time {unpacked:.0f}, weights laid out if 60 % of the memory holds them "
        f"{laid_out:.0f}, with 512 rows {more:.0f}",
    )
