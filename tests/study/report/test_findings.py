"""Findings in sentences: equal within the margin, and what was decided."""

from phi_kit.stats.paired_tests import EQUAL
from phi_kit.study.report import findings


def test_equal_within_the_margin_is_said_as_such():
    row = {"domain": "math", "verdict": EQUAL, "delta": 0.0, "low": -0.02, "n": 900}
    (found,) = findings.after_merging([row | {"high": 0.02}])
    assert "keeps what training on math alone gave" in found.text
    assert found.verdict == EQUAL


def test_made_rows_are_held_against_organic_ones_alone():
    row = {"domain": "math", "delta": 0.02, "low": -0.05, "high": 0.09, "n": 100}
    (found,) = findings.on_made_rows([row])
    assert "cannot tell whether the made rows teach more or less" in found.text
    assert "organic rows alone at equal trained tokens: +2.0 points" in found.text
    assert found.about == "math: mix over organic alone"


def test_a_decision_names_what_is_open_and_what_would_settle_it():
    criteria = [
        {"name": "no regression", "status": "met", "why": "at worst math", "next": ""},
        {"name": "the filter", "status": "open", "why": "one run", "next": "3 seeds"},
    ]
    decided = {"verdict": "cannot tell", "criteria": criteria}
    (found,) = findings.on_decision({"decision": decided})
    assert found.text.startswith("Decision: cannot tell. met: no regression")
    assert found.text.endswith("open: the filter (one run). Next: 3 seeds.")
    assert found.verdict == "cannot tell"
    (scaled,) = findings.on_decision({"decision": decided | {"verdict": "scale"}})
    assert scaled.verdict == "better"


def test_an_older_kit_decided_nothing():
    assert findings.on_decision({}) == []
    assert findings.on_decision({"decision": "x"}) == []
