"""Names that become folders: free of the kit's own on every machine."""

from pathlib import Path

import pytest

from phi_kit.core import folder_names, paths
from phi_kit.inference.endpoint import budget
from phi_kit.study import runner

GOOD = ["math", "A", "1", "a.b", "a-b_c.d", "x" * 64, "old", "lock", "runs", "v07"]
SHAPES = [
    ("", "is empty"),
    (None, "is no text"),
    (3, "is no text"),
    (["a"], "is no text"),
    (True, "is no text"),
    ("x" * 65, "is 65 characters long; up to 64"),
    ("x" * 300, "is 300 characters long"),
    ("x\n", "cannot be a folder's name"),
    ("\nx", "cannot be a folder's name"),
    ("a b", "cannot be a folder's name"),
    ("a/b", "cannot be a folder's name"),
    ("a\\b", "cannot be a folder's name"),
    ("..", "cannot be a folder's name"),
    (".lock", "cannot be a folder's name"),
    (".06_expand_domains.lock", "cannot be a folder's name"),
    ("-a", "cannot be a folder's name"),
    ("_a", "cannot be a folder's name"),
    ("ä", "cannot be a folder's name"),
    ("a\u0308", "cannot be a folder's name"),
    ("ｍａｔｈ", "cannot be a folder's name"),
    ("١", "cannot be a folder's name"),
    ("a\0", "cannot be a folder's name"),
    ("a.", "ends with a dot"),
    ("con", "is a device's name on Windows"),
    ("LPT1.txt", "is a device's name on Windows"),
]
DOMAINS = [
    *("01_pick_domain", "06_expand_domains", "07_benchmark", "08_later"),
    *("03_filter_edge.old", "report.html", "REPORT.HTML", "spent.jsonl"),
    *("Spent.Jsonl", "tensorboard", "TensorBoard", "base", "Base"),
]
STUDIES = [
    *("ledger.sqlite", "Ledger.SQLite", "ledger.sqlite-wal", "ledger.sqlite-SHM"),
    *("ledger.sqlite-journal", "demo.yaml", "demo.YML"),
]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_is_one_of_both(name):
    assert folder_names.study_fault(name) == folder_names.domain_fault(name) == ""


@pytest.mark.parametrize(("name", "fault"), SHAPES, ids=lambda x: repr(x)[:20])
def test_what_no_folder_can_be_called(name, fault):
    for said in (folder_names.study_fault(name), folder_names.domain_fault(name)):
        assert said.startswith(fault)
        # A sentence for a reader: no pattern, no second line.
        assert not set(said) & set("[]^$*\\\n")


@pytest.mark.parametrize("name", DOMAINS)
def test_what_stands_beside_the_domains_is_taken(name):
    assert folder_names.domain_fault(name)
    assert folder_names.study_fault(name) == ""


@pytest.mark.parametrize("name", STUDIES)
def test_what_stands_beside_the_studies_is_taken(name):
    assert folder_names.study_fault(name)


def test_another_ledger_in_the_same_folder_is_taken_as_well(runs, monkeypatch):
    assert folder_names.study_fault("mine.db") == ""
    monkeypatch.setenv("PHI_KIT_LEDGER", str(runs / "mine.db"))
    assert "the kit's own file" in folder_names.study_fault("Mine.db-wal")
    assert "the kit's own file" in folder_names.study_fault("ledger.sqlite")
    monkeypatch.setenv("PHI_KIT_LEDGER", "postgresql://a/b")
    assert folder_names.study_fault("mine.db") == ""


def test_the_kit_writes_what_is_reserved():
    assert budget.FILE == paths.SPENDING_LOG
    assert runner.REPORT == paths.REPORT
    for name in (paths.SPENDING_LOG, paths.REPORT, paths.TRACKER_LOGS):
        assert folder_names.domain_fault(name)


def test_domains_of_one_study_are_apart_on_every_disk():
    assert folder_names.joint_domains_fault(["a", "b"]) == ""
    assert "'a' and 'A' are one folder" in folder_names.joint_domains_fault(
        ["a", "b", "A"]
    )
    many = [f"domain-{number}" for number in range(30)]
    assert "289 characters together" in folder_names.joint_domains_fault(many)


def test_a_disk_that_ignores_case_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "demo").mkdir()
    assert folder_names.name_on_disk(tmp_path / "demo") == ""
    assert folder_names.name_on_disk(tmp_path / "Demo") == ""
    monkeypatch.setattr(Path, "exists", lambda self: True)
    assert folder_names.name_on_disk(tmp_path / "Demo") == "demo"
