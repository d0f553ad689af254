"""A notebook begins with a model, or cold from the recording that the kit carries."""

import os
import sqlite3
import warnings
from contextlib import closing
from types import SimpleNamespace

import pytest

from phi_kit.core.errors import RunError, StudyError
from phi_kit.core.replay_mode import REPLAY
from phi_kit.course import sample_source
from phi_kit.course.sample_source import as_recorded, begin, recorded_units
from phi_kit.steps import collect_seeds, filter_edge, pick_domain


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PHI_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(REPLAY, "")


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A small recording in place of the kit's."""
    ledger = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE said (words)")
        made.execute("INSERT INTO said VALUES ('seven')")
        made.commit()
        target = tmp_path / "packed.xz"
        sample_source.pack_ledger(ledger, target)
    monkeypatch.setattr(sample_source, "PACKED", target)
    return target


def test_a_recording_is_unpacked_once_and_whole(packed):
    ledger = sample_source.recorded_ledger()
    before = ledger.stat().st_mtime_ns
    assert sample_source.recorded_ledger() == ledger
    assert ledger.stat().st_mtime_ns == before
    assert [path.name for path in ledger.parent.iterdir()] == [ledger.name]
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as read:
        assert read.execute("SELECT words FROM said").fetchall() == [("seven",)]


def test_without_a_source_nothing_changes(packed):
    params = begin(pick_domain.Params, {"DEV_ITEMS": 5})
    assert params == pick_domain.Params(dev_items=5)
    assert os.environ[REPLAY] == ""


def test_a_cell_that_is_set_back_to_the_model_ends_the_replay(packed):
    os.environ[REPLAY] = str(sample_source.recorded_ledger())
    begin(pick_domain.Params, {"SOURCE": "model"})
    assert REPLAY not in os.environ


def test_a_replay_that_a_reader_has_set_stays(packed, tmp_path):
    os.environ[REPLAY] = str(tmp_path / "theirs.sqlite")
    begin(pick_domain.Params, {})
    assert os.environ[REPLAY] == str(tmp_path / "theirs.sqlite")


@pytest.mark.parametrize("advanced", [{"SOURCE": "recordd"}, "{SOURCE: recordd}"])
def test_a_source_with_a_typo_is_asked_about(packed, advanced):
    with pytest.raises(StudyError, match="did you mean 'recorded'"):
        begin(pick_domain.Params, {"ADVANCED": advanced})


def test_the_recorded_studys_parameters_hold_but_for_what_is_changed():
    (unit,) = [
        unit
        for unit in recorded_units()
        if unit.domain == "puzzles" and unit.step == "filter_edge"
    ]
    given = filter_edge.Params(domain="puzzles", band_high=0.6, samples=4)
    assert as_recorded(given) == unit.params.model_copy(update={"band_high": 0.6})
    named = filter_edge.Params(study="workshop", samples=3, domain="puzzles")
    assert as_recorded(named) == unit.params.model_copy(update={"samples": 3})


def test_a_replay_of_earlier_steps_can_be_stopped_and_raises_no_false_alarm(
    packed, monkeypatch
):
    """Both are set up before the first earlier step begins, not after the last."""
    sentences = []
    shell = SimpleNamespace(set_custom_exc=lambda kinds, show: sentences.append(kinds))

    def stopped(wanted):
        assert sentences == [(KeyboardInterrupt,)]
        for words in ("IProgress not found. Please update", "another"):
            warnings.warn(words, stacklevel=1)
        raise KeyboardInterrupt

    monkeypatch.setattr(sample_source, "_missing", stopped)
    cell = {"SOURCE": "recorded", "get_ipython": lambda: shell}
    with (
        warnings.catch_warnings(record=True) as seen,
        pytest.raises(KeyboardInterrupt),
    ):
        begin(collect_seeds.Params, cell)
    assert [str(one.message) for one in seen] == ["another"]


def test_another_study_name_is_kept_and_another_domain_refused():
    assert as_recorded(pick_domain.Params(study="mine")).study == "mine"
    with pytest.raises(StudyError, match="has no domain 'coding'"):
        as_recorded(pick_domain.Params(domain="coding"))


def test_what_the_first_cell_sets_is_the_same_for_every_domain():
    """A student changes DOMAIN alone, and all else in that cell still fits."""
    from phi_kit.course.project_folder import carried_files
    from phi_kit.study.notebook.execute import first_parameters

    seen = {}
    for unit in recorded_units():
        if not unit.domain:
            continue
        notebook = carried_files() / "notebooks" / f"{unit.params.STEP}.ipynb"
        names = {name.lower() for name in first_parameters(notebook)} - {"domain"}
        values = unit.params.model_dump(include=names)
        assert seen.setdefault(unit.step, values) == values


@pytest.mark.slow
def test_a_notebook_in_the_middle_starts_cold_and_its_figure_says_so(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    params = begin(collect_seeds.Params, {"ADVANCED": {"SOURCE": "recorded"}})
    assert "from the recording: 01 pick_domain math" in capsys.readouterr().out
    run = collect_seeds.run(params)
    assert run.run_folder.manifest["replayed"]
    assert "no model ran" in run.figure.words
    begin(filter_edge.Params, {"ADVANCED": {"SOURCE": "recorded"}})
    assert "from the recording" not in capsys.readouterr().out
    changed = {"ADVANCED": {"SOURCE": "recorded", "TEMPERATURE": 0.9}}
    with pytest.raises(RunError, match="recorded"):
        filter_edge.run(begin(filter_edge.Params, changed))
