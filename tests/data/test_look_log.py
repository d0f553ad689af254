"""How often test was opened: looks with other settings, not attempts."""

import json
from typing import ClassVar

import pytest

from phi_kit.core import step_table
from phi_kit.core.params import StepParams
from phi_kit.core.paths import OPENINGS_LOG, runs_root
from phi_kit.core.step_table import Step
from phi_kit.data import look_log
from phi_kit.data.look_log import book_opening


class Look(StepParams):
    STEP: ClassVar[Step] = step_table.BENCHMARK
    samples: int = 1


@pytest.fixture(autouse=True)
def _fingerprints(runs, monkeypatch):
    monkeypatch.setattr(
        look_log, "fingerprint", lambda params: f"look of {params.samples}"
    )


def test_an_attempt_that_carries_on_is_no_second_look():
    for _ in range(3):
        seen = book_opening(Look(study="s"), {"margin": 0.05})
    assert [entry["look"] for entry in seen] == ["look of 1"]


def test_other_settings_are_another_look():
    book_opening(Look(study="s"), {"margin": 0.05})
    book_opening(Look(study="s", samples=3), {"margin": 0.05})
    seen = book_opening(Look(study="s"), {"margin": 0.05})
    assert [entry["look"] for entry in seen] == ["look of 1", "look of 3"]
    assert seen[0]["when"] <= seen[1]["when"]
    assert book_opening(Look(study="other"), {})[0]["rule"] == {}


def test_a_line_that_a_full_disk_cut_off_is_passed_over():
    book_opening(Look(study="s"), {})
    path = runs_root() / "s" / OPENINGS_LOG
    with path.open("a") as file:
        file.write('{"when": "2026')
    assert len(book_opening(Look(study="s"), {})) == 1
    assert len(book_opening(Look(study="s", samples=2), {})) == 2
    assert len(path.read_text().splitlines()) == 2
    assert json.loads(path.read_text().splitlines()[0])["look"] == "look of 1"
