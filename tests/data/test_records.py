"""Records, duplicates, procedural streams and frozen data sets."""

from dataclasses import replace
from itertools import islice

import pytest
from fake_study import Pick

from phi_kit.core.step_run import open_run
from phi_kit.data import records
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed, from_frame, normalise_prompt, to_frame
from phi_kit.data.row_filters import filter_rows
from phi_kit.data.sealed_splits import Seal
from phi_kit.domains import get
from phi_kit.verifiers.math import numeric

SEED = Seed("math", "What is 3 + 4?", "7", level=2, extra='{"a": [1]}')


def test_seeds_survive_a_table(tmp_path):
    seeds = [SEED, replace(SEED, prompt="日本\n ", answer="", parent=SEED.id)]
    to_frame(seeds, kind=["a", "b"]).to_parquet(tmp_path / "a.parquet")
    import pandas as pd

    assert from_frame(pd.read_parquet(tmp_path / "a.parquet")) == seeds
    assert from_frame(to_frame([])) == []
    assert SEED.facts == {"a": [1]}


def test_an_id_names_question_and_answer_only():
    assert replace(SEED, source="x", level=9, extra="{}").id == SEED.id
    for change in ({"prompt": "?"}, {"answer": "8"}, {"domain": "puzzles"}):
        assert replace(SEED, **change).id != SEED.id


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What  is\n3 + 4? ", "what is 3 + 4?", True),
        ("3 + 4", "3 - 4", False),
        ("３ ＋ ４", "3 + 4", True),
        ("3+4", "34", False),
    ],
)
def test_what_counts_as_the_same_prompt(one, other, same):
    assert (normalise_prompt(one) == normalise_prompt(other)) is same


def test_every_dropped_row_has_its_reason():
    rows = [
        (SEED, None),
        (replace(SEED, source="again"), "duplicate"),
        (replace(SEED, prompt="what is 3  + 4?"), "duplicate"),
        (replace(SEED, answer="8"), "contradicts another answer"),
        (replace(SEED, prompt=""), "empty prompt"),
        (replace(SEED, prompt="x" * 21), "prompt too long"),
        (replace(SEED, prompt="a\ufffd"), "undecodable text"),
        (replace(SEED, prompt="Sealed?"), "sealed"),
        (replace(SEED, prompt="b", answer="proof"), "gold fails its own verifier"),
        (replace(SEED, prompt="c", answer="seven"), "gold fails its own verifier"),
        (replace(SEED, prompt="d", answer=""), "no answer"),
        (replace(SEED, prompt="d"), None),  # the bad one before it does not count
    ]
    rows[8] = (rows[8][0], "no answer")
    judged = filter_rows(
        [seed for seed, _ in rows], numeric.verify, Seal(["SEALED?"]), max_chars=20
    )
    assert [reason for _, reason in judged] == [reason for _, reason in rows]


def test_streams_are_repeatable_and_splits_differ():
    family = get("math").families[2]

    def prompts(**change):
        how = {"rng_seed": 7, "split": "dev"} | change
        return [
            item.prompt for item in islice(generate_items("math", family, **how), 60)
        ]

    assert prompts() == prompts()
    for change in ({"split": "test"}, {"split": "train"}, {"rng_seed": 8}):
        # Two-digit sums repeat by chance: a few of 60, never the stream.
        assert len(set(prompts()) & set(prompts(**change))) < 6


def files(folder):
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_frozen_rows_come_back_and_are_the_same_bytes(runs, tmp_path):
    from datasets import load_from_disk

    rows = to_frame([SEED, replace(SEED, prompt="é")], kind=["organic", "self"])
    with open_run(Pick()) as run:
        records.save_dataset(rows, run.folder(records.DATASET))
    folder = run.run_folder
    assert records.load_dataset(folder).equals(rows)
    assert load_from_disk(folder.path / "dataset").column_names == list(rows.columns)
    records.save_dataset(rows, tmp_path / "again")
    assert files(tmp_path / "again") == files(folder.path / "dataset")
