"""Finished steps are found by their fingerprints, also those of other processes."""

import os

import fake_study
import pytest

from phi_kit.core.step_state import fingerprint, run_folder_path
from phi_kit.study.runner import run_lock
from phi_kit.study.sweep import finished_results
from phi_kit.study.sweep.finished_results import FinishedResults

FIRST = fake_study.Pick(study="toy")
OF_A_VARIANT = fake_study.Pick(study="demo/items-5", items=5)


@pytest.fixture
def results(runs):
    """Of a study and of a sweep's variant, both finished long ago."""
    fake_study.run(FIRST)
    fake_study.run(OF_A_VARIANT)
    for folder in [runs, *runs.rglob("*")]:
        os.utime(folder, (1e9, 1e9))
    return FinishedResults()


def found(results, params):
    folder = results.find(fingerprint(params))
    return folder.path if folder else None


def test_what_has_finished_is_found_wherever_it_is(results):
    for params in (FIRST, OF_A_VARIANT):
        assert found(results, params) == run_folder_path(params)
    assert found(results, fake_study.Pick(items=9)) is None


def run_as_a_command(params):
    with run_lock(params.study.split("/")[0]):
        fake_study.run(params)


def test_what_finishes_later_is_found_by_another_look(results):
    replaced = fake_study.Pick(study="toy", items=8)
    of_a_new_variant = fake_study.Pick(study="demo/items-7", items=7)
    after_it = fake_study.Edge(study="demo/items-7")
    for params in (replaced, of_a_new_variant, after_it):
        run_as_a_command(params)
        assert found(results, params) is None
        results.look_again()
        assert found(results, params) == run_folder_path(params)


def test_where_nobody_was_only_every_now_and_then_is_looked_into(results, monkeypatch):
    looked = []
    look = FinishedResults._look_into
    monkeypatch.setattr(
        FinishedResults,
        "_look_into",
        lambda self, folder: looked.append(folder) or look(self, folder),
    )
    monkeypatch.setattr(finished_results, "_TIMES_AS_LONG", 1e9)
    results = FinishedResults()
    root, everywhere = looked[0], len(looked)
    assert everywhere > 4
    looked.clear()
    results.look_again()
    assert looked == [root]
    run_as_a_command(fake_study.Pick(study="toy", items=8))
    results.look_again()
    assert {path.name for path in looked} == {root.name, "toy", "math"}
    by_hand = fake_study.Pick(study="demo/items-5", items=6)
    fake_study.run(by_hand)
    results.look_again()
    assert found(results, by_hand) is None
    results._everywhere_at = 0.0
    results.look_again()
    assert found(results, by_hand) == run_folder_path(by_hand)


def test_what_has_not_changed_is_not_read_again(results, monkeypatch):
    read = []
    monkeypatch.setattr(finished_results, "_fingerprint_in", read.append)
    results.look_again()
    assert read == []
    fake_study.run(fake_study.Pick(study="other"))
    results.look_again()
    assert [path.parts[-4] for path in read] == ["other"]
