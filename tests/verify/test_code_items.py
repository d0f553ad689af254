"""Items of every shape: what solves them is right, and nothing else."""

from __future__ import annotations

import json

import pytest

from phi_kit.data.records import Seed
from phi_kit.verify import code

from .code_items import ITEMS, UNKNOWN


def seed(item):
    facts = ("tests", "cases", "setup", "entry")
    extra = {name: item[name] for name in facts if name in item}
    prompt, gold = item.get("prompt", ""), item.get("gold", "")
    return Seed("coding", prompt, gold, extra=json.dumps(extra))


@pytest.mark.parametrize("name", ITEMS)
def test_only_a_solution_is_right(name):
    item = ITEMS[name]
    wanted = {"right": ("right", "right"), "loose": ("wrong", "right")}
    wanted["wrong"] = ("wrong", "wrong")
    for kind, verdicts in wanted.items():
        for response in item.get(kind, ()):
            found = code.verify(seed(item), response)
            assert (found.value, found.lenient) == verdicts, (response, found)


@pytest.mark.parametrize("name", UNKNOWN)
def test_the_tests_are_at_fault(name):
    for response in (
        "def f(x): return x * x",
        "class f: pass",
        "raise SystemExit",
        "x=",
    ):
        found = code.verify(seed(UNKNOWN[name]), f"```python\n{response}\n```")
        assert (found.value, found.lenient) == ("unknown", "unknown"), (response, found)


def test_an_object_that_cannot_be_sent_is_the_tests_fault():
    item = {"tests": ["import threading", "assert f(threading.Lock()) == 9"]}
    found = code.verify(seed(item), "def f(x): return 9")
    assert found.value == "unknown"
    assert "hand over an object of type lock" in found.reason
