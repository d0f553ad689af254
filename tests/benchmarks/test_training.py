"""Is the kit's trainer worth its code? Against TRL, the machine, and itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.evaluation.ask import training_rows
from phi_kit.models.product_rates import product_rates
from phi_kit.training.encoding import collate, encode
from phi_kit.training.lora_fused import fused_lora
from phi_kit.training.loss import full_logits_loss, masked_loss
from phi_kit.training.packing import pack, per_row_attention
from phi_kit.training.training_run import fresh_adapter

from . import one_run
from .conftest import gemm_rate, needs_bf16, per_second, ratio

pytestmark = pytest.mark.bench

ROWS = 16


def test_logits_only_at_trained_positions(student, record):
    math = domains.get("math")
    stream = generate_items("math", math.chosen()[1], rng_seed=1, split="bench")
    seeds = [next(stream) for _ in range(ROWS)]
    rows = training_rows(student, math, [(seed, seed.answer) for seed in seeds])
    encoded = [encode(student, row) for row in rows]
    batch = collate(encoded, pad=student.tokenizer.pad_token_id)
    tokens = sum(len(row.ids) for row in encoded)
    config = LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(student.model, config)
    losses = {}

    def step(name: str, loss) -> int:
        model.zero_grad()
        value = loss()
        value.backward()
        losses[name] = value.item()
        return tokens

    try:
        figure = ratio(
            lambda: per_second(lambda: step("ours", lambda: masked_loss(model, batch))),
            lambda: per_second(lambda: step("all", lambda: model(**batch).loss)),
            pairs=3,
        )
    finally:
        model.unload()
        vars(student.model).pop("peft_config", None)
    # PyTorch's cross_entropy on a CPU is off by 1e-5 over so long a vocabulary.
    assert losses["ours"] == pytest.approx(losses["all"], abs=1e-4)
    assert torch.isfinite(torch.tensor(losses["ours"]))
    record(
        "qlora_trained_positions",
        figure,
        unit="times the tokens per second",
        n=3,
        what=f"forward and backward of {ROWS} rows, NF4 + LoRA r=16, against "
        "logits at every position",
    )


HERE = Path(__file__).resolve()
ROOT, TESTS = str(HERE.parents[2]), str(HERE.parents[1])


@pytest.fixture(scope="module")
def rows(student):
    return one_run.quickstart_rows(student)


def timed(student, rows, run, *, losses: list | None = None, **settings) -> float:
    """Tokens per second of a run's optimiser steps, and nothing around them."""
    clock = one_run.Clock()
    found = run(student, rows, clock, **settings)
    if losses is not None:
        losses[:] = found
    return sum(len(encode(student, row).ids) for row in rows) / clock.seconds


@pytest.mark.parametrize(
    ("name", "settings", "what"),
    [
        ("qlora_vs_trl", {}, "its defaults (gradient checkpointing among them)"),
        (
            "qlora_vs_trl_no_checkpointing",
            {"gradient_checkpointing": False},
            "gradient checkpointing off",
        ),
    ],
)
def test_qlora_vs_trl(in_float32, rows, record, name, settings, what):
    pytest.importorskip("trl")
    theirs = one_run.plainly_loaded()  # a model of its own: TRL leaves hooks on it
    ours_losses, their_losses = [], []
    figure = ratio(
        lambda: timed(in_float32, rows, one_run.ours, losses=ours_losses),
        lambda: timed(theirs, rows, one_run.trl, losses=their_losses, **settings),
        pairs=3,
    )
    assert ours_losses == pytest.approx(their_losses, abs=1e-4)
    record(
        name,
        figure,
        unit="times the tokens per second",
        n=3,
        what=f"{len(rows)} quickstart rows in steps of 8, NF4 + LoRA r=16, against "
        f"TRL's SFTTrainer with {what}, both in float32, in turn; losses of all "
        "steps equal within 1e-4",
    )
    if name == "qlora_vs_trl":
        assert figure >= 1.7


@needs_bf16
def test_qlora_bf16_vs_float32(student, in_float32, rows, record):
    """What bf16 products earn in training, with the loss curve beside float32's."""
    short, long = [], []
    figure = ratio(
        lambda: timed(student, rows, one_run.ours, losses=short),
        lambda: timed(in_float32, rows, one_run.ours, losses=long),
        pairs=5,
    )
    apart = max(abs(a - b) for a, b in zip(short, long, strict=True))
    record(
        "qlora_bf16_vs_float32",
        figure,
        unit="times the tokens per second",
        n=5,
        what=f"{len(rows)} quickstart rows in steps of 8, NF4 + LoRA r=16, frozen "
        f"products in bf16 ({rates()}) against compute: float32, in turn; losses at "
        f"most {apart:.3f} apart",
    )
    assert short == pytest.approx(long, abs=0.05)
    assert figure >= 1.2


@needs_bf16
def test_qlora_vs_trl_bf16(student, rows, record):
    pytest.importorskip("trl")
    theirs = one_run.plainly_loaded(torch.bfloat16)
    figure = ratio(
        lambda: timed(student, rows, one_run.ours),
        lambda: timed(theirs, rows, one_run.trl, gradient_checkpointing=False),
        pairs=3,
    )
    record(
        "qlora_vs_trl_bf16",
        figure,
        unit="times the tokens per second",
        n=3,
        what=f"{len(rows)} quickstart rows in steps of 8, NF4 + LoRA r=16, against "
        "TRL's SFTTrainer with gradient checkpointing off, both in bf16, in turn",
    )
    assert figure >= 1.7


def rates() -> str:
    """The probe's rates, for a line of text."""
    found = product_rates()
    return f"{found.bf16:.0f} GFLOP/s a core against {found.float32:.0f}"


# What a run is without one part: each is replaced where it is called.
WITHOUT = {
    "packing": ("training_run.packing.rows_are_isolated", lambda *_, **__: False),
    "prefix_once": ("trainer.shared_prefix", lambda _: 0),
    "fused_lora": ("training_run._fused_kernels", lambda *_: nullcontext()),
    "dequantized_once": ("training_run.keeps_dequantized", lambda *_: False),
    "loss_in_place": ("training_run.choose_loss", lambda _: full_logits_loss),
}


@pytest.mark.parametrize("part", WITHOUT)
def test_what_each_part_of_the_trainer_earns(student, rows, record, part):
    """Each alone: the whole against the whole without it.

    Without the fused operation the weights are not laid out once either, for that is
    what reads them: its figure holds both.
    """
    place, instead = WITHOUT[part]

    def without(*arguments) -> float:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"phi_kit.training.{place}", instead)
            return timed(*arguments)

    figure = ratio(
        lambda: timed(student, rows, one_run.ours),
        lambda: without(student, rows, one_run.ours),
        pairs=3,
    )
    record(
        f"qlora_with_{part}",
        figure,
        unit="times the tokens per second",
        n=3,
        what=f"{len(rows)} quickstart rows in steps of 8, NF4 + LoRA r=16, against the "
        f"same run without {part.replace('_', ' ')}, in turn",
    )
    assert figure >= 1.1


class Operations(TorchDispatchMode):
    """Counts operations by PyTorch's own formulas.

    Its `FlopCounterMode` also tracks modules, and fails on a gradient that is taken
    within a forward pass.
    """

    total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        done = function(*args, **(kwargs or {}))
        if count := flop_registry.get(function._overloadpacket):
            self.total += count(*args, **(kwargs or {}), out_val=done)
        return done


def test_qlora_matmul_share(student, record):
    """Operations that a step must do, by PyTorch's own count, at the rate it does them.

    Rows lie end to end and nothing is computed twice: whatever is executed is useful.
    """
    encoded = [encode(student, row) for row in one_run.quickstart_rows(student, 8)]
    batch = pack(encoded)
    with (
        per_row_attention(student.model),
        fresh_adapter(student, 16) as m,
        fused_lora(m, keep_floats=True),
    ):
        m.train()

        def step() -> None:
            m.zero_grad()
            masked_loss(m, batch).backward()

        with Operations() as counter:
            step()
        work = counter.total

        def ours() -> float:
            began = time.perf_counter()
            for _ in range(4):
                step()
            return 4 * work / (time.perf_counter() - began)

        figure = ratio(ours, gemm_rate, pairs=5)
    tokens = sum(len(row.ids) for row in encoded)
    # Two for each weight forward, two backward, and the adapter's: about 450 million.
    assert 3.5e8 < work / tokens < 6e8
    record(
        "qlora_matmul_share",
        figure,
        unit="of the machine's float32 matmul rate",
        n=5,
        what=f"forward and backward of {len(encoded)} quickstart rows ({tokens} "
        f"tokens, {work / tokens / 1e6:.0f} MFLOP each) against products of "
        "2048 x 2048, in turn",
    )


def test_qlora_memory_vs_trl(record):
    pytest.importorskip("trl")
    found = {which: alone(which) for which in ("ours", "trl")}
    assert found["ours"]["losses"] == pytest.approx(found["trl"]["losses"], abs=1e-4)
    peaks = {which: one["peak"] for which, one in found.items()}
    record(
        "qlora_memory_vs_trl",
        peaks["ours"] / peaks["trl"],
        unit="of its peak resident memory",
        n=1,
        what=f"{one_run.ROWS} quickstart rows in steps of 8, a process each: "
        f"{peaks['ours']:.0f} MB against {peaks['trl']:.0f} MB",
    )
    assert peaks["ours"] < peaks["trl"]


def alone(which: str) -> dict:
    done = subprocess.run(
        [sys.executable, str(HERE.with_name("one_run.py")), which],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([ROOT, TESTS])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
