"""The court finds nothing against the kit's own verifiers, and can find things."""

from __future__ import annotations

import pytest

from phi_kit import verifiers
from phi_kit.core.errors import PhiKitError
from phi_kit.verifiers import court, exact
from phi_kit.verifiers.metamorphic import FLIPS, NEAR

# Those that start workers or a sandbox for hundreds of cases.
LONG = ("math", "numeric", "puzzle", "code")
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in LONG else [])
    for name in verifiers.names()
]


@pytest.mark.parametrize("name", NAMES)
def test_no_case_waits_for_a_human(name):
    report = court.hear(name)
    assert report.queue == []
    assert set(report.tallies) == {court.CASES, FLIPS, NEAR, court.SECOND}
    for question, tally in report.tallies.items():
        row = tally.as_dict()
        assert row["errors"] == 0
        assert row["low"] == pytest.approx(0, abs=1e-12)
        assert 0 < row["high"] < 0.35, question


def test_every_verifier_carries_a_table():
    assert set(court.heard()) == set(verifiers.names())
    for name in court.heard():
        values = {case.value for case in court.cases(name)}
        assert {"right", "wrong"} <= values


def test_a_ruling_is_no_error_and_is_counted():
    report = court.hear("exact")
    assert report.ruled == 1
    assert "a human ruled against the second reader" in "\n".join(court.lines(report))


def test_disagreements_are_queued(monkeypatch):
    def guesser(seed, response):
        right = seed.answer.lower() in response.lower()
        return exact.Verdict("right" if right else "wrong", "contains it")

    monkeypatch.setattr(exact, "verify", guesser)
    report = court.hear("exact")
    assert report.tallies[NEAR].errors > 5
    questions = {court.CASES, NEAR, court.SECOND}
    assert {row.question for row in report.queue} >= questions


def test_an_unknown_verifier_is_a_message():
    with pytest.raises(PhiKitError, match="did you mean 'choice'"):
        court.hear("choise")
