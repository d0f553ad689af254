"""The second phase as a study file: what was chosen, larger, and checked."""

from types import SimpleNamespace

import pytest

from phi_kit import steps
from phi_kit.core import step_table
from phi_kit.core.errors import RunError, StudyError
from phi_kit.study import config, scale_up

RECIPE = {
    "rank": 8,
    "learning_rate": 5e-4,
    "epochs": 2,
    "batch": 8,
    "warmup": 0.03,
    "max_row_tokens": 512,
    "weights": {},
}
MET = [{"name": "no regression", "status": "met", "why": "at worst math", "next": ""}]
OPEN = [{"name": "no regression", "status": "open", "why": "math", "next": "more"}]


def params_of(step, **given):
    """What a step's manifest says it was given."""
    return steps.load(step).Params(study="demo", **given).model_dump(
        mode="json", exclude={"redo"}
    )  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project in which the study `demo` has finished all steps."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "params").mkdir()
    monkeypatch.chdir(tmp_path)
    manifests = {}

    def finish(decision, **more):
        given = {
            "pick_domain": {"families": ["sum-1"], "style": "answer"},
            "collect_seeds": {"sources": [{"limit": 50, "wrong_golds": 0.05}]},
            "filter_edge": {"samples": 5},
            "probe_sft": {"arms": ["own", "random"], "search": {"rank": [4, 8]}},
            "expand_domains": {"domains": ["math"], "margin": 0.04},
            "benchmark": {"domains": ["math"], "samples": 2},
        } | more
        for step in steps.STEPS:
            result = {"recipe": RECIPE, "decision": decision}
            manifest = {"params": params_of(step, **given.get(step.name, {}))}
            manifests[step.name] = SimpleNamespace(
                manifest=manifest, result=result, path=tmp_path / step.folder
            )

    def of(study, step, *, domain=""):
        return manifests[step.name]

    monkeypatch.setattr(scale_up.RunFolder, "of", of)
    return finish


def written(project, verdict=scale_up.SCALE, criteria=MET, **more):
    project({"verdict": verdict, "criteria": criteria}, **more)
    return scale_up.write_scaled_study("demo", factor=3)


def test_the_file_is_a_study_without_a_fault(project):
    path = written(project)
    assert path.name == "demo-scaled.yaml"
    study = config.load(path)
    assert study.name == "demo-scaled"
    units = {unit.step: unit.params for unit in study.units()}
    assert len(units) == 7
    assert units["pick_domain"].families == ["sum-1"]
    assert units["pick_domain"].style == "answer"
    assert units["filter_edge"].samples == 5
    assert units["benchmark"].samples == 2


def test_the_sets_are_larger_and_the_held_out_items_fresh(project):
    units = {u.step: u.params for u in config.load(written(project)).units()}
    (source,) = units["collect_seeds"].sources
    assert (source.limit, source.wrong_golds) == (150, 0.05)
    assert units["pick_domain"].dev_items == units["pick_domain"].test_items == 300
    assert units["pick_domain"].rng_seed == 8  # the first phase has seen those of 7


def test_the_chosen_recipe_is_trained_by_three_seeds(project):
    units = {u.step: u.params for u in config.load(written(project)).units()}
    probe, merged = units["probe_sft"], units["expand_domains"]
    assert (probe.rank, probe.learning_rate) == (8, 5e-4)
    assert (merged.rank, merged.learning_rate, merged.epochs) == (8, 5e-4, 2)
    assert probe.train_seeds == merged.train_seeds == [1, 2, 3]
    assert probe.arms == ["random", "teachable"]
    assert not probe.search
    assert merged.margin == 0.04


def test_the_head_says_why(project):
    text = written(project).read_text()
    assert text.startswith("# The second phase of demo")
    assert "# Decision of demo: scale." in text
    assert "#   met: no regression: at worst math" in text


def test_another_decision_writes_nothing_unless_told_so(project):
    project({"verdict": "explore on", "criteria": OPEN})
    with pytest.raises(StudyError, match=r"'explore on' \(no regression: open\)"):
        scale_up.write_scaled_study("demo")
    assert scale_up.write_scaled_study("demo", anyway=True).is_file()
    with pytest.raises(StudyError, match="there already"):
        scale_up.write_scaled_study("demo", anyway=True)


def test_a_study_that_decided_nothing_is_told_so(project):
    project(None)
    with pytest.raises(RunError, match="decided nothing"):
        scale_up.write_scaled_study("demo")
    assert step_table.BENCHMARK.name == "benchmark"
