"""How much the steps of a study will do, from its file alone."""

import pytest

from phi_kit.core.answer_style import TOKEN_LIMITS
from phi_kit.core.errors import DataError
from phi_kit.study import config
from phi_kit.study.planning.workload import seeds_read, workload


def units(*sets):
    return config.load("quickstart", sets).units()


def counted(*sets, share=0.5):
    study = units(*sets)
    seeds = {
        unit.domain: seeds_read(unit.params)
        for unit in study
        if unit.step == "collect_seeds"
    }
    shares = dict.fromkeys(seeds, share)
    loads = workload(study, seeds=seeds, shares=shares, kept_rows={})
    return {(load.unit.step, load.unit.domain): load for load in loads}


def drawn(load):
    return sum(load.samples.values())


def seen(load):
    return sum(load.rows.values())


SMALL = ("math.collect_seeds.sources=[{limit: 100}]",)


def test_the_work_of_every_step():
    found = counted(*SMALL)
    assert drawn(found["pick_domain", "math"]) == 100 * 2
    assert drawn(found["collect_seeds", "math"]) == 0
    assert drawn(found["filter_edge", "math"]) == 5 * 100 + 2 * 50
    probe = found["probe_sft", "math"]
    assert drawn(probe) == 2 * 200  # two arms, each asks dev
    assert seen(probe) == 2 * 50 * 3  # two arms, three epochs
    assert probe.runs == 2
    expand = found["expand_domains", ""]
    assert drawn(expand) == 3 * (200 + 200)  # A, B, A+B on both domains
    frozen = 50 / 0.33
    other = 0.5 * 64 / 0.33
    assert seen(expand) == pytest.approx(2 * frozen + 2 * other)
    assert expand.runs == 3
    assert drawn(found["benchmark", ""]) == 2 * 2 * 100 * 3


def test_samples_are_as_long_as_the_style_lets_them_be():
    steps = ("pick_domain", "filter_edge", "benchmark")
    free = [f"{step}.max_tokens=null" for step in steps]
    found = counted(*free, "style=think", "puzzles.style=steps", *SMALL)
    asked = {("math", TOKEN_LIMITS["think"]), ("puzzles", TOKEN_LIMITS["steps"])}
    for (step, domain), load in found.items():
        if step not in ("collect_seeds", "synthesize"):
            among = (domain,) if domain else ("math", "puzzles")
            assert set(load.samples) == {one for one in asked if one[0] in among}, step


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        ("probe_sft.train_seeds=[1, 2, 3]", 6),
        ("probe_sft.search={learning_rate: [1e-3, 5e-4], rank: [8, 16]}", 2 + 4),
        ("probe_sft.dose=[0.25, 0.5, 1]", 2 + 2),
        ("probe_sft.arms=[teachable]", 1),
    ],
)
def test_more_runs_are_counted(change, runs):
    found = counted(*SMALL, change)["probe_sft", "math"]
    assert found.runs == runs
    assert drawn(found) == runs * 200
    if "dose" in change:
        assert seen(found) == 150 * (2 + 0.25 + 0.5)


@pytest.mark.parametrize("step", ["probe_sft", "expand_domains"])
def test_early_stopping_asks_more_often(step):
    key = (step, "math" if step == "probe_sft" else "")
    plain, often = (
        drawn(counted(*SMALL, f"{step}.eval_steps={n}")[key]) for n in (0, 2)
    )
    assert often > plain


def test_a_wish_for_few_rows_bounds_training():
    found = counted(*SMALL, "filter_edge.wanted=10")
    assert seen(found["probe_sft", "math"]) == 2 * 10 * 3


def test_the_best_recipe_is_the_probes():
    sets = (*SMALL, "expand_domains.recipe=best")
    own, best = (seen(counted(*some)["expand_domains", ""]) for some in (SMALL, sets))
    assert best == pytest.approx(3 * own)


def test_sources_without_limit_are_counted(tmp_path):
    file = tmp_path / "own.jsonl"
    file.write_text('{"question": "1 + 1", "answer": "2"}\n' * 30)
    source = f"[{{path: {file}, question: question, answer: answer}}]"
    found = counted(f"math.collect_seeds.sources={source}")
    assert drawn(found["filter_edge", "math"]) == 5 * 30 + 2 * 15
    with pytest.raises(DataError, match="without a limit"):
        counted("math.collect_seeds.sources=[{hub: openai/gsm8k}]")
