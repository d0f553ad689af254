"""No program that only pretends is judged right, whatever it is asked by."""

from __future__ import annotations

import json

import pytest

from phi_kit.data.records import Seed
from phi_kit.sandbox.sandbox import Limits
from phi_kit.verifiers.code import verifier

from .code_cheats import CASES, CHEATS, PROGRAMS, SOLUTION, TESTS

# A dozen of the worst, asked every day.
DAILY = (
    *("an object that lies", "an int that lies", "f is a class that lies"),
    *("a complex infinity", "nan", "true", "stops", "exits hard", "anything"),
    *("forges a verdict", "forges an empty value", "replaces the encoder"),
    "replaces the tests' own names",
)
KINDS = tuple(TESTS)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(verifier, "LIMITS", Limits(seconds=2.0, cpu=1))


def judged(extra, program):
    return verifier.verify(
        Seed("coding", "", "", extra=json.dumps(extra)), f"```python\n{program}\n```"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_solution_passes_every_kind_of_test(kind):
    assert judged(TESTS[kind], SOLUTION).value == "right"


def refused(kind, name):
    found = judged(TESTS[kind], CHEATS[name])
    assert (found.value, found.lenient) == ("wrong", "wrong"), (kind, name, found)
    found.reason.encode()  # a table can be written


@pytest.mark.parametrize("name", DAILY)
def test_the_worst_are_wrong(name):
    for kind in KINDS[DAILY.index(name) % 4 :: 8]:
        refused(kind, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHEATS)
def test_no_cheat_is_right_by_some_tests_of_every_kind(name):
    # Each program meets four kinds of test, each kind a tenth of the programs.
    for kind in KINDS[list(CHEATS).index(name) % 9 :: 9]:
        refused(kind, name)


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CHEATS)
def test_no_cheat_is_right_by_any_test(name, kind):
    refused(kind, name)


QUICK = ("prints both", "exits", "exits hard", "forges an answer", "looks for it")


@pytest.mark.parametrize(
    "name",
    [pytest.param(x, marks=[] if x in QUICK else pytest.mark.slow) for x in PROGRAMS],
)
def test_no_program_is_right(name):
    found = judged({"cases": CASES}, PROGRAMS[name])
    assert (found.value, found.lenient) == ("wrong", "wrong"), found
    found.reason.encode()


def test_there_are_enough_of_them():
    assert len(CHEATS) + len(PROGRAMS) >= 150
    assert len(TESTS) >= 30
