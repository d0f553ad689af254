"""Step 6: what is trained, and what cannot be asked for."""

import pytest
from pydantic import ValidationError

from phi_kit.inference import completion
from phi_kit.steps.expand_domains import (
    Params,
    adapter_plan,
    final_adapters,
    open_student,
    training_plan,
)


def test_the_plan_trains_each_alone_then_all():
    plan = training_plan(Params(domains=["math", "puzzles"], rng_seed=3))
    assert [(job.name, job.domains, job.rng_seed) for job in plan] == [
        ("math", ["math"], 3),
        ("puzzles", ["puzzles"], 3),
        ("math+puzzles", ["math", "puzzles"], 3),
    ]


def test_further_seeds_train_the_merged_adapter_again():
    params = Params(domains=["math", "puzzles"], train_seeds=[1, 2, 3], sequence=True)
    plan = training_plan(params)
    assert [(job.name, job.rng_seed, job.in_turn) for job in plan] == [
        ("math", 1, False),
        ("puzzles", 1, False),
        ("math+puzzles", 1, False),
        ("math+puzzles@2", 2, False),
        ("math+puzzles@3", 3, False),
        ("math-then-puzzles", 1, True),
    ]
    assert final_adapters(params) == [
        "math+puzzles",
        "math+puzzles@2",
        "math+puzzles@3",
    ]


def test_with_one_domain_the_final_adapter_is_its_own():
    assert adapter_plan(["math"]) == {"math": ["math"]}
    params = Params(domains=["math"], sequence=True)
    assert [job.name for job in training_plan(params)] == ["math"]
    assert final_adapters(params) == ["math"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"primary": "coding"}, "primary: 'coding' is none of math, puzzles"),
        ({"train_seeds": [1, 1]}, "names one twice"),
        ({"replay": 0.1}, "replay needs sequence"),
        ({"margin": 0.0}, "greater than 0"),
        ({"domain_tokens": 9, "equal_tokens": True}, "exclude each other"),
        ({"predict_mix": {"trained": [0.2, 0.5, 0.8]}}, "needs equal_tokens"),
        (
            {"domains": ["math"], "predict_mix": {"trained": [0.2, 0.5, 0.8]}},
            "predict_mix is of two domains, not 1",
        ),
    ],
)
def test_what_cannot_be_asked_for(given, said):
    with pytest.raises(ValidationError, match=said):
        Params(**{"domains": ["math", "puzzles"]} | given)


def test_the_rule_is_the_studys():
    rule = Params(margin=0.1, primary="math").rule
    assert rule.as_dict() == {
        "margin": 0.1,
        "primary": "math",
        "level": 0.05,
        "stopping": rule.stopping,
    }


def test_workers_train_where_nobody_is_asked_in_between(monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(
        completion, "load", lambda name, **how: opened.append(how["workers"])
    )
    open_student(Params(workers=4))
    assert not capsys.readouterr().out
    open_student(Params(workers=4, eval_steps=5))
    assert "one process trains" in capsys.readouterr().out
    assert opened == [4, 1]
