"""Step 1 says how many items each family gave. No model: its samples are made up."""

from __future__ import annotations

import pandas as pd
import pytest

from phi_kit import domains
from phi_kit.data.sealed_splits import unseal
from phi_kit.data.splits import draw_held_out
from phi_kit.inference import completion
from phi_kit.steps import pick_domain
from phi_kit.study.report import step_facts


def right_answers(student, domain, seeds, **how) -> pd.DataFrame:
    made = {"sample": 0, "verdict": "right", "finish": "stop"}
    return pd.DataFrame(
        [{"seed_id": s.id, "family": s.family, "level": s.level} | made for s in seeds]
    )


@pytest.fixture
def step(runs, monkeypatch):
    monkeypatch.setattr(completion, "load", lambda model, **_: None)
    monkeypatch.setattr(completion, "model_fingerprint", lambda model: "none")
    monkeypatch.setattr(pick_domain, "ask", right_answers)

    def run(**more):
        params = pick_domain.Params(domain="math", **more)
        return params, pick_domain.run(params).run_folder

    return run


def test_a_small_family_is_named_and_the_number_asked_for_is_held_out(step):
    params, folder = step(families=["lcm-10", "sum-2"], dev_items=100, test_items=140)
    result = folder.result
    assert result["sealed"] == {"dev": 100, "test": 140}
    assert result["held_out"]["dev"] == {"lcm-10": 50, "sum-2": 50}
    few, many = (result["held_out"]["test"][name] for name in ("lcm-10", "sum-2"))
    assert few < 70 < many
    assert few + many == 140
    assert result["ran_out"] == (
        f"test: too few different items in lcm-10 {few} of 70; "
        f"more came from sum-2 {many - 70}."
    )
    assert len(unseal(folder, "dev", params=params)) == 100
    assert step_facts.of_step(1, result)["families that ran out"] == result["ran_out"]


def test_without_a_shortage_nothing_is_said(step):
    _, folder = step(dev_items=8, test_items=8)
    assert folder.result["ran_out"] == ""
    assert set(folder.result["held_out"]["test"].values()) == {2}
    assert "families that ran out" not in step_facts.of_step(1, folder.result)


def test_the_items_are_those_of_the_streams_in_order(step):
    params, folder = step(dev_items=12, test_items=4)
    families = domains.of(params).chosen()
    found = draw_held_out(
        "math", families, wanted={"dev": 12}, rng_seed=params.rng_seed
    )
    assert unseal(folder, "dev", params=params) == found["dev"]
