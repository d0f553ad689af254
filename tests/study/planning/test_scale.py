"""Work on many cards: what shrinks with them, and what does not."""

import pytest

from phi_kit.study.planning.scale import SamplingWork, TrainingWork

SAMPLING = SamplingWork(
    samples=1e6, tokens=100, rate=1000, driver_seconds=1e-3, unit=512
)
TRAINING = TrainingWork(
    tokens=1e9, step_tokens=1e5, rate=1e4, trained_weights=1e8, link=1e10
)


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
