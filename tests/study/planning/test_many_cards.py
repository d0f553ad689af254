"""Work on many cards: what shrinks with them, and what does not."""

import json
from pathlib import Path

import pytest

from phi_kit.study.planning.many_cards import SamplingWork, TrainingWork

SAMPLING = SamplingWork(
    samples=1e6, tokens=100, rate=1000, driver_seconds=1e-3, unit=512
)
TRAINING = TrainingWork(
    tokens=1e9, step_tokens=1e5, rate=1e4, trained_weights=1e8, link=1e10
)

ROOT = Path(__file__).resolve().parents[3]


def test_cards_share_the_samples_but_for_the_last_unit():
    assert SAMPLING.seconds(1) == 1e5
    assert SAMPLING.seconds(8) == pytest.approx(1e5 / 8 + 51.2)


def test_the_driver_is_the_limit_in_the_end():
    assert SAMPLING.most_cards == pytest.approx(100)
    assert SAMPLING.seconds(1000) == pytest.approx(1e6 * 1e-3)
    assert SAMPLING.seconds(80) > SAMPLING.seconds(1000)


def test_every_step_exchanges_the_adapter_once():
    assert TRAINING.seconds(1) == 1e5
    exchange = 2 * 3 / 4 * 4e8 / 1e10
    assert TRAINING.seconds(4) == pytest.approx(2.5e4 + 1e4 * exchange)


def test_the_page_says_what_the_formulas_give():
    page = (ROOT / "docs" / "scale.md").read_text()
    measured = {
        entry["name"]: entry["figure"]
        for entry in json.loads((ROOT / "benchmarks.json").read_text())
    }

    def training(name, weights):
        return TrainingWork(16e9, 262_144, measured[name], weights, 12.5e9)

    rows = {
        "Phi-4's sizes": training("gpu_qlora_phi4_8192", 111e6),
        "Phi-4-mini's sizes": training("gpu_qlora_phi4_mini_8192", 0),
        "embedded model": SamplingWork(5e6, 13, 236, 125e-6, 512),
        "12 samples of 5,929": SamplingWork(12e6, 5929, 1000, 306e-6, 4096),
        "1.4 million responses": SamplingWork(1.4e6, 5929, 1000, 306e-6, 4096),
    }
    table = [line for line in page.splitlines() if line.startswith("| ")]
    for name, work in rows.items():
        line = next(line for line in table if name in line)
        for cards, cell in zip((1, 8, 64), line.split("|")[3:6], strict=True):
            figure, unit = cell.split()
            seconds = float(figure) * {"days": 86_400, "hours": 3600}[unit]
            assert work.seconds(cards) == pytest.approx(seconds, rel=0.05), line
