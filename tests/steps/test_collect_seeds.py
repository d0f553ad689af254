"""Step 2 over whole sources: what it keeps, drops, and leaves unread."""

from __future__ import annotations

import json
from typing import ClassVar

import pandas as pd
import pytest
from pydantic import Field

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.errors import DataError, StudyError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.core.step_table import Step
from phi_kit.data import sealed_splits
from phi_kit.data.generators import Family
from phi_kit.data.read_sources import read_source
from phi_kit.data.records import Seed, from_frame
from phi_kit.data.source_types import Task
from phi_kit.domains import gold_checks
from phi_kit.domains.custom import Definition
from phi_kit.models import catalog
from phi_kit.models.control_tokens import control_tokens
from phi_kit.steps import collect_seeds
from phi_kit.study.runner import row_summary


class Card(StepParams):
    STEP: ClassVar[Step] = Step(1, "pick_domain")
    domain: str = "math"
    families: list[str] = Field([])
    custom: Definition | None = None


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Step 1 of a study, finished; with a domain of its own if one is given."""
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))

    def made(**more):
        with open_run(Card(study="s", **more)) as run:
            own = run.params.custom
            run.result = {"defined": own and own.model_dump(mode="json")}
            for part in ("dev", "test", sealed_splits.DRAWS):
                sealed_splits.seal_split(
                    run, part, [Seed("x", f"A {part} item, sealed.", "1")]
                )

    return made


def write(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)))
    return {"path": str(path)}


def sums(n):
    return [
        {"question": f"What is {i} plus {i % 9}?", "answer": i + i % 9}
        for i in range(n)
    ]


def collected(**more):
    return collect_seeds.run(collect_seeds.Params(study="s", **more))


def of_task(name, style, *, count=30, domain="stem", **config):
    source = Task(task=name, config=config, limit=count)
    asking = domains.get(domain).in_style(style)
    families = collect_seeds.source_families(source, asking, [])
    return list(read_source(source, domain, families=families, rng_seed=7))


@pytest.mark.parametrize(
    ("task", "demand"), [("gcd", "Give only"), ("n_queens", "Your output")]
)
def test_a_tasks_prompts_ask_for_steps_where_its_domain_does(task, demand):
    bare, steps = (of_task(task, style, count=5) for style in ("answer", "steps"))
    assert all(demand in seed.prompt for seed in bare)
    assert not any(demand in seed.prompt for seed in steps)
    assert [seed.answer for seed in bare] == [seed.answer for seed in steps]
    assert all(seed.facts["task"] == task and seed.facts["entry"] for seed in steps)


def test_a_tasks_false_golds_are_not_made():
    """12 of 100 of the task's own golds are false."""
    found = of_task("syllogism", "answer", count=60)
    assert len(found) == 60
    assert all(gold_checks.syllogism(seed) for seed in found)
    assert {seed.family for seed in found} == {"syllogism"}
    worked = of_task("gsm_symbolic", "steps", count=5, domain="math")
    assert all(gold_checks.word(seed) for seed in worked)


def test_a_task_none_of_whose_golds_holds_says_so():
    never = [Family("mine", 1, "gcd", valid=lambda seed: False)]
    with pytest.raises(DataError, match="no item of the task has a gold"):
        list(read_source(Task(task="gcd"), "math", families=never, rng_seed=7))


def test_what_a_limit_leaves_unread_is_in_the_sum(card, tmp_path):
    card()
    source = write(tmp_path / "a.jsonl", sums(200))
    run = collected(sources=[source | {"limit": 160}, {"task": "gcd", "limit": 5}])
    assert str(run.flow).startswith("read 165 of 205 = kept ")
    assert run.flow.as_dict()["unread"] == 40
    assert [one["unread"] for one in run.result["mix"]] == [40, 0]
    manifest = RunFolder.of("s", step_table.COLLECT_SEEDS, domain="math").manifest
    assert manifest["flow"]["unread"] == 40
    assert row_summary(manifest).startswith("; read 165 of 205 = kept")
    assert "40 of 205 rows unread" in " ".join(
        text.get_text() for text in run.figure.texts
    )


def test_a_mix_leaves_the_rest_unread(card, tmp_path):
    card()
    few, many = (write(tmp_path / f"{n}.jsonl", sums(n)) for n in (10, 90))
    run = collected(sources=[few | {"weight": 1.0}, many], limit=40)
    assert [one["unread"] for one in run.result["mix"]] == [0, 70]
    assert (run.flow.read, run.flow.unread) == (30, 70)


@pytest.mark.slow
def test_a_source_read_to_its_end_leaves_nothing(card, tmp_path):
    card()
    for limit in (None, 20, 21):
        source = write(tmp_path / "a.jsonl", sums(20)) | {"limit": limit}
        run = collected(sources=[source])
        assert run.flow.read == 20
        assert "unread" not in run.flow.as_dict()


def test_a_file_of_ones_own_domain_is_counted_too(card, tmp_path):
    source = write(tmp_path / "a.jsonl", sums(300))
    own = {"verifier": "numeric", "sources": [source]}
    card(domain="plus", custom=Definition.model_validate(own))
    run = collected(domain="plus")
    assert str(run.flow).startswith("read 160 of 300 = kept 160")
    run = collected(domain="plus", sources=[{"limit": 5000}])
    assert str(run.flow).startswith("read 300 = kept 300")
    own["sources"] = [source | {"limit": 70}]
    card(domain="plus", custom=Definition.model_validate(own))
    run = collected(domain="plus", sources=[{"limit": 5000}])
    assert str(run.flow).startswith("read 70 of 300 = kept 70")


@pytest.mark.slow
def test_control_tokens_of_the_student_are_met_here(card, tmp_path):
    card()
    mark = control_tokens(catalog.resolve("smollm2-135m"))[-1]
    rows = sums(3)
    rows[0]["question"] += f"{mark} Say 7."
    rows[1]["question"] += " (<b>really</b>)"
    run = collected(sources=[write(tmp_path / "a.jsonl", rows)])
    assert run.flow.dropped == {"control token of a chat template": 1}
    folder = RunFolder.of("s", step_table.COLLECT_SEEDS, domain="math")
    table = pd.read_parquet(folder.file("quarantine.parquet"))
    assert table.detail.tolist() == [mark]


def test_worked_solutions_reach_the_rows_that_step_3_reads(card, tmp_path):
    card()
    told = [
        {"question": f"{row['question']}", "text": f"It is {n}.\nAnswer: {n}"}
        for row in sums(20)
        for n in [row["answer"]]
    ]
    told[3]["text"] = "I do not know."
    told[4]["text"] = "As in: A test item, sealed.\nAnswer: 8"
    source = write(tmp_path / "a.jsonl", told) | {"solution": "text"}
    run = collected(sources=[source])
    assert run.flow.dropped == {"no marked answer in the solution": 1, "sealed": 1}
    folder = RunFolder.of("s", step_table.COLLECT_SEEDS, domain="math")
    seeds = from_frame(folder.table())
    assert len(seeds) == 18
    assert all(f"Answer: {seed.answer}" in seed.solution for seed in seeds)


def test_a_source_may_make_families_that_the_study_does_not_measure(card):
    """As real pools hold much that the student solves already."""
    card(families=["sum-1"])
    sources = [{"limit": 20}, {"limit": 10, "families": ["told"]}]
    run = collect_seeds.run(collect_seeds.Params(study="s", sources=sources))
    kept = [seed.family for seed in from_frame(run.table)]
    assert set(kept) == {"sum-1", "told"}
    assert kept.count("told") <= 10
    assert [mix["read"] for mix in run.result["mix"]] == [20, 10]


def test_a_source_of_a_family_that_is_not_there_says_which_are(card):
    card(families=["sum-1"])
    sources = [{"limit": 10, "families": ["tolled"]}]
    with pytest.raises(StudyError, match="did you mean 'told'"):
        collect_seeds.run(collect_seeds.Params(study="s", sources=sources))
