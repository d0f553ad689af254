"""How fast, and in how much memory: measured on the card, beside its own rate."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.inference import completion
from phi_kit.inference.draw import draw
from phi_kit.inference.local import engine
from phi_kit.inference.local.decoding_weights import MEMORY_SHARE
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.types import SamplingParams
from phi_kit.models import catalog
from phi_kit.models.architecture import model_sizes
from phi_kit.study import config as study_file
from phi_kit.study.planning import plan_table, speed_probe
from phi_kit.study.planning.memory_estimate import MicroBatch, estimate, total
from phi_kit.study.planning.memory_fit import fit
from phi_kit.training import loss
from phi_kit.training.encoding import encode
from phi_kit.training.training_config import TrainingConfig

from . import made, runs
from .test_correct import training_rows

pytestmark = pytest.mark.gpu

STEP, MICRO, RANK = 16384, 8192, 32  # tokens of a step, of a micro-batch; adapter
LENGTHS = (2048, 4096, 8192)
PROMPTS, K, TOKENS = 16, 8, 96
PARAMS = Path(__file__).resolve().parents[2] / "params"
STUDIES = {"phi-4-mini": "phi4-mini-12gb", "phi-4": "phi4-24gb"}


def timed(work: Callable[[], object], *, times: int) -> float:
    """Seconds of `work`, the median; the first one warms up."""
    found = []
    for _ in range(times + 1):
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])


@pytest.fixture(scope="session")
def card(record) -> float:
    """The card's bf16 matrix products, operations per second."""
    size = 8192
    one, other = (
        torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2)
    )
    rate = 2 * size**3 / timed(lambda: one @ other, times=10)
    record("bf16 products of 8192 x 8192", rate / 1e12, "TFLOP/s")
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    moved = 2 * source.nbytes / timed(lambda: target.copy_(source), times=10)
    record("copy on the card, read and written", moved / 1e12, "TB/s")
    return rate


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
    return TrainingConfig(
        rank=RANK,
        learning_rate=1e-4,
        epochs=1,
        batch=STEP // tokens,
        warmup=0,
        max_row_tokens=tokens,
        gradient_checkpointing=checkpointing,
    )


@pytest.mark.seconds(150)
@pytest.mark.parametrize("tokens", LENGTHS)
def test_training(large, card, record, tokens):
    how, clock = config(tokens), runs.Clock()
    done = runs.ours(large, made.rows(large, 3 * how.batch, tokens=tokens), how, clock)
    rate = STEP / clock.step
    share = rate * operations(large.name, tokens) / card
    last = done.history[-1]
    record(f"{large.name} QLoRA, rows of {tokens}", rate, "tokens/s")
    record("  of the card's bf16 rate", share, "useful operations only")
    assert (last["micro_tokens"], last["checkpointing"]) == (MICRO, 1)
    micro = MicroBatch(MICRO, RANK, checkpointing=True)
    terms = estimate(model_sizes(large.name), micro)
    needed = total(terms, micro)
    peak = 1e6 * max(row["memory_mb"] for row in done.history)
    record("  peak of allocated memory", peak / 1e9, "GB", held=clock.reserved / 1e9)
    record("  of the formula's", peak / terms.tensors, "", total=needed / 1e9)
    assert peak == pytest.approx(terms.tensors, rel=0.15)
    assert clock.reserved < needed


@pytest.mark.seconds(120)
@pytest.mark.parametrize("bits", [22, 24, 28])
def test_training_with_other_blocks_of_logits(large, record, monkeypatch, bits):
    monkeypatch.setitem(loss.LOGIT_BLOCK, "cuda", 1 << bits)
    how, clock = config(4096), runs.Clock()
    runs.ours(large, made.rows(large, 3 * how.batch, tokens=4096), how, clock)
    rate = STEP / clock.step
    record(f"{large.name} QLoRA 4096, blocks of 2^{bits}", rate, "tokens/s")


@pytest.mark.seconds(120)
def test_training_without_computing_twice(large, record):
    how, clock = config(4096, "auto"), runs.Clock()
    done = runs.ours(large, made.rows(large, 12, tokens=4096), how, clock)
    rate = STEP / clock.step
    last = done.history[-1]
    record(
        f"{large.name} QLoRA 4096, as much as fits",
        rate,
        "tokens/s",
        held=clock.reserved / 1e9,
        micro=last["micro_tokens"],
        checkpointing=last["checkpointing"],
    )


@pytest.mark.seconds(120)
def test_training_on_short_rows(large, record):
    """As the kit's own domains have them."""
    rows = training_rows(large, 192)
    how, clock = config(512).with_(batch=64), runs.Clock()
    runs.ours(large, rows, how, clock)
    tokens = sum(len(encode(large, row).ids) for row in rows) / 3
    rate = tokens / clock.step
    record(f"{large.name} QLoRA, rows of {tokens / 64:.0f}", rate, "tokens/s")


def rendered(student: LocalModel, n: int) -> list[str]:
    math = domains.get("math")
    stream = generate_items("math", math.chosen()[0], rng_seed=1, split="bench")
    seeds = itertools.islice(stream, n)
    return [student.render(math.instruction, seed.prompt) for seed in seeds]


def sampled(student: LocalModel, *, k: int = K, tokens: int = TOKENS) -> float:
    """Useful tokens per second of the kit's sampler."""
    texts = rendered(student, PROMPTS)
    draw(student, texts, SamplingParams(4, 0.8), k=k, rng_seed=0)  # warms up
    torch.cuda.synchronize()
    began = time.perf_counter()
    drawn = draw(student, texts, SamplingParams(tokens, 0.8), k=k, rng_seed=1)
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
    ).to("cuda")

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
    torch.cuda.synchronize()
    began = time.perf_counter()
    out = some(TOKENS).tolist()
    spent = time.perf_counter() - began
    return sum(until_the_end(row, student.stop_ids) for row in out) / spent


def until_the_end(row: list[int], stops: frozenset[int]) -> int:
    return next((n for n, token in enumerate(row, 1) if token in stops), len(row))


@pytest.mark.seconds(150)
def test_sampling(large, record, monkeypatch):
    rate = sampled(large)
    record(f"{large.name} samples, 128 rows", rate, "tokens/s")
    record("  times generate's", rate / generated(large), "")
    monkeypatch.setitem(MEMORY_SHARE, "cuda", 0.0)
    record("  with NF4 unpacked each time", sampled(large), "tokens/s")
    monkeypatch.setitem(MEMORY_SHARE, "cuda", 0.6)
    record("  with weights laid out if 60 % hold them", sampled(large), "tokens/s")
    monkeypatch.setattr(engine, "MAX_ROWS", 512)
    record("  512 rows", sampled(large, k=4 * K), "tokens/s")


@pytest.mark.seconds(90)
def test_sampling_from_the_embedded_model(student, record):
    rate = sampled(student)
    record("smollm2-135m samples, 128 rows", rate, "tokens/s")
    record("  times generate's", rate / generated(student), "")


@pytest.mark.seconds(90)
def test_sampling_by_continuous_batching(record):
    """transformers' own, in its fastest shape here; ours beside it, both in bf16."""
    from transformers import GenerationConfig

    near = completion.load.__wrapped__("smollm2-135m", four_bit=False)
    ours = sampled(near)
    texts = [text for text in rendered(near, PROMPTS) for _ in range(K)]
    ids = near.tokenizer(texts, add_special_tokens=False).input_ids
    config = GenerationConfig(
        max_new_tokens=TOKENS,
        do_sample=True,
        temperature=0.8,
        top_k=0,
        eos_token_id=sorted(near.stop_ids)[0],
        pad_token_id=near.tokenizer.pad_token_id,
    )
    near.model.generate_batch(ids[:8], generation_config=config)
    began = time.perf_counter()
    out = near.model.generate_batch(ids, generation_config=config)
    spent = time.perf_counter() - began
    theirs = sum(len(one.generated_tokens) for one in out.values()) / spent
    record("smollm2-135m bf16 samples", ours, "tokens/s")
    record("  times continuous batching's", ours / theirs, "")


@pytest.mark.seconds(150)
def test_how_long_its_study_would_take(large, record, monkeypatch, tmp_path, capsys):
    """By the kit's plan; a model that has learnt nothing never ends its answers."""
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path))
    monkeypatch.setattr(completion, "load", lambda name, **_: large)
    monkeypatch.setattr(catalog, "resolve", lambda name: tmp_path)
    monkeypatch.setattr(speed_probe, "MAX_TOKENS", 48)
    units = study_file.load(STUDIES[large.name]).units()
    found = speed_probe.measure(units, seconds=8)
    pace = min(one.plain.tps for one in found.domains.values())
    record(f"{large.name} plan's probe: sampled", pace, "tokens/s")
    record("  trained", found.train_tps, "tokens/s", setup=found.setup)
    needed = fit(units, found.free_bytes, kind="cuda", loaded=True)
    peak = found.loaded_bytes + needed.needed
    record("  training peak predicted", peak / 1e9, "GB")
    for tokens in (200, 600, 2048):
        for one in found.domains.values():
            for answers in (one.plain, one.shown, one.tuned):
                answers.samples, answers.tokens = 100, 100 * tokens
                answers.truncated = 0
            one.asked, one.teachable = 30, 12
        steps = plan_table.plan_steps(units, found, peak)
        hours = sum(step.seconds for step in steps) / 3600
        record(f"  {STUDIES[large.name]}, answers of {tokens}", hours, "hours")
    print("\n".join(plan_table.table(steps, found, plan_table.Prices())))


@pytest.mark.seconds(150)
def test_training_against_trl(large, record):
    """The last one: TRL leaves hooks on the model."""
    for tokens in (2048, 8192):
        how, rows = config(tokens), made.rows(large, STEP // tokens * 3, tokens=tokens)
        mine, theirs = runs.Clock(), runs.Clock()
        runs.ours(large, rows, how, mine)
        micro = MICRO // tokens
        runs.trl(large, rows, how, theirs, micro=micro)
        record(
            f"{large.name} QLoRA {tokens}, times TRL's tokens/s",
            theirs.step / mine.step,
            "",
            trl=STEP / theirs.step,
            trl_peak=theirs.allocated / 1e9,
            peak=mine.allocated / 1e9,
        )


@pytest.mark.seconds(120)
def test_short_rows_against_trl(student, record):
    rows = training_rows(student, 192)
    how = TrainingConfig(epochs=1, batch=32, warmup=0)
    mine, theirs = runs.Clock(), runs.Clock()
    runs.ours(student, rows, how, mine)
    runs.trl(completion.load.__wrapped__("smollm2-135m"), rows, how, theirs, micro=32)
    tokens = sum(len(encode(student, row).ids) for row in rows) / 6
    record("smollm2-135m QLoRA, short rows", tokens / mine.step, "tokens/s")
    record("  times TRL's", theirs.step / mine.step, "")
