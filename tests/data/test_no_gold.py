"""Seeds without gold: only where their source says so."""

import json
from typing import ClassVar

import pandas as pd
import pytest
from pydantic import Field

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.core.step_table import Step
from phi_kit.data import sealed_splits
from phi_kit.data.read_sources import read_source
from phi_kit.data.records import Seed, from_frame
from phi_kit.data.row_filters import filter_rows
from phi_kit.data.sealed_splits import Seal
from phi_kit.data.source_types import LocalFile
from phi_kit.steps import collect_seeds
from phi_kit.verifiers.math import numeric

ROWS = [
    {"question": "How many legs have two hens?", "answer": "4"},
    {"question": "How many wings have three geese?", "answer": None},
    {"question": "How many eyes have five cats?", "answer": "proof"},
    {"question": "What is seven less two?"},
]


class Card(StepParams):
    STEP: ClassVar[Step] = Step(1, "pick_domain")
    domain: str = "math"
    families: list[str] = Field([])


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    return path


def seeds_of(path, **more):
    return list(
        read_source(LocalFile(path=str(path), **more), "math", families=[], rng_seed=1)
    )


def judged(seeds):
    found = filter_rows(seeds, numeric.verify, Seal([]), max_chars=500)
    return [str(reason) if reason else None for _, reason in found]


def test_without_the_option_they_are_dropped(rows):
    assert judged(seeds_of(rows)) == [
        None,
        "no answer",
        "no answer",
        "no column 'answer'",
    ]


def test_with_it_they_are_kept_and_known(rows):
    seeds = seeds_of(rows, no_gold=True)
    assert judged(seeds) == [None] * 4
    assert [seed.answer for seed in seeds] == ["4", "", "", ""]
    assert [seed.unanswered for seed in seeds] == [False, True, True, True]


def test_a_gold_that_fails_is_dropped_all_the_same(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps({"question": "How many?", "answer": "many"}))
    assert judged(seeds_of(path, no_gold=True)) == ["gold fails its own verifier"]


def test_the_answer_column_may_be_missing_altogether(tmp_path):
    path = tmp_path / "open.csv"
    path.write_text("question\nHow many legs have six hens?\n")
    (seed,) = seeds_of(path, no_gold=True)
    assert seed.unanswered


@pytest.mark.parametrize("first", ["", "7"])
def test_nothing_contradicts_a_prompt_without_its_answer(first):
    prompt, mark = "What is nine less two?", json.dumps({"no_gold": True})
    rows = [
        Seed("math", prompt, answer, extra="{}" if answer else mark)
        for answer in (first, "" if first else "7")
    ]
    assert judged(rows) == [None, "duplicate"]


def test_they_pass_step_2(rows, tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))
    with open_run(Card(study="s")) as run:
        for part in ("dev", "test", sealed_splits.DRAWS):
            sealed_splits.seal_split(
                run, part, [Seed("math", f"A {part} item, sealed.", "1")]
            )
    sources = [{"path": str(rows), "no_gold": True}]
    collect_seeds.run(collect_seeds.Params(study="s", sources=sources))
    table = RunFolder.of("s", step_table.COLLECT_SEEDS, domain="math").table()
    assert isinstance(table, pd.DataFrame)
    assert [seed.unanswered for seed in from_frame(table)] == [False, True, True, True]
    assert set(table.answer_kind) == {domains.get("math").answer_kind}
