"""Randomness, row accounting and places."""

import json

import pytest

from phi_kit.core import paths
from phi_kit.core.errors import DataError
from phi_kit.core.rng import label_seed, rng
from phi_kit.core.row_counts import RowCounts


def test_labels_are_independent_and_stable():
    assert label_seed(7, "split", "math", 3) == 6505749432859011259
    ways = [
        (7, "a", 1),
        (7, "a", 2),
        (8, "a", 1),
        (7, "a1"),
        (7, "a", "1", ""),
        (71, "a"),
    ]
    assert len({label_seed(*way) for way in ways}) == len(ways)
    draws = [rng(7, "x", i).random() for i in range(500)]
    assert abs(sum(draws) / 500 - 0.5) < 0.05
    assert rng(7, "x").random() == rng(7, "x").random()


def test_kept_and_dropped_are_what_was_read():
    flow = RowCounts()
    flow.take([None, "duplicate", None, "sealed", "duplicate"])
    expected = {"read": 5, "kept": 2, "dropped": {"duplicate": 2, "sealed": 1}}
    assert json.loads(json.dumps(flow.as_dict())) == expected
    assert str(flow) == "read 5 = kept 2 + dropped 2 duplicate, 1 sealed"
    assert str(RowCounts()) == "read 0 = kept 0 + dropped 0"
    cut = RowCounts(read=3, kept=3, unread=4)
    assert str(cut) == "read 3 of 7 = kept 3 + dropped 0"
    assert cut.as_dict()["unread"] == 4


def test_a_lost_row_is_noticed():
    with pytest.raises(DataError, match="rows were lost"):
        RowCounts(read=3, kept=1).as_dict()


def test_places_do_not_depend_on_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("PHI_KIT_RUNS", raising=False)
    seen = set()
    for folder in (
        tmp_path,
        paths.project_root(),
        paths.project_root() / "notebooks",
    ):
        monkeypatch.chdir(folder)
        seen.add((paths.runs_root(), paths.resolve_from_root("params/quickstart.yaml")))
    ((runs, study),) = seen
    assert runs.name == "runs"
    assert study.is_file()


def test_phi_kit_runs_moves_the_run_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "elsewhere"))
    assert paths.runs_root() == tmp_path / "elsewhere"
    monkeypatch.setenv("PHI_KIT_RUNS", "other")
    monkeypatch.chdir(tmp_path)
    assert paths.runs_root() == paths.project_root() / "other"
