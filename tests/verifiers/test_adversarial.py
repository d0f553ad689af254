"""Every row that could fool a checker gets its verdict, strict and lenient."""

from __future__ import annotations

import json

import pytest

from phi_kit import verifiers
from phi_kit.data.records import Seed

from . import adversarial as rows
from .cases import CASES, verdict_on

SIGNS = {"+": "right", "-": "wrong", "?": "unknown"}
CITIES = {"choices": {"A": "Paris", "B": "Rome", "C": "Berlin", "D": "a car"}}
TABLES = [
    *(("math", *row, {}) for row in (*rows.MATH, *rows.SYMBOLIC)),
    *(("exact", *row, {}) for row in rows.EXACT),
    *(("choice", *row, CITIES) for row in rows.CHOICE),
    *(("choice", *row, {}) for row in rows.WORDS if row[0] != "maybe"),
]
OWN = [(name, case) for name, table in CASES.items() for case in table]


# Seconds each: a worker is killed. test_worker_pool.py has one for every day.
ENDLESS = "10^{10^{10"
MARKED = [
    pytest.param(*row, marks=[pytest.mark.slow] * any(ENDLESS in x for x in row[1:3]))
    for row in TABLES
]


@pytest.mark.parametrize(("name", "gold", "response", "signs", "extra"), MARKED)
def test_row(name, gold, response, signs, extra):
    seed = Seed("test", "", gold, extra=json.dumps(extra))
    verdict = verifiers.get(name)(seed, response)
    wanted = (SIGNS[signs[0]], SIGNS[signs[-1]])
    assert (verdict.value, verdict.lenient) == wanted, verdict


@pytest.mark.parametrize(("name", "case"), OWN)
def test_a_verifiers_own_case(name, case):
    verdict = verdict_on(name, case)
    wanted = (case.value, case.lenient or case.value)
    assert (verdict.value, verdict.lenient) == wanted, verdict


def test_there_are_enough_rows():
    assert len(TABLES) + len(OWN) >= 300
