"""Where the time of a study went, from manifests and executed notebooks."""

import json

import fake_study
import pytest

from phi_kit.core.finished_run import RunFolder
from phi_kit.study.time_use import time_use


@pytest.fixture
def folder(tmp_path):
    """A step that sampled 90 s and trained 60.5 s of its 200.4 s, to 10:20:30."""
    fake_study.write_manifest(tmp_path / "step", {})
    return RunFolder(tmp_path / "step")


def noted(began, ended):
    """What papermill notes; nothing of what has not come to its end."""
    times = {"start_time": began, "end_time": ended}
    return {
        "papermill": {
            name: clock and f"2026-03-01T{clock}+00:00" for name, clock in times.items()
        }
    }


def note(folder, began, *cells, ended=None):
    """An executed notebook; of each cell the start and the end."""
    book = {
        "metadata": noted(began, ended),
        "cells": [
            {"cell_type": "markdown", "metadata": {}},
            *({"metadata": noted(*times)} for times in cells),
        ],
    }
    (folder.path / "notebook.ipynb").write_text(json.dumps(book))


def test_the_notebook_around_a_step_counts(folder):
    note(
        folder,
        "10:16:00",
        ("10:16:02.5", "10:16:03"),
        ("10:17:10", "10:20:31"),
        ended="10:21:00",
    )
    use = time_use([folder])
    assert (use.total, use.sampling, use.training, use.kernels) == (300, 90, 60.5, 2.5)
    assert use.elsewhere == pytest.approx(149.5 / 300)
    assert time_use([folder], total=602).elsewhere == pytest.approx(0.75)


def test_what_a_lesson_draws_before_the_step_is_sampling(folder):
    lesson = {"spent_before": {"sampling": 6.0}}
    fake_study.write_manifest(folder.path, {}, **lesson)
    folder = RunFolder(folder.path)
    assert time_use([folder]).sampling == 90  # by hand: nobody knows how long it took
    note(folder, "10:16:00", ("10:16:02.5", "10:20:31"), ended="10:21:00")
    assert time_use([folder]).sampling == 96


def test_a_notebook_that_still_runs_counts_as_far_as_it_is(folder):
    note(
        folder,
        "10:16:00",
        ("10:16:01", "10:20:40"),
        ("10:20:40", None),  # the cell that writes the report
    )
    assert time_use([folder]).total == 280


@pytest.mark.parametrize(
    ("began", "ended"),
    [
        ("10:30:00", "10:31:00"),  # a later attempt, that failed
        ("09:00:00", "09:10:00"),  # an earlier one; then run by hand
    ],
)
def test_a_notebook_of_another_attempt_does_not(folder, began, ended):
    note(folder, began, (began, ended), ended=ended)
    use = time_use([folder])
    assert (use.total, use.kernels) == (200.4, 0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"metadata": {}, "cells": [{}]}'])
def test_a_notebook_that_says_nothing_does_not(folder, text):
    (folder.path / "notebook.ipynb").write_text(text)
    assert time_use([folder]).total == 200.4


@pytest.mark.parametrize("more", [{"spent": None}, {"replayed": True}])
def test_a_step_that_does_not_say_leaves_nothing_to_say(folder, tmp_path, more):
    fake_study.write_manifest(tmp_path / "other", {}, **more)
    assert time_use([folder]) is not None
    assert time_use([folder, RunFolder(tmp_path / "other")]) is None
    assert time_use([]) is None
