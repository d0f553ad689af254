"""What a short probe makes of what it saw."""

from pathlib import Path

import pytest

from phi_kit.responses.text_faults import loop
from phi_kit.study import config
from phi_kit.study.planning import speed_probe
from phi_kit.study.planning.speed_probe import (
    MAX_TOKENS,
    ProbedAnswers,
    ProbedDomain,
)

STUDY = Path(__file__).with_name("planned.yaml")


def test_long_answers_cost_what_they_may_take():
    cut = ProbedAnswers(samples=4, tokens=MAX_TOKENS + 30, truncated=1)
    assert cut.each(2048) == pytest.approx(30 / 4 + 2048 / 4)
    short = ProbedAnswers(samples=4, tokens=8 + 15, truncated=1, limit=8)
    assert short.each(8) == pytest.approx(23 / 4)
    assert short.each(512) == pytest.approx(15 / 4 + 512 / 4)
    assert ProbedAnswers(samples=4, tokens=40).each(2048) == 10
    assert ProbedAnswers(samples=4, tokens=40).each(8) == 8
    assert ProbedAnswers().each(16) == 16


def test_none_of_a_few_does_not_mean_none():
    likely, most = ProbedDomain(asked=9, teachable=0, band=9).outlook()
    assert likely.teachable == pytest.approx(0.05)
    assert 0.05 < most.teachable < 0.35
    assert most.band == 1.0
    judged, _ = ProbedDomain().outlook()  # a judge, who was not asked
    assert judged[:3] == (1.0, 1.0, 1.0)
    assert judged.trained == 0
    learnt = ProbedAnswers(samples=4, tokens=60)  # what the loss saw of four rows
    assert ProbedDomain(tuned=learnt).outlook()[0].trained == 15


@pytest.fixture
def probed(tiny, monkeypatch, tmp_path):
    """A probe of the planned study, with a model that has learnt nothing."""
    monkeypatch.setattr(speed_probe.completion, "load", lambda name, **_: tiny)
    monkeypatch.setattr(speed_probe, "ROUNDS", (2, 4))
    monkeypatch.setattr(speed_probe, "STEPS", 2)
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path))

    def measure(*sets):
        units = config.load(STUDY, ["filter_edge.max_tokens=8", *sets]).units()
        return speed_probe.measure(units, seconds=0).domains["math"]

    yield measure
    assert not list(tmp_path.iterdir())  # nothing is left behind


@pytest.mark.slow
def test_rows_are_as_long_as_the_responses_there_are(probed):
    sums = "math.pick_domain.families=[sum-1]"
    found = probed(sums, "filter_edge.response_tokens=200")
    assert found.guessed == found.untaught == 0
    assert max(found.rows) < 120
    assert found.asked == found.teachable == 4  # not solved, and there is a response
    assert found.plain.samples == found.shown.samples == 16
    assert 5 < found.tuned.each(64) < 30 < found.row  # a sum, and its question


@pytest.mark.slow
def test_without_a_response_rows_count_with_all_they_may_have(probed):
    teacher = ["teacher=http://127.0.0.1:9/v1#m", "responses=[teacher]"]
    found = probed(*teacher, "filter_edge.response_tokens=60")
    assert found.guessed == len(found.rows) > 16
    assert found.untaught == found.teachable == found.asked == 4
    assert all(80 < row < 160 for row in found.rows)
    nobody = probed("responses=[source]", "filter_edge.response_tokens=60")
    assert nobody.teachable == 0
    # Longer rows are not trained on.
    short = "probe_sft.max_row_tokens=160"
    bounded = probed(*teacher, "filter_edge.response_tokens=2000", short)
    assert 150 < max(bounded.rows) <= 160


def test_no_gate_takes_the_filler_for_a_loop(tiny):
    text = speed_probe._filler(tiny, 300, "one")
    assert len(tiny.tokenizer(text).input_ids) == pytest.approx(300, abs=3)
    assert not loop(text, tiny.tokenizer)
