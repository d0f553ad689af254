"""The domain math: the layered verifier, and no process for plain numbers."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from phi_kit import domains
from phi_kit.cli import app
from phi_kit.data.records import Seed
from phi_kit.data.row_filters import filter_rows
from phi_kit.data.sealed_splits import Seal
from phi_kit.verifiers import worker_pool

# What small models say to sums, and what it is worth: gold, response, strict.
SAID = [
    ("12", "12", "right"),
    ("12", "12.", "right"),
    ("12", "The answer is 12.", "right"),
    ("12", "Answer: 12", "right"),
    ("15", "7 + 8 = 15", "right"),
    ("15", "7 + 8 = 15. That is the sum.", "right"),
    ("-4", "The answer is -4.", "right"),
    ("6", "The Greatest Common Divisor of 18 and 12 is 6.", "right"),
    ("7", "#### Step 1\n3 + 4\n#### Answer\n7", "right"),
    ("7", "#### Step 1\nAdd.\n#### Step 2\nIt is 7.", "right"),
    ("15", "16", "wrong"),
    ("15", "7 + 8", "wrong"),
    ("15", "7 + 8 =", "wrong"),
    ("8", "7 + 8 =", "wrong"),
    ("15", "15 +", "wrong"),
    ("15", "The answer is 15 +", "wrong"),
    ("11", "The final answer to this problem is 11, as 0 + 9 equals", "right"),
    ("9", "The final answer to this problem is 11, as 0 + 9 equals", "wrong"),
    ("1", "The GCD of 1 and 8 is 8.", "wrong"),
    ("5", "1.2 x 11 = 17", "wrong"),
    ("4", "1. 4 + 3 = 7", "wrong"),
    ("0", "1. 1. 2. 3. 4. 5. 6", "wrong"),
    ("4", "1. 2 + 2 = 4 = 4 =", "wrong"),
]


@pytest.fixture
def no_worker(monkeypatch):
    def start(*given, **named):
        pytest.fail("a worker process was started")

    monkeypatch.setattr(worker_pool, "Worker", start)


@pytest.mark.parametrize(("gold", "response", "value"), SAID)
def test_short_answers_need_no_process(gold, response, value, no_worker):
    verdict = domains.get("math").verifier(Seed("math", "?", gold), response)
    assert verdict.value == value, verdict


@pytest.mark.parametrize(
    "response",
    ["The GCD of 1 and 8 is 8.", "GCD(1, 8) = 8", "1\n2\n8", "12 of 1, or so: 8"],
)
def test_another_number_of_the_sentence_is_not_even_leniently_right(response):
    verdict = domains.get("math").verifier(Seed("math", "?", "1"), response)
    assert (verdict.value, verdict.lenient) == ("wrong", "wrong")


@pytest.mark.slow
def test_formulas_are_compared(tmp_path):
    file = tmp_path / "rows.jsonl"
    row = {"prompt": "q", "gold": "(x+1)^2", "response": r"\boxed{x^2+2x+1}"}
    file.write_text(json.dumps(row))
    done = CliRunner().invoke(app, ["verify", "math", str(file)])
    assert json.loads(done.stdout)["verdict"] == "right"


def test_seeds_with_other_golds_than_numbers_are_kept_and_sentinels_are_not():
    golds = ("7 apples", r"\frac{1}{2}", "x = 5", "[0, 1)", "2x + 1", "proof", "")
    seeds = [Seed("math", f"Which is number {gold}?", gold) for gold in golds]
    verifier = domains.get("math").verifier
    judged = filter_rows(seeds, verifier, Seal([]), max_chars=100)
    assert [reason for _, reason in judged] == [None] * 5 + ["no answer"] * 2
    assert verifier(seeds[-2], "proof").value == "unknown"
