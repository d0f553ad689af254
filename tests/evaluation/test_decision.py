"""Explore on or scale: the rule on studies whose truth is known."""

from collections import Counter

import numpy as np
import pytest

from phi_kit.evaluation.decision import (
    CANNOT_TELL,
    EXPLORE,
    SCALE,
    DomainEvidence,
    Rule,
    decide,
)
from phi_kit.stats.comparison import Gain, paired_gain

RULE = Rule()


def answers(rates, draw):
    return (draw.random(len(rates)) < np.clip(rates, 0, 1)).astype(float)


def domain(name, draw, *, arm=0.1, final=0.3, dose=0.06, run_sd=0.02, items=300):
    """What a domain's steps would measure, if those were its true gains.

    Args:
        name: of the domain.
        draw: what chance draws from.
        arm: of teachable over random rows.
        final: of the final adapter over base.
        dose: of the last doubling of the rows.
        run_sd: of training runs.
        items: of dev, and of test.
    """
    hard = draw.beta(1, 2.5, items)
    base = [answers(hard, draw)]

    def trained(gain, runs=3):
        return [answers(hard + draw.normal(gain, run_sd), draw) for _ in range(runs)]

    half, whole = answers(hard + 0.1, draw), answers(hard + 0.1 + dose, draw)
    return DomainEvidence(
        name,
        base,
        trained(final),
        random=trained(0.1),
        teachable=trained(0.1 + arm),
        last_dose=paired_gain(half, whole, rng_seed=1),
        run_tokens=10_000,
    )


TRUTHS = {
    "a real gain": (({}, {}), SCALE),
    "none": (({"arm": 0}, {"arm": 0}), EXPLORE),
    "tapered": (({"dose": 0}, {"dose": 0}), EXPLORE),
    "a loss under a rising mean": (({"final": 0.5}, {"final": -0.15}), EXPLORE),
}


def verdicts(truth, *, studies, run_sd=0.02, seed=0):
    (one, other), _ = TRUTHS[truth]
    draw = np.random.default_rng([seed, len(truth), int(1000 * run_sd)])
    found = Counter()
    for number in range(studies):
        evidence = [
            domain("math", draw, run_sd=run_sd, **one),
            domain("puzzles", draw, run_sd=run_sd, **other),
        ]
        found[decide(evidence, RULE, rng_seed=number).verdict] += 1
    return found


@pytest.mark.slow
@pytest.mark.parametrize("truth", TRUTHS)
def test_a_known_truth_is_found_or_left_open(truth):
    found, right = verdicts(truth, studies=8), TRUTHS[truth][1]
    assert found[right] + found[CANNOT_TELL] >= 7
    if truth == "a loss under a rising mean":
        assert not found[SCALE]


@pytest.mark.sweep
@pytest.mark.parametrize("truth", TRUTHS)
def test_known_truths_in_many_studies(truth):
    found, right = verdicts(truth, studies=200, seed=1), TRUTHS[truth][1]
    assert found[right] + found[CANNOT_TELL] >= 190
    if truth == "a loss under a rising mean":
        assert not found[SCALE]


@pytest.mark.sweep
@pytest.mark.parametrize("run_sd", [0.0, 0.02, 0.04])
def test_arms_that_do_not_differ_are_seldom_scaled(run_sd):
    found = verdicts("none", studies=200, run_sd=run_sd, seed=2)
    assert found[SCALE] <= 10


def certain(name="math", **changes):
    """A domain in which everything is plainly met."""
    up = Gain(0.1, 0.05, 0.15, 200)
    known = {
        "base": [[0.0] * 200],
        "final": [[1.0] * 150 + [0.0] * 50] * 2,
        "random": [[0.0] * 160 + [1.0] * 40] * 3,
        "teachable": [[0.0] * 60 + [1.0] * 140] * 3,
        "last_dose": up,
        "run_tokens": 10_000,
    }
    return DomainEvidence(name, **(known | changes))


def criterion(evidence, name, **more):
    found = decide(evidence, RULE, rng_seed=1, **more)
    return next(one for one in found.criteria if one.name.startswith(name))


def test_all_met_is_scale():
    found = decide([certain()], RULE, rng_seed=1)
    assert found.verdict == SCALE
    assert [one.status for one in found.criteria] == ["met"] * 3
    assert found.lines()[0] == "decision: scale"
    assert found.as_dict()["verdict"] == "scale"


def test_one_training_seed_leaves_the_recipe_open_and_says_what_it_takes():
    one = certain(random=[[0.0] * 160 + [1.0] * 40], teachable=[[1.0] * 200])
    open_ = criterion([one], "teachable beats")
    assert open_.status == "open"
    assert "one training run says nothing about the next" in open_.why
    assert open_.next.startswith("3 training seeds an arm and ")
    assert "6 training runs, 60,000 trained tokens" in open_.next
    assert decide([one], RULE, rng_seed=1).verdict == CANNOT_TELL


def test_arms_that_were_not_trained_are_named():
    open_ = criterion([certain(random=[])], "teachable beats")
    assert open_.status == "open"
    assert "probe_sft.arms: [random, teachable]" in open_.next


def test_a_domain_where_the_filter_costs_fails_a_mean_that_rises():
    bad = certain("puzzles", teachable=[[0.0] * 200] * 3)
    failed = criterion([certain(), bad], "teachable beats")
    assert failed.status == "failed"
    assert "worse in puzzles" in failed.why


def test_a_gain_below_the_margin_is_no_reason_to_scale():
    alike = [[1.0] * 500 + [0.0] * 500] * 3
    small = [[1.0] * 501 + [0.0] * 499] * 3
    failed = criterion([certain(random=alike, teachable=small)], "teachable beats")
    assert failed.status == "failed"
    assert "less than the margin" in failed.why


def test_no_loss_that_was_found_is_not_enough():
    few = certain(base=[[1.0, 0.0] * 20], final=[[1.0, 0.0, 0.0, 1.0] * 10])
    open_ = criterion([few], "no regression")
    assert open_.status == "open"
    assert "test items of math" in open_.next
    assert "samples" in open_.next


def test_the_regression_suite_can_only_fail():
    unsure, lost = Gain(0, -0.2, 0.2, 30), Gain(-0.3, -0.5, -0.1, 30)
    assert criterion([certain()], "no", others={"suite": unsure}).status == "met"
    failed = criterion([certain()], "no", others={"gsm8k": unsure, "suite": lost})
    assert failed.status == "failed"
    assert failed.why.startswith("suite \N{MINUS SIGN}30.0 points")


@pytest.mark.parametrize(
    ("last", "status", "said"),
    [
        (None, "open", "probe_sft.dose: [0.25, 0.5, 1], 7,500 trained tokens"),
        (Gain(0.01, -0.02, 0.04, 300), "failed", ""),
        (Gain(0.02, -0.05, 0.09, 100), "open", "pick_domain.dev_items: "),
        (Gain(0.03, 0.01, 0.05, 300), "met", ""),
    ],
)
def test_the_dose(last, status, said):
    found = criterion([certain(last_dose=last)], "the dose")
    assert found.status == status
    assert found.next.startswith(said)


def test_a_rule_decides_by_a_domain_that_is_there():
    with pytest.raises(ValueError, match="decides by 'coding'"):
        decide([certain()], Rule(primary="coding"), rng_seed=1)
    with pytest.raises(ValueError, match="measured are"):
        decide([], RULE, rng_seed=1)
    odd = certain("puzzles", teachable=[[0.0] * 200] * 3)
    by_math = decide([certain(), odd], Rule(primary="math"), rng_seed=1)
    assert by_math.criteria[0].status == "met"
