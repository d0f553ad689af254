"""Verdicts against 2,000 labelled solutions of GSM8K problems."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phi_kit import verify
from phi_kit.data.records import Seed

FILE = Path(__file__).parents[3] / "shared/data/gsm8k_labelled_solutions.jsonl"


@pytest.mark.skipif(not FILE.is_file(), reason="the labelled solutions are not here")
@pytest.mark.parametrize("name", ["math", "numeric"])
def test_every_verdict_equals_its_label(name):
    rows = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
    assert len(rows) == 2000
    check = verify.get(name)
    for row in rows:
        verdict = check(Seed("math", row["prompt"], row["gold"]), row["response"])
        assert verdict.right == row["is_correct"], (row, verdict)
        assert verdict.value != "unknown"
