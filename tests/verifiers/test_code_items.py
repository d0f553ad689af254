"""Items of every shape: what solves them is right, and nothing else."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from external_data import needs, path_of

from phi_kit.data.records import Seed
from phi_kit.verifiers.code import verifier

from .code_items import ITEMS, UNKNOWN


def seed(item):
    facts = ("tests", "cases", "setup", "entry")
    extra = {name: item[name] for name in facts if name in item}
    prompt, gold = item.get("prompt", ""), item.get("gold", "")
    return Seed("coding", prompt, gold, extra=json.dumps(extra))


@pytest.mark.parametrize("name", ITEMS)
def test_what_solves_an_item_is_right(name):
    for response in ITEMS[name]["right"]:
        found = verifier.verify(seed(ITEMS[name]), response)
        assert found.value == "right", (response, found)


# Of most shapes one failure is tried each day.
@pytest.mark.parametrize("name", ITEMS)
def test_a_failure_is_wrong(name):
    found = verifier.verify(seed(ITEMS[name]), ITEMS[name]["wrong"][0])
    assert (found.value, found.lenient) == ("wrong", "wrong"), found


@pytest.mark.slow
@pytest.mark.parametrize("name", ITEMS)
def test_only_a_solution_is_right(name):
    item = ITEMS[name]
    wanted = {"right": ("right", "right"), "loose": ("wrong", "right")}
    wanted["wrong"] = ("wrong", "wrong")
    for kind, verdicts in wanted.items():
        for response in item.get(kind, ()):
            found = verifier.verify(seed(item), response)
            assert (found.value, found.lenient) == verdicts, (response, found)


@pytest.mark.parametrize("name", UNKNOWN)
def test_the_tests_are_at_fault(name):
    for response in (
        "def f(x): return x * x",
        "class f: pass",
        "raise SystemExit",
        "x=",
    ):
        found = verifier.verify(seed(UNKNOWN[name]), f"```python\n{response}\n```")
        assert (found.value, found.lenient) == ("unknown", "unknown"), (response, found)


def test_an_object_that_cannot_be_sent_is_the_tests_fault():
    item = {"tests": ["import threading", "assert f(threading.Lock()) == 9"]}
    found = verifier.verify(seed(item), "def f(x): return 9")
    assert found.value == "unknown"
    assert "hand over an object of type lock" in found.reason


WHOLE = "humaneval.jsonl.gz"
SAMPLE = Path(__file__).with_name("humaneval_sample.jsonl")


@pytest.fixture(
    params=[
        pytest.param(False, id="sample"),
        pytest.param(True, id="all", marks=[pytest.mark.slow, needs(WHOLE)]),
    ]
)
def humaneval(request):
    """HumanEval's items: the row, the whole solution, and two seeds of it."""
    if request.param:
        text = gzip.decompress(path_of(WHOLE).read_bytes()).decode()
    else:
        text = SAMPLE.read_text("utf-8").partition("\n")[2]  # after the source's line
    rows = list(map(json.loads, text.splitlines()))
    assert len(rows) == (164 if request.param else 6)
    found = []
    for row in rows:
        extra = json.dumps({"tests": row["test"], "entry": row["entry_point"]})
        whole = row["prompt"] + row["canonical_solution"]
        full = Seed("coding", row["prompt"], row["canonical_solution"], extra=extra)
        found.append((row, whole, full, Seed("coding", "", "", extra=extra)))
    return found


def test_every_canonical_solution_of_humaneval_is_right(humaneval):
    for row, whole, full, bare in humaneval:
        for seed, response in (
            (full, f"```python\n{whole}\n```"),
            (full, row["canonical_solution"]),
            (bare, whole),
        ):
            found = verifier.verify(seed, response)
            assert found.right, (row["task_id"], found)


def test_every_stub_of_humaneval_is_wrong(humaneval):
    for row, _, full, bare in humaneval:
        stub = f"def {row['entry_point']}(*given):\n    return None"
        for seed, response in (
            (full, stub),
            (bare, stub),
            (full, f"{row['prompt']}    pass\n"),
            (full, "    pass\n"),
        ):
            found = verifier.verify(seed, response)
            wrong = (found.value, found.lenient) == ("wrong", "wrong")
            assert wrong, (row["task_id"], found)
