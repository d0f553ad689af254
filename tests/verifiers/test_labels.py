"""Verdicts against 2,000 labelled solutions of GSM8K problems."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from phi_kit import verifiers
from phi_kit.cli import app
from phi_kit.data.records import Seed
from phi_kit.verifiers import worker_pool

FILE = Path(__file__).parents[3] / "shared/data/gsm8k_labelled_solutions.jsonl"
pytestmark = pytest.mark.skipif(
    not FILE.is_file(), reason="the labelled solutions are not here"
)


@pytest.fixture
def labelled():
    rows = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
    assert len(rows) == 2000
    return rows


@pytest.mark.parametrize("name", ["math", "numeric"])
def test_every_verdict_equals_its_label(name, labelled):
    check = verifiers.get(name)
    for row in labelled:
        verdict = check(Seed("math", row["prompt"], row["gold"]), row["response"])
        assert verdict.right == row["is_correct"], (row, verdict)
        assert verdict.value != "unknown"


def test_the_command_says_the_same_without_a_worker(labelled, monkeypatch):
    monkeypatch.setattr(worker_pool, "Worker", None)
    done = CliRunner().invoke(app, ["verify", "math", str(FILE)])
    assert done.exit_code == 0
    said = [json.loads(line)["verdict"] == "right" for line in done.stdout.splitlines()]
    assert said == [row["is_correct"] for row in labelled]
