"""Recipes: checked, written as YAML, read back, merged."""

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from phi_kit.core.errors import RunError
from phi_kit.training import training_config as recipes
from phi_kit.training.training_config import TrainingConfig


def test_there_and_back(tmp_path):
    path = tmp_path / recipes.RECIPE_FILE
    own = TrainingConfig(
        rank=8, learning_rate=5e-4, weights={"sum-2": 1.5}, save_steps=3
    )
    recipes.write_config(own, path, why=["the best of 4 on dev"])
    assert path.read_text().startswith("# the best of 4 on dev\n")
    found = recipes.read_config(path)
    assert found.outcome() == own.outcome()
    assert found.save_steps == TrainingConfig().save_steps  # how, not what


def test_it_is_a_section_of_a_study_file(tmp_path, monkeypatch):
    from phi_kit.study import config

    recipes.write_config(
        TrainingConfig(rank=4, weights={"gcd": 2}), tmp_path / recipes.RECIPE_FILE
    )
    section = YAML(typ="safe").load((tmp_path / recipes.RECIPE_FILE).read_text())
    study = tmp_path / "mine.yaml"
    with study.open("w") as file:
        YAML().dump({"domains": ["math"], "expand_domains": section}, file)
    (unit,) = [u for u in config.load(study).units() if u.step == "expand_domains"]
    assert (unit.params.rank, unit.params.weights) == (4, {"gcd": 2})


@pytest.mark.parametrize("text", ["rank: -1", "rang: 4", "[1]", "rank: ["])
def test_a_file_that_holds_no_recipe(tmp_path, text):
    path = tmp_path / recipes.RECIPE_FILE
    path.write_text(text)
    with pytest.raises(RunError, match="no recipe can be read"):
        recipes.read_config(path)
    with pytest.raises(RunError, match="04_probe_sft"):
        recipes.read_config(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"patience": 2}, "patience needs eval_steps"),
        ({"weights": {"sum": -1.0}}, "cannot be negative"),
        ({"gradient_checkpointing": "maybe"}, "auto"),
        ({"report_to": "wandb"}, "list"),
    ],
)
def test_what_a_recipe_may_not_be(given, said):
    with pytest.raises(ValidationError, match=said):
        TrainingConfig(**given)


def test_merged_recipes():
    one, other = (
        TrainingConfig(rank=8, learning_rate=1e-4),
        TrainingConfig(rank=16, learning_rate=1e-2),
    )
    both = recipes.merge_configs([one, other])
    assert (both.rank, both.learning_rate) == (16, pytest.approx(1e-3))
    assert recipes.merge_configs([one, one]) == one
