"""The frozen set on disk: what the hub and machines read of it."""

import json

import pandas as pd
import pytest

from phi_kit.data.records import Seed, to_frame
from phi_kit.synthesis.frozen_facts import FrozenFacts, SourceOfRows
from phi_kit.synthesis.frozen_set import PARQUET, freeze, frozen_hash
from phi_kit.synthesis.gates import MixRow, numbered


def rows_of(n=5):
    made = [
        MixRow(
            Seed(
                "math",
                f"What is {k} + 1?",
                str(k + 1),
                source="mine.csv",
                licence="MIT",
            ),
            f"{k} + 1 = {k + 1}\nAnswer: {k + 1}",
            "organic" if k % 2 else "synthetic",
            "" if k % 2 else "backward",
        )
        for k in range(n)
    ]
    rows = numbered(made)
    return to_frame(
        [row.seed for row in rows],
        row_id=[row.id for row in rows],
        completion=[row.completion for row in rows],
        kind=[row.kind for row in rows],
        by=[row.by for row in rows],
    )


def facts_of(rows, **more):
    told = {
        "study": "demo",
        "domain": "math",
        "style": "steps",
        "digest": frozen_hash(rows),
        "counts": {"organic": 2, "synthetic": 3, "self": 0},
        "sources": {"mine.csv": SourceOfRows(2, "MIT")},
        "made_by": {"backward": (9, 3), "own solution": (4, 0)},
        "dropped": {"duplicate": 6, "over the share": 4},
        "models": {"student": "smollm2-135m", "teacher": "http://far/v1#big"},
        "writers": {"own solution": "student"},
        "gates": {"gold": {"in": 9, "kept": 9}, "duplicate": {"in": 9, "kept": 3}},
    }
    return FrozenFacts(**(told | more))


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frozen")
    rows = rows_of()
    freeze(rows, folder, facts_of(rows))
    return folder


def test_the_folder_reads_as_a_data_set_and_as_parquet(frozen):
    from datasets import load_from_disk

    rows = rows_of()
    pd.testing.assert_frame_equal(load_from_disk(frozen).to_pandas(), rows)
    pd.testing.assert_frame_equal(pd.read_parquet(frozen / PARQUET), rows)


def test_the_card_says_what_is_in_it(frozen):
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(frozen / "README.md")
    assert card.data.license == ["mit"]
    assert card.data.configs[0]["data_files"][0]["path"] == "data/*.parquet"
    text = card.text
    for told in (
        "| backward | 9 | 3 | 33% | 12% to 65% |",
        "| own solution | 4 | 0 | 0% | 0% to 49% |",
        "| mine.csv | 2 | MIT |",
        "| duplicate | 9 | 6 |",
        "| over the share | 4 |",
        "teacher: `http://far/v1#big`",
        frozen_hash(rows_of()),
    ):
        assert told in text, told
    assert "<!--" in text  # the template's own words stay


def test_a_licence_the_hub_does_not_know_is_named_in_the_text(tmp_path):
    from huggingface_hub import DatasetCard

    rows = rows_of()
    odd = {"mine.csv": SourceOfRows(2, "House rules"), "other": SourceOfRows(1, "")}
    freeze(rows, tmp_path, facts_of(rows, sources=odd))
    card = DatasetCard.load(tmp_path / "README.md")
    assert card.data.license == ["other", "unknown"]
    assert "House rules, unknown" in card.text


def test_croissant_is_valid_and_its_rows_can_be_read(frozen):
    import mlcroissant

    path = frozen / "croissant.json"
    data = mlcroissant.Dataset(jsonld=path)
    assert not data.metadata.ctx.issues.errors
    assert data.metadata.ctx.is_v1_1()
    rows = rows_of()
    read = list(data.records("rows"))
    assert [one["rows/row_id"].decode() for one in read] == rows.row_id.tolist()
    assert [int(one["rows/level"]) for one in read] == rows.level.tolist()


def test_croissant_says_where_the_set_came_from(frozen):
    told = json.loads((frozen / "croissant.json").read_text())
    assert told["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert told["@context"]["prov"] == "http://www.w3.org/ns/prov#"
    (source,) = told["prov:wasDerivedFrom"]
    assert (source["@type"], source["license"]) == ("prov:Entity", "MIT")
    backward, own = told["prov:wasGeneratedBy"]
    assert backward["@type"] == own["@type"] == "prov:Activity"
    assert backward["prov:label"] == "backward: 3 of 9 rows kept"
    assert backward["prov:wasAssociatedWith"]["@type"] == "prov:SoftwareAgent"
    agents = {one["@id"]: one["prov:label"] for one in told["prov:wasAttributedTo"]}
    assert agents["model/teacher"] == "teacher: http://far/v1#big"
    assert own["prov:wasAssociatedWith"]["@id"] in agents


def test_the_same_rows_freeze_to_the_same_files(frozen, tmp_path):
    rows = rows_of()
    freeze(rows, tmp_path, facts_of(rows))
    names = sorted(p.relative_to(frozen) for p in frozen.rglob("*") if p.is_file())
    assert names
    for name in names:
        assert (tmp_path / name).read_bytes() == (frozen / name).read_bytes(), name


def test_the_hash_is_of_the_rows_and_not_of_their_order():
    rows = rows_of()
    assert frozen_hash(rows[::-1]) == frozen_hash(rows)
    assert frozen_hash(rows[1:]) != frozen_hash(rows)
