"""Every row that could fool a checker gets its verdict, strict and lenient."""

from __future__ import annotations

import json

import pytest

from phi_kit import verifiers
from phi_kit.data.records import Seed

from . import adversarial
from .cases import CASES, verdict_on

SIGNS = {"+": "right", "-": "wrong", "?": "unknown"}
CITIES = {"choices": {"A": "Paris", "B": "Rome", "C": "Berlin", "D": "a car"}}
# Table: its verifier, its rows, and what their seeds hold besides.
TABLES = {
    "math": ("math", adversarial.MATH, {}),
    "formulas": ("math", adversarial.SYMBOLIC, {}),
    "exact": ("exact", adversarial.EXACT, {}),
    "choice": ("choice", adversarial.CHOICE, CITIES),
    "words": ("choice", [row for row in adversarial.WORDS if row[0] != "maybe"], {}),
}
# Such a row takes seconds: a worker is killed. test_worker_pool.py has one that is
# tested every day.
ENDLESS = "10^{10^{10"


def differing(table, *, endless):
    """The rows of a table whose verdict is another one."""
    name, rows, extra = TABLES[table]
    for gold, response, signs in rows:
        if (ENDLESS in gold + response) is not endless:
            continue
        seed = Seed("test", "", gold, extra=json.dumps(extra))
        verdict = verifiers.get(name)(seed, response)
        wanted = (SIGNS[signs[0]], SIGNS[signs[-1]])
        if (verdict.value, verdict.lenient) != wanted:
            yield gold, response, wanted, verdict


@pytest.mark.parametrize("table", TABLES)
def test_every_row_gets_its_verdict(table):
    assert not list(differing(table, endless=False))


@pytest.mark.slow
@pytest.mark.parametrize("table", ["math", "formulas"])
def test_so_does_every_endless_row(table):
    assert not list(differing(table, endless=True))


@pytest.mark.parametrize("name", CASES)
def test_every_case_of_a_verifiers_table_gets_its_verdict(name):
    failed = []
    for case in CASES[name]:
        verdict = verdict_on(name, case)
        wanted = (case.value, case.lenient or case.value)
        if (verdict.value, verdict.lenient) != wanted:
            failed.append((case, verdict))
    assert not failed


def test_there_are_enough_rows():
    rows = sum(len(rows) for _, rows, _ in TABLES.values())
    assert rows + sum(map(len, CASES.values())) >= 300
