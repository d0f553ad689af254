"""McNemar's test, equivalence within a margin, and the items that flipped."""

from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import ttost_paired

from phi_kit.stats.comparison import Gain
from phi_kit.stats.paired_tests import (
    EQUAL,
    equivalence,
    flipped_items,
    mcnemar_mid_p,
    verdict_within,
)


def test_mid_p_as_published():
    # Fagerland, Lydersen and Laake (2013): airway hyper-responsiveness, 1 against 7.
    assert mcnemar_mid_p(1, 7) == pytest.approx(0.0390625, abs=1e-9)
    assert mcnemar([[0, 1], [7, 0]], exact=True).pvalue == pytest.approx(0.0703125)


@pytest.mark.parametrize(("lost", "gained"), [(0, 3), (2, 9), (9, 2), (40, 61), (5, 6)])
def test_mid_p_is_the_exact_p_with_half_the_weight_on_what_was_seen(lost, gained):
    both = lost + gained
    exact = binomtest(lost, both).pvalue  # both tails of a symmetric law
    seen = comb(both, lost) / 2**both
    assert mcnemar_mid_p(lost, gained) == pytest.approx(exact - seen, abs=1e-9)
    assert mcnemar_mid_p(lost, gained) == mcnemar_mid_p(gained, lost)


def test_mid_p_of_nothing_that_flipped():
    assert mcnemar_mid_p(0, 0) == 1.0
    assert mcnemar_mid_p(4, 4) == pytest.approx(1 - 70 / 256 / 2)
    with pytest.raises(ValueError, match="negative"):
        mcnemar_mid_p(-1, 2)


@pytest.mark.parametrize("shift", [-0.1, 0.0, 0.03])
def test_equivalence_is_that_of_statsmodels(shift):
    draw = np.random.default_rng(4)
    before = draw.random(60)
    after = before + draw.normal(shift, 0.2, 60)
    theirs = ttost_paired(after, before, -0.08, 0.08)[0]
    found = equivalence(before, after, margin=0.08)
    assert found.p == pytest.approx(theirs, abs=1e-9)
    # The interval within the margin is the same claim.
    assert found.holds == (found.low > -0.08 and found.high < 0.08)
    assert found.holds == (theirs < 0.05)


def test_equal_items_are_no_certainty():
    """Twenty items that do not differ leave room for one in six that would."""
    few, many = [1.0, 0.0] * 10, [1.0, 0.0] * 100
    assert not equivalence(few, few, margin=0.05).holds
    assert equivalence(many, many, margin=0.05).holds
    assert not equivalence([1.0], [1.0], margin=0.5).holds


def test_equivalence_refuses_what_it_cannot_test():
    with pytest.raises(ValueError, match="not paired"):
        equivalence([1.0, 0.0], [1.0], margin=0.05)
    with pytest.raises(ValueError, match="positive"):
        equivalence([1.0, 0.0], [1.0, 1.0], margin=0)


def test_verdicts_have_four_words():
    within = equivalence([1.0, 0.0] * 100, [1.0, 0.0] * 100, margin=0.05)
    open_ = equivalence([1.0, 0.0] * 10, [1.0, 0.0] * 10, margin=0.05)
    unsure = Gain(0.0, -0.02, 0.02, 200)
    assert verdict_within(unsure, within) == EQUAL
    assert verdict_within(unsure, open_) == "cannot tell"
    assert verdict_within(Gain(0.02, 0.01, 0.03, 200), within) == "better"
    assert verdict_within(Gain(-0.02, -0.03, -0.01, 200), within) == "worse"


def test_who_flipped_losses_first():
    rows = flipped_items(list("abcd"), [1, 0, 1, 0.5], [0.5, 1, 0, 0.5])
    assert [(row["seed_id"], row["way"]) for row in rows] == [
        ("c", "lost"),
        ("a", "lost"),
        ("b", "gained"),
    ]
    assert rows[1]["change"] == -0.5
