"""Verdicts against labelled solutions of GSM8K problems: a sample, and 2,000.

The sample lies beside this file and is tested wherever the tests run; the 2,000 are
an external data set.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from external_data import needs, path_of
from typer.testing import CliRunner

from phi_kit import verifiers
from phi_kit.cli import app
from phi_kit.data.records import Seed
from phi_kit.verifiers import worker_pool

WHOLE = "gsm8k_labelled_solutions.jsonl"
SAMPLE = Path(__file__).with_name("gsm8k_labelled_sample.jsonl")


def read(path):
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [row for row in rows if "gold" in row]  # the first line names the source


@pytest.fixture(
    params=[
        pytest.param((SAMPLE, 200), id="sample"),
        pytest.param((path_of(WHOLE), 2000), id="all", marks=needs(WHOLE)),
    ]
)
def labelled(request):
    path, n = request.param
    rows = read(path)
    assert len(rows) == n
    assert {row["is_correct"] for row in rows} == {True, False}
    return rows


@pytest.mark.parametrize("name", ["math", "numeric"])
def test_every_verdict_equals_its_label(name, labelled):
    check = verifiers.get(name)
    for row in labelled:
        verdict = check(Seed("math", row["prompt"], row["gold"]), row["response"])
        assert verdict.right == row["is_correct"], (row, verdict)
        assert verdict.value != "unknown"


def test_the_command_says_the_same_without_a_worker(labelled, tmp_path, monkeypatch):
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, labelled)), "utf-8")
    monkeypatch.setattr(worker_pool, "Worker", None)
    done = CliRunner().invoke(app, ["verify", "math", str(file)])
    assert done.exit_code == 0
    said = [json.loads(line)["verdict"] == "right" for line in done.stdout.splitlines()]
    assert said == [row["is_correct"] for row in labelled]
