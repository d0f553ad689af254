import json

import numpy as np
import pandas as pd
import pytest

from phi_kit.core.errors import RunError, StudyError
from phi_kit.core.files import digest
from phi_kit.study import side_by_side


def samples(rates, *, first=0, seed=0, **columns):
    """Four answers to each item, with these shares of right ones."""
    draw = np.random.default_rng(seed)
    rows = [
        {
            "seed_id": f"{first + item:012x}",
            "finish": "stop",
            "verdict": "right" if draw.random() < rate else "wrong",
        }
        for item, rate in enumerate(rates)
        for _ in range(4)
    ]
    return pd.DataFrame(rows).assign(**columns)


@pytest.fixture
def finished(runs):
    """Write a step's run folder with these samples."""

    def finished(study, place, frame=None, *, items=None, **params):
        folder = runs / study / place
        folder.mkdir(parents=True)
        files = {}
        for name, table in (("samples", frame), ("items", items)):
            if table is not None:
                table.to_parquet(folder / f"{name}.parquet")
                files[f"{name}.parquet"] = digest(folder / f"{name}.parquet")
        manifest = {"digest": "0" * 16, "files": files}
        manifest["params"] = {"study": study, "model": "m", **params}
        (folder / "manifest.json").write_text(json.dumps(manifest))

    def study(name, rates, *, rank=16, **how):
        finished(name, "math/01_pick_domain", samples=2)
        frame = pd.concat(
            [
                samples([0.2] * 60, arm="base", train_seed=np.nan),
                samples(rates, arm="teachable", train_seed=7.0, **how),
            ]
        )
        finished(name, "math/04_probe_sft", frame, rank=rank)

    finished.study = study
    return finished


def row(lines, study, block="math, dev, teachable"):
    start = next(at for at, line in enumerate(lines) if line.startswith(block))
    return next(line for line in lines[start:] if line.startswith(f"  {study} "))


@pytest.mark.slow
def test_studies_are_paired_by_items(finished):
    finished.study("a", [0.3] * 60, seed=1)
    finished.study("b", [0.8] * 60, seed=2, rank=8)
    lines = list(side_by_side.compare(side_by_side.chosen_studies(["a", "b"])))
    assert lines[0].split() == ["what", "differs", "a", "b"]
    assert lines[1].split() == ["math.probe_sft.rank", "16", "8"]
    assert not any("model" in line for line in lines)
    assert row(lines, "b").endswith("better")
    assert {"60", "+50.4"} < set(row(lines, "b").split())
    assert "better" not in row(lines, "a")
    assert row(lines, "b", "math, dev, base").endswith("the same answers")
    assert lines[-1] == "Verdicts are corrected for 1 comparison (Holm)."


@pytest.mark.slow
def test_what_chance_alone_may_give_is_no_verdict(finished):
    for number in range(8):
        finished.study(f"v{number}", [0.5] * 60, seed=number)
    lines = list(side_by_side.compare(side_by_side.chosen_studies(["v*"])))
    found = [row(lines, f"v{number}") for number in range(1, 8)]
    assert all(line.endswith("cannot tell") for line in found)


def test_other_items_are_not_paired(finished):
    finished.study("a", [0.1] * 60, seed=1)
    finished.study("b", [0.9] * 60, seed=2, first=1000)
    finished.study("c", [0.9] * 60, seed=3, first=30)
    lines = list(side_by_side.compare(["a", "b", "c"]))
    assert row(lines, "b").endswith("better; other items: not paired")
    assert row(lines, "c").endswith("better; paired on 30 items")


def test_several_training_runs_count(finished):
    for study, rate in (("a", 0.3), ("b", 0.8)):
        runs = [
            samples([rate] * 40, seed=n, arm="teachable", train_seed=float(n))
            for n in (1, 2)
        ]
        finished(study, "math/01_pick_domain")
        finished(study, "math/04_probe_sft", pd.concat(runs))
    (scores,) = side_by_side.measurements("a").values()
    assert scores.runs.shape == (2, 40)
    assert row(list(side_by_side.compare(["a", "b"])), "b").endswith("better")


def test_an_item_without_an_answer_is_left_out(finished):
    frame = samples([1.0] * 20, arm="teachable", train_seed=1.0)
    frame.loc[frame.seed_id == f"{3:012x}", "finish"] = "refused"
    finished("a", "math/01_pick_domain")
    finished("a", "math/04_probe_sft", frame)
    (scores,) = side_by_side.measurements("a").values()
    assert len(scores.ids) == 19


def test_test_items_are_compared_with_a_word_of_warning(finished):
    for study, rate in (("a", 0.3), ("b", 0.8)):
        frame = samples([rate] * 30, seed=1, domain="math", model="final")
        finished(study, "07_benchmark", frame)
    lines = list(side_by_side.compare(["a", "b"]))
    assert row(lines, "b", "math, test, final").endswith("better")
    assert lines[-1].startswith("A study that is chosen by its test items has no test")


def test_adapters_of_step_6_are_compared_on_dev(finished):
    for study, right in (("a", 10), ("b", 40)):
        rows = [
            {"adapter": adapter, "domain": "math", "seed_id": f"{n:012x}"}
            | {"accuracy": float(n < right)}
            for adapter in ("base", "math")
            for n in range(60)
        ]
        finished(study, "06_expand_domains", items=pd.DataFrame(rows))
    lines = list(side_by_side.compare(["a", "b"]))
    assert row(lines, "b", "math, dev, math of step 6").endswith("better")
    assert not any("base of step 6" in line for line in lines)


def test_studies_are_meant_by_name_or_pattern(finished):
    for name in ("one", "bands/low", "bands/high"):
        finished(name, "math/01_pick_domain")
    assert side_by_side.chosen_studies(["one", "bands/*"]) == [
        "one",
        "bands/high",
        "bands/low",
    ]
    with pytest.raises(StudyError, match="no run of a study 'on'; did you mean 'one'"):
        side_by_side.chosen_studies(["one", "on"])
    with pytest.raises(StudyError, match="one study alone"):
        side_by_side.chosen_studies(["one"])
    with pytest.raises(RunError, match="nothing that two of them have measured"):
        list(side_by_side.compare(["one", "bands/low"]))
