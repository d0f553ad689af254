"""Which setup fits into memory, and what is given up for it."""

from pathlib import Path

import pytest

from phi_kit import domains
from phi_kit.models.architecture import model_sizes
from phi_kit.study import config
from phi_kit.study.planning.memory_estimate import MicroBatch, estimate, total
from phi_kit.study.planning.memory_fit import (
    TrainingSetup,
    fallbacks,
    fit,
    smaller_models,
    wanted_setup,
)
from phi_kit.study.planning.plan_table import fit_lines

PARAMS = Path(__file__).resolve().parents[3] / "params"
GB = 1e9


def units(*sets, study="quickstart"):
    return config.load(study, sets).units()


def needed(model, setup):
    micro = MicroBatch(setup.micro_tokens, setup.rank, setup.checkpointing)
    return total(estimate(model_sizes(model), micro), micro)


def test_every_fallback_takes_less_than_the_one_before():
    wish = TrainingSetup("phi-4", 8192, False, 2048, 32)
    setups = list(fallbacks(wish, ["phi-4-mini"]))
    said = [
        (r.micro_tokens, r.checkpointing, r.row_tokens, r.rank)
        for r in setups
        if r.model == "phi-4"
    ]
    assert said == [
        (8192, False, 2048, 32),
        (4096, False, 2048, 32),
        (2048, False, 2048, 32),
        (2048, True, 2048, 32),
        (1024, True, 1024, 32),
        (512, True, 512, 32),
        (256, True, 256, 32),
        (256, True, 256, 16),
        (256, True, 256, 8),
    ]
    assert setups[len(said)] == TrainingSetup("phi-4-mini", 8192, False, 2048, 32)
    for model in ("phi-4", "phi-4-mini"):
        taken = [needed(model, r) for r in setups if r.model == model]
        assert taken == sorted(taken, reverse=True)


def test_what_is_given_up_is_said():
    wish = TrainingSetup("phi-4", 8192, False, 2048, 32)
    setup = TrainingSetup("phi-4", 512, True, 512, 16)
    said = " ".join(setup.downgrades(wish))
    for word in ("512 tokens, not 8192", "computed twice", "limit was 2048", "rank 32"):
        assert word in said
    assert wish.downgrades(wish) == []
    less = TrainingSetup("phi-4-mini", 512, False, 512, 32)
    assert len(less.downgrades(wish)) == 3


@pytest.mark.parametrize(("name", "gb"), [("phi4-mini-12gb", 12), ("phi4-24gb", 24)])
def test_the_files_for_cards_fit_them_as_their_comments_say(name, gb):
    found = fit(config.load(name).units(), gb * GB, kind="cuda")
    assert found.fits
    assert found.setup == found.wanted
    for unit in config.load(name).units():
        if unit.step == "pick_domain":
            assert domains.of(unit.params).chosen(unit.params.families)
    comment = (PARAMS / f"{name}.yaml").read_text().partition("\nstudy:")[0]
    for line in fit_lines(found, terms=True):
        if line.endswith(" GB"):
            figure = line.split()[-2]
            assert f" {figure}" in comment, line


@pytest.mark.parametrize(
    ("name", "gb", "says"),
    [
        ("phi4-24gb", 14, "given up for it: speed: micro-batches of"),
        ("phi4-24gb", 9, "model phi-4: phi-4-mini instead"),
        ("phi4-24gb", 0.5, "does NOT fit"),
    ],
)
def test_a_smaller_card_costs_something(name, gb, says):
    found = fit(config.load(name).units(), gb * GB, kind="cuda")
    assert says in "\n".join(fit_lines(found, terms=True))
    assert found.fits == (found.needed <= gb * GB)


def test_this_machine_by_what_training_adds():
    """The trainer's own fit as far as time goes; rows and rank are given up after."""
    roomy = fit(units(), 100 * GB, kind="cpu", loaded=True)
    assert (roomy.fits, roomy.setup) == (True, roomy.wanted)
    tight = fit(units(), 1.1 * GB, kind="cpu", loaded=True)
    assert tight.fits
    assert tight.setup.checkpointing
    assert tight.needed <= tight.room
    none = fit(units(), 0.1 * GB, kind="cpu", loaded=True)
    assert not none.fits
    assert "does NOT fit" in "\n".join(fit_lines(none, terms=False))


def test_a_setting_is_only_said_where_it_lowers():
    wanted = ("expand_domains.rank=4", "probe_sft.rank=32", "probe_sft.epochs=1")
    tight = fit(units(*wanted), 0.3 * GB, kind="cpu", loaded=True)
    assert tight.settings["probe_sft.rank"] == 8
    assert "expand_domains.rank" not in tight.settings
    assert tight.settings["expand_domains.gradient_checkpointing"] == "on"
    assert "probe_sft.rank=8" in "\n".join(fit_lines(tight, terms=False))


def test_the_catalogue_says_what_is_smaller():
    assert smaller_models("phi-4") == ["phi-4-mini", "smollm2-135m"]
    assert smaller_models("smollm2-135m") == []


def test_the_best_recipe_trains_as_the_probes_did():
    sets = ("expand_domains.recipe=best", "expand_domains.rank=99")
    assert wanted_setup(units(*sets), kind="cuda").rank == 16
    assert wanted_setup(units(sets[1]), kind="cuda").rank == 99
