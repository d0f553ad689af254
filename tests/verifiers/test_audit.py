"""The audit finds nothing against the kit's own verifiers, and can find faults."""

from __future__ import annotations

import pytest

from phi_kit import verifiers
from phi_kit.verifiers import exact
from phi_kit.verifiers.base import Verdict

from . import independent_readers
from .audit import INDEPENDENT, OWN_CASES, QUESTIONS, audit_verifier
from .cases import CASES, WITHOUT_GOLD
from .metamorphic import DRESSED, NEAR_MISS

# Those that start workers or a sandbox for hundreds of cases.
LONG = ("math", "numeric", "puzzle", "code")
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in LONG else [])
    for name in verifiers.names()
    if name not in WITHOUT_GOLD
]


@pytest.mark.parametrize("name", NAMES)
def test_every_verdict_is_as_expected(name):
    report = audit_verifier(name)
    assert report.disagreements == []
    # An audit that asks next to nothing finds nothing either.
    assert set(report.trials) == set(QUESTIONS)
    assert report.trials[OWN_CASES] >= len(CASES[name])
    assert min(report.trials[DRESSED], report.trials[NEAR_MISS]) >= 10
    assert report.trials[INDEPENDENT] >= 20


def test_every_verifier_has_a_table_with_both_verdicts():
    assert set(CASES) | WITHOUT_GOLD == set(verifiers.names())
    for name, table in CASES.items():
        assert {"right", "wrong"} <= {case.value for case in table}, name


def test_a_persons_decision_is_no_disagreement_and_is_counted():
    assert audit_verifier("exact").decided == 1


def questions_that_object(monkeypatch, verify):
    """The questions in which a broken `exact` is found out."""
    monkeypatch.setattr(exact, "verify", verify)
    return {row.question for row in audit_verifier("exact").disagreements}


def test_a_verifier_that_searches_the_gold_is_found_out(monkeypatch):
    def searches(seed, response):
        inside = seed.answer.lower() in response.lower()
        return Verdict("right" if inside else "wrong", "contains it")

    objecting = questions_that_object(monkeypatch, searches)
    assert objecting == {OWN_CASES, NEAR_MISS, INDEPENDENT}


def test_a_verifier_that_reads_only_bare_answers_is_found_out(monkeypatch):
    def compares(seed, response):
        same = seed.answer == response
        return Verdict("right" if same else "wrong", "the same text")

    assert DRESSED in questions_that_object(monkeypatch, compares)


def test_a_reader_that_always_objects_is_heard_on_every_right_answer(monkeypatch):
    monkeypatch.setitem(independent_readers.READERS, "choice", lambda case: "wrong")
    rows = audit_verifier("choice").disagreements
    assert len(rows) > 50
    assert {(row.question, row.got) for row in rows} == {(INDEPENDENT, "right")}
