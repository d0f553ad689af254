"""The court finds nothing against the kit's own verifiers, and can find things."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.core.errors import PhiKitError
from phi_kit.verify import court, exact


@pytest.mark.parametrize("name", court.heard())
def test_no_verifier_errs_on_its_own_table(name):
    report = court.hear(name)
    for question in (court.CASES, court.FLIPS, court.NEAR):
        tally = report.tallies.get(question)
        assert tally is None or tally.errors == 0, report.queue
    row = report.tallies[court.CASES].as_dict()
    assert row["low"] == pytest.approx(0, abs=1e-12)
    assert 0 < row["high"] < 0.5


def test_at_least_these_are_heard():
    assert {"numeric", "math", "choice", "exact", "puzzle"} <= set(court.heard())


def test_disagreements_are_queued(monkeypatch):
    def guesser(seed, response):
        right = seed.answer.lower() in response.lower()
        return exact.Verdict("right" if right else "wrong", "contains it")

    monkeypatch.setattr(exact, "verify", guesser)
    report = court.hear("exact")
    assert report.tallies[court.NEAR].errors > 5
    assert {row.question for row in report.queue} >= {court.CASES, court.NEAR}


def test_the_command_prints_rates_and_writes_the_table(tmp_path):
    table = tmp_path / "table.jsonl"
    done = CliRunner().invoke(app, ["court", "choice", "--table", str(table)])
    assert done.exit_code == 0
    assert "own cases" in done.stdout
    assert "[0.0%," in done.stdout
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    assert all(row["question"] == court.SECOND for row in rows)
    assert rows


def test_an_unknown_verifier_is_a_message():
    with pytest.raises(PhiKitError, match="did you mean 'choice'"):
        court.hear("choise")
