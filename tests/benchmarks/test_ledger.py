"""What does it cost to write every sample down before the next one is drawn?"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from phi_kit.inference.draw import draw
from phi_kit.inference.types import SamplingParams

from .conftest import ratio

pytestmark = pytest.mark.bench

PROMPTS, K, TOKENS = 625, 8, 16


def test_ledger_overhead(tiny, record, runs, monkeypatch):
    # A tenth of its tokens end a turn: samples arrive one after the other.
    ends = list(range(0, len(tiny.tokenizer), 10))
    monkeypatch.setattr(tiny.model.generation_config, "eos_token_id", ends)
    student = replace(tiny, identity="tiny/float32")
    ask = [student.render("Count.", f"What is {n} + 7?") for n in range(PROMPTS)]
    calls = 0

    def seconds(ledger: str) -> float:
        nonlocal calls
        calls += 1  # other samples every time: none of them is known
        monkeypatch.setenv("PHI_KIT_LEDGER", ledger)
        began = time.perf_counter()
        drawn = draw(student, ask, SamplingParams(TOKENS, 1.0), k=K, rng_seed=calls)
        spent = time.perf_counter() - began
        assert sum(map(len, drawn)) == PROMPTS * K
        return spent

    figure = ratio(lambda: seconds(""), lambda: seconds("off"), pairs=3) - 1
    record(
        "ledger_overhead",
        figure,
        unit="share of the time without it",
        n=3,
        what=f"{PROMPTS * K:,} samples of a random two-layer model of width 32, up to "
        f"{TOKENS} tokens, each committed to SQLite as it arrives",
    )
    assert figure < 0.2
