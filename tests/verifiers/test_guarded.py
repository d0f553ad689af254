"""A verifier that fails costs one verdict, wherever it is called from."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import pytest

from phi_kit import domains, verifiers
from phi_kit.core.errors import RunError
from phi_kit.data.records import Seed
from phi_kit.evaluation import ask
from phi_kit.inference.types import SamplingParams
from phi_kit.verifiers.base import Verdict, guarded
from phi_kit.verifiers.code import verifier

SEED = Seed("coding", "?", "3")


def failing(error):
    def check(seed, response):
        raise error

    return check


@pytest.mark.parametrize(
    "error",
    [OverflowError("x"), IndexError(), RecursionError(), UnicodeError("\ud800")],
)
def test_what_a_verifier_raises_costs_one_verdict(error):
    found = guarded(failing(error))(SEED, "3")
    assert found.value == "unknown"
    assert found.reason == f"the verifier failed: {type(error).__name__}"


def test_what_a_user_can_mend_is_raised():
    with pytest.raises(RunError):
        guarded(failing(RunError("no checker")))(SEED, "3")


def test_texts_can_be_written():
    def check(seed, response):
        return Verdict("wrong", "\ud800 é", response)

    found = guarded(check)(SEED, "\udfff")
    assert (found.reason, found.extracted) == ("\\ud800 é", "\\udfff")


def test_a_verifier_is_guarded_once():
    once = guarded(verifier.verify)
    assert guarded(once) is once
    assert verifiers.get("code").guarded
    assert all(domains.get(name).verifier.guarded for name in domains.names())


def test_a_study_goes_on_after_a_sample_that_breaks_its_verifier(monkeypatch):
    def draw(student, prompts, *given, **named):
        sample = SimpleNamespace(text="x", tokens=1, finish="stop", logprob=None)
        return [[sample, sample] for _ in prompts]

    monkeypatch.setattr(ask, "draw", draw)
    domain = dataclasses.replace(
        domains.get("coding"), verifier=failing(ZeroDivisionError())
    )
    student = SimpleNamespace(render=lambda instruction, prompt, **how: prompt)
    table = ask.ask(
        student, domain, [SEED], sampling=SamplingParams(9), k=2, rng_seed=1, label="x"
    )
    assert list(table.verdict) == ["unknown"] * 2


WORST = (
    "def add(a, b): return complex(1.7e308, 1.7e308)",
    "def add(a, b): return 10 ** 400",
    "def add(a, b): raise ValueError('\\ud800')",
    "def add(a, b): return complex('inf')",
)


@pytest.mark.parametrize("response", WORST)
@pytest.mark.parametrize(
    "test",
    ["assert add(1, 2) == 3", "import math\nassert math.isclose(add(1, 2), 3)"],
)
def test_these_are_only_wrong(response, test):
    item = Seed("coding", "", "", extra=json.dumps({"tests": [test]}))
    found = verifiers.get("code")(item, response)
    assert (found.value, found.lenient) == ("wrong", "wrong")
    found.reason.encode()
