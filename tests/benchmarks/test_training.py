"""Is it worth asking for logits only where the loss looks?"""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model

from phi_kit import domains
from phi_kit.data.procedural import items
from phi_kit.domains.asking import rows_of
from phi_kit.train.qlora import masked_loss
from phi_kit.train.rows import collate, encode

from .conftest import per_second, ratio

pytestmark = pytest.mark.bench

ROWS = 16


def test_logits_only_at_trained_positions(student, record):
    math = domains.get("math")
    stream = items("math", math.chosen()[1], rng_seed=1, split="bench")
    seeds = [next(stream) for _ in range(ROWS)]
    rows = rows_of(student, math, seeds, [seed.answer for seed in seeds])
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
    assert losses["ours"] == pytest.approx(losses["all"], abs=1e-5)
    assert torch.isfinite(torch.tensor(losses["ours"]))
    record(
        "qlora_trained_positions",
        figure,
        unit="times the tokens per second",
        n=3,
        what=f"forward and backward of {ROWS} rows, NF4 + LoRA r=16, against "
        "logits at every position",
    )
