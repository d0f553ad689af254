"""A guess is kept before the step runs, and stands beside the result afterwards."""

import json

import fake_study
import pytest

from phi_kit.core.errors import StudyError
from phi_kit.core.folder_names import domain_fault
from phi_kit.core.step_state import up_to_date
from phi_kit.course.guess_log import compare_guess, keep_guess
from phi_kit.stats.intervals import Accuracy

FOUND = Accuracy(0.5, 0.4, 0.6, 100)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path))
    return tmp_path


def test_no_guess_keeps_nothing_and_stops_nothing(runs):
    assert "No guess yet" in keep_guess(fake_study.Pick(), "accuracy", None)
    assert list(runs.iterdir()) == []
    assert compare_guess(fake_study.Pick(), "accuracy", FOUND) == (
        "accuracy: 0.50 (0.40 to 0.60). You made no guess."
    )


@pytest.mark.parametrize(
    ("guess", "words"),
    [
        (0.3, "You guessed 0.30, below the interval, by 0.10."),
        (0.9, "You guessed 0.90, above the interval, by 0.30."),
        (0.4, "You guessed 0.40, inside the interval: these items cannot tell you"),
        (1, "You guessed 1.00, above the interval, by 0.40."),
    ],
)
def test_a_guess_stands_beside_the_interval(runs, guess, words):
    params = fake_study.Pick()
    assert keep_guess(params, "accuracy", guess) == f"Kept: accuracy, {guess:g}."
    assert words in compare_guess(params, "accuracy", FOUND)


def test_guesses_of_other_steps_domains_and_matters_are_other_guesses(runs):
    keep_guess(fake_study.Pick(), "accuracy", 0.1)
    for params, about in (
        (fake_study.Pick(domain="puzzles"), "accuracy"),
        (fake_study.Edge(), "accuracy"),
        (fake_study.Pick(), "share kept"),
        (fake_study.Pick(study="other"), "accuracy"),
    ):
        assert "You made no guess" in compare_guess(params, about, FOUND)


def test_the_last_guess_before_the_result_counts(runs):
    params = fake_study.Pick()
    for guess in (0.1, 0.2, 0.2):
        keep_guess(params, "accuracy", guess)
    fake_study.run(params)
    late = keep_guess(params, "accuracy", 0.5)
    assert late.endswith("The result was there already, so it counts as a late one.")
    assert "You guessed 0.20, below" in compare_guess(params, "accuracy", FOUND)
    lines = (runs / "quickstart/guesses.jsonl").read_text().splitlines()
    kept = [json.loads(line) for line in lines]
    assert [one["guess"] for one in kept if "guess" in one] == [0.1, 0.2, 0.5]
    # Nothing a reader guesses makes a finished step stale.
    assert up_to_date(params)


def test_who_comes_back_to_an_earlier_guess_has_guessed_that(runs):
    params = fake_study.Pick()
    for guess in (0.1, 0.2, 0.1):
        keep_guess(params, "accuracy", guess)
    assert "You guessed 0.10, below" in compare_guess(params, "accuracy", FOUND)


def test_a_guess_made_after_the_result_is_said_to_be_one(runs):
    params = fake_study.Pick()
    fake_study.run(params)
    keep_guess(params, "accuracy", 0.5)
    said = compare_guess(params, "accuracy", FOUND)
    assert said.endswith("You had seen the result when you made it.")


@pytest.mark.parametrize("guess", ["0.3", True, [0.3]])
def test_a_guess_is_a_number(runs, guess):
    with pytest.raises(StudyError, match="a guess is a number"):
        keep_guess(fake_study.Pick(), "accuracy", guess)


def test_a_line_that_a_crash_cut_is_passed_over(runs):
    params = fake_study.Pick()
    keep_guess(params, "accuracy", 0.3)
    with (runs / "quickstart/guesses.jsonl").open("a") as file:
        file.write('3\n{"step": "01_p')
    assert "You guessed 0.30" in compare_guess(params, "accuracy", FOUND)


def test_no_domain_is_called_like_the_file():
    assert domain_fault("guesses.jsonl")
