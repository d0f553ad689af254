"""The metrics as anyone loads them: by `evaluate.load`, without a network."""

import json
import os
import subprocess
import sys
from itertools import combinations

import pytest

from phi_kit.evaluation import metrics
from phi_kit.evaluation.metrics import scores

CALLS = {
    "exact_match": {
        "predictions": ["Paris.", "**Answer:** Rome", "Lyon"],
        "references": ["paris", "Rome", "Paris"],
    },
    "pass_rate": {"predictions": [[True, False], [True, True, True, False]]},
    "pass_at_k": {"predictions": [[True] + [False] * 9, [False] * 10], "k": [1, 5, 10]},
    "g_pass_at_k": {"predictions": [[True] * 3 + [False], [True] * 4], "k": 2},
    "maj_at_k": {
        "predictions": [["12", "13", "12"], ["7", "8", "8"], ["", "", "3"], ["", ""]],
        "references": [[True, False, True], [True, False, False], [False, False, True],
                       [False, False]],
    },
}  # fmt: skip
WANT = {
    "exact_match": {"exact_match": 2 / 3},
    "pass_rate": {"pass_rate": 0.625, "per_item": [0.5, 0.75]},
    # One right of ten: half of all choices of five hold it.
    "pass_at_k": {"pass@1": 0.05, "pass@5": 0.25, "pass@10": 0.5},
    # Of six pairs of the first item's samples three are right in both.
    "g_pass_at_k": {"g_pass@2_0.5": 1.0, "g_pass@2_1": 0.75, "mg_pass@2": 0.75},
    "maj_at_k": {"maj_at_k": 0.5, "per_item": [1, 0, 1, 0]},
}
SCRIPT = """
import json, socket, sys
def refuse(*_):
    raise AssertionError("a metric reached for the network")
socket.socket.connect = socket.getaddrinfo = refuse
import evaluate
from phi_kit.evaluation import metrics
calls = json.load(sys.stdin)
found = {
    name: evaluate.load(metrics.path(name)).compute(**given)
    for name, given in calls.items()
}
print(json.dumps(found))
"""


@pytest.mark.slow
def test_every_metric_loads_offline_and_gives_the_known_values(tmp_path):
    offline = {"HF_EVALUATE_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(CALLS),
        env={**os.environ, **offline, "HF_HOME": str(tmp_path)},
        cwd=tmp_path,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.keys() == set(metrics.NAMES)
    for name, want in WANT.items():
        assert found[name].keys() == want.keys()
        for key, value in want.items():
            assert found[name][key] == pytest.approx(value), name


@pytest.mark.parametrize(("n", "right"), [(1, 0), (5, 0), (5, 2), (6, 5), (7, 7)])
def test_pass_at_k_is_the_mean_over_all_choices_of_k_samples(n, right):
    samples = [True] * right + [False] * (n - right)
    for k in range(1, n + 1):
        choices = [any(chosen) for chosen in combinations(samples, k)]
        want = sum(choices) / len(choices)
        assert scores.pass_at_k(n, right, k) == pytest.approx(want)


def test_pass_at_k_holds_where_binomials_overflow_a_float():
    assert scores.pass_at_k(2000, 1, 1000) == pytest.approx(0.5)


@pytest.mark.parametrize(("n", "right", "k"), [(3, 1, 4), (3, 4, 1), (3, 1, 0)])
def test_pass_at_k_refuses_what_it_cannot_estimate(n, right, k):
    with pytest.raises(ValueError, match=f"pass@{k} needs"):
        scores.pass_at_k(n, right, k)


@pytest.mark.parametrize(("n", "right"), [(1, 1), (5, 0), (5, 3), (6, 5), (7, 7)])
def test_g_pass_at_k_is_the_mean_over_all_choices_of_k_samples(n, right):
    samples = [True] * right + [False] * (n - right)
    for k in range(1, n + 1):
        for share in (0.25, 0.5, 0.6, 1.0):
            choices = [sum(c) >= share * k - 1e-9 for c in combinations(samples, k)]
            want = sum(choices) / len(choices)
            assert scores.g_pass_at_k(n, right, k, share) == pytest.approx(want)
        any_right = scores.g_pass_at_k(n, right, k, 1 / k)
        assert any_right == pytest.approx(scores.pass_at_k(n, right, k))


def test_g_pass_refuses_what_it_cannot_estimate():
    with pytest.raises(ValueError, match="G-pass@4 needs"):
        scores.g_pass_at_k(3, 1, 4, 0.5)
    with pytest.raises(ValueError, match="a share lies above 0"):
        scores.g_pass_at_k(3, 1, 2, 0)


@pytest.mark.parametrize(
    ("answers", "winner"),
    [
        (["1", "2", "2"], "2"),
        (["2", "1"], "2"),  # the first seen wins a tie
        (["", "", "3"], "3"),  # no answer is no vote
        (["", ""], ""),
        ([], ""),
    ],
)
def test_majority(answers, winner):
    assert scores.majority(answers) == winner


def test_an_unknown_metric_names_the_known_ones():
    with pytest.raises(ValueError, match="pass_at_k"):
        metrics.path("bleu")
