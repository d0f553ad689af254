"""Is the kit's trainer worth its code? Against TRL, the machine, and itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.evaluation.ask import training_rows
from phi_kit.training.encoding import collate, encode
from phi_kit.training.lora_fused import fused_lora
from phi_kit.training.loss import masked_loss
from phi_kit.training.packing import pack, per_row_attention
from phi_kit.training.training_run import fresh_adapter

from . import one_run
from .conftest import gemm_rate, per_second, ratio

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
def theirs():
    """A model of TRL's own: it leaves hooks on it."""
    pytest.importorskip("trl")
    return one_run.plainly_loaded()


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
def test_qlora_vs_trl(student, theirs, record, name, settings, what):
    rows = one_run.quickstart_rows(student)
    tokens = sum(len(encode(student, row).ids) for row in rows)
    losses = {}

    def rate(which, run) -> float:
        clock = one_run.Clock()
        losses[which] = run(clock)
        return tokens / clock.seconds

    figure = ratio(
        lambda: rate("ours", lambda clock: one_run.ours(student, rows, clock)),
        lambda: rate("trl", lambda clock: one_run.trl(theirs, rows, clock, **settings)),
        pairs=3,
    )
    assert losses["ours"] == pytest.approx(losses["trl"], abs=1e-4)
    record(
        name,
        figure,
        unit="times the tokens per second",
        n=3,
        what=f"{one_run.ROWS} quickstart rows in steps of 8, NF4 + LoRA r=16, against "
        f"TRL's SFTTrainer with {what}, both in float32, in turn; losses of all "
        "steps equal within 1e-4",
    )
    if name == "qlora_vs_trl":
        assert figure >= 1.7


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
