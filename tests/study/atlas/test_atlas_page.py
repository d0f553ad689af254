"""The atlas of a sweep: a table, and a page that needs nothing else."""

import base64
import gzip
import json
import re
import time

import pandas as pd
import pytest
import recorded_sweep

from phi_kit.core.errors import StudyError
from phi_kit.study.atlas import atlas_page

SMALL = {"rates": [1, 2], "ranks": [4, 16], "epochs": [1], "seeds": [1, 2]}


@pytest.fixture
def small(runs):
    return recorded_sweep.build(runs, **SMALL)


def page_data(text):
    packed = re.search(r'id="data">([^<]*)<', text)[1]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


@pytest.mark.slow
def test_the_table_has_a_row_for_each_variant_and_measure(small):
    written = atlas_page.write("recorded")
    table = pd.read_parquet(written.table)
    assert len(table) == 3 + 5 * 2
    assert set(table.kind) == {"finished", "failed"}
    assert set(table.who.dropna()) == {"base", "teachable"}
    own = table[table.who == "teachable"].set_index("variant")
    row = own.loc["rate-2--rank-4--epochs-1--seed-1"]
    assert row["probe_sft.learning_rate"] == 2
    assert row["probe_sft.train_seeds"] == "[1]"
    assert (row.n, row.seconds, row.tokens) == (100, 64.0, 2560)
    assert row.low < row.accuracy < row.high
    base = table[(table.who == "base") & (table.variant == row.name)].iloc[0]
    assert row.gain == pytest.approx(row.accuracy - base.accuracy)
    assert row.gain_low < row.gain < row.gain_high
    assert row.notebook == f"{row.name}/math/04_probe_sft/notebook.ipynb"
    assert table.failure.str.contains("disk is full").sum() == 2


def test_a_name_opens_the_report_where_there_is_one(small, runs):
    name = "rate-2--rank-4--epochs-1--seed-1"
    (runs / "recorded" / name / "report.html").touch()
    data = page_data(atlas_page.write("recorded").page.read_text())
    opens = {one["name"]: one["opens"] for one in data["variants"]}
    assert opens.pop(name) == f"{name}/report.html"
    assert all(one[-15:] in ("/notebook.ipynb", "") for one in opens.values())


@pytest.mark.slow
def test_the_page_holds_all_of_it_and_asks_nobody(small):
    text = atlas_page.write("recorded").page.read_text()
    assert "8 variants: 5 finished, 3 failed" in text
    assert not re.search(r"(?:src|href)=\"https?:", text)
    data = page_data(text)
    assert [one["label"] for one in data["measures"]] == [
        "math, dev: teachable",
        "math, dev: base",
    ]
    assert [one["label"] for one in data["params"]] == [
        "learning_rate",
        "rank",
        "train_seeds",
    ]
    first = data["measures"][0]
    for place, letters in first["items"].items():
        levels = [data["letters"].index(letter) for letter in letters]
        accuracy = sum(levels) / first["parts"] / len(levels)
        assert accuracy == pytest.approx(first["scores"][place][0], abs=1e-4)
    assert set(first["families"]) == {"sums", "stories"}
    assert data["failures"] == [
        {"at": "04 probe_sft math", "why": "the disk is full", "variants": [0, 1]},
        {"at": "04 probe_sft math", "why": "<b>it raised</b>", "variants": [2]},
    ]
    assert "<b>it raised</b>" not in text


@pytest.mark.slow
def test_writing_again_gives_the_same_bytes(small):
    first = atlas_page.write("recorded").page.read_bytes()
    assert atlas_page.write("recorded").page.read_bytes() == first


@pytest.mark.slow
def test_a_variant_whose_files_are_damaged_is_named(small, runs):
    variant = small[-1]
    path = runs / "recorded" / variant / "math/04_probe_sft/samples.parquet"
    path.write_bytes(b"damaged")
    table = pd.read_parquet(atlas_page.write("recorded").table)
    (row,) = table[table.variant == variant].to_dict("records")
    assert (row["kind"], row["failed_at"]) == ("failed", "reading its files")
    assert "samples.parquet" in row["failure"]


def test_a_sweep_that_has_measured_nothing_yet(runs):
    recorded_sweep.build(runs, **SMALL, failed=99)
    written = atlas_page.write("recorded")
    assert len(pd.read_parquet(written.table)) == 8
    assert page_data(written.page.read_text())["measures"] == []


def test_no_such_sweep(small):
    with pytest.raises(StudyError) as caught:
        atlas_page.write("recordet")
    assert "did you mean 'recorded'?" in str(caught.value)
    assert "phi-kit sweep" in str(caught.value)


@pytest.mark.slow
def test_a_thousand_variants_take_less_than_a_minute_and_two_megabytes(runs):
    recorded_sweep.build(
        runs,
        rates=[1, 2, 3, 4, 5],
        ranks=[2, 4, 8, 16, 32],
        epochs=[1, 2, 3, 4],
        seeds=list(range(10)),
    )
    began = time.process_time()  # as on an idle machine; it has one thread
    written = atlas_page.write("recorded")
    took = time.process_time() - began
    size = written.page.stat().st_size
    print(f"{took:.1f} s, {size:,} bytes")
    assert took < 60
    assert size < 2_000_000
    first = page_data(written.page.read_text())["measures"][0]
    steps = [one for one in first["effects"] if one["label"] == "learning_rate"]
    assert [one["verdict"] for one in steps] == ["better"] * 4
