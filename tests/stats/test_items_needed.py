"""What it takes to see a gain."""

import math

import numpy as np
import pytest

from phi_kit.stats.comparison import paired_gain
from phi_kit.stats.items_needed import detectable_gain, items_to_see


def test_four_times_the_items_show_half_the_gain():
    least = detectable_gain(-0.1, 0.1)
    assert least == pytest.approx(0.1 * (1.96 + 0.8416) / 1.96, abs=1e-4)
    assert items_to_see(least, low=-0.1, high=0.1, n=100) == 100
    assert items_to_see(-least / 2, low=-0.1, high=0.1, n=100) == 400
    assert items_to_see(0, low=-0.1, high=0.1, n=100) == math.inf


def test_that_many_items_do_show_it_four_times_in_five():
    draw = np.random.default_rng(7)

    def differences(n):
        return draw.choice([-1, 0, 1], size=n, p=[0.1, 0.75, 0.15])  # 5 points

    first = paired_gain([0] * 200, differences(200), rng_seed=1)
    n = items_to_see(0.05, low=first.low, high=first.high, n=200)
    assert 600 < n < 1000
    found = [differences(n) for _ in range(2000)]
    seen = [x.mean() > 1.96 * x.std() / math.sqrt(n) for x in found]
    assert 0.7 < np.mean(seen) < 0.9
