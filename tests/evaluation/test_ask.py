"""Before and after training are answers of one model."""

from types import SimpleNamespace

import pandas as pd
import pytest

from phi_kit import domains
from phi_kit.data.records import Seed
from phi_kit.evaluation.ask import base_answers

DEV = [Seed("math", f"What is {n} + 1?", str(n + 1), family="sum-1") for n in range(3)]
RECORDED = pd.DataFrame({"seed_id": [seed.id for seed in DEV], "verdict": "right"})


def card(model):
    asked = {"max_tokens": 4, "temperature": 0.6, "samples": 2, "rng_seed": 7}
    return SimpleNamespace(
        manifest={"params": {"model": model, **asked}}, table=lambda name: RECORDED
    )


def test_what_step_1_heard_of_this_model_is_not_asked_again(tiny, monkeypatch):
    monkeypatch.setattr(tiny.model, "forward", None)
    found = base_answers(card(tiny.name), tiny, domains.get("math"), DEV)
    assert found is RECORDED


@pytest.mark.parametrize("other", ["http://localhost:1/v1#m", "another-model"])
def test_another_models_answers_are_no_base(tiny, other):
    found = base_answers(card(other), tiny, domains.get("math"), DEV)
    assert found.seed_id.tolist() == [seed.id for seed in DEV for _ in range(2)]
    assert (found.tokens <= 4).all()
