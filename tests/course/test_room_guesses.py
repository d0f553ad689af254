"""A room's guesses are gathered from its people's files, beside what was measured."""

import json
import re

import fake_study
import pytest
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.course.guess_log import compare_guess, keep_guess
from phi_kit.course.room_guesses import guess_files, room_guesses
from phi_kit.stats.intervals import Accuracy

ABOUT = "accuracy of base on dev"
FOUND = Accuracy(0.125, 0.02, 0.47, 8)


@pytest.fixture
def person(tmp_path, monkeypatch):
    """Makes a person's run folders, with what she guessed and then measured."""

    def guessed(name, *guesses, found=FOUND, about=ABOUT, **params):
        monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "room" / name / "runs"))
        pick = fake_study.Pick(study="workshop", **params)
        for guess in guesses:
            keep_guess(pick, about, guess)
        if found:
            compare_guess(pick, about, found)

    return guessed


def gathered(*places):
    return room_guesses(guess_files(places, study="workshop"))


def test_forty_people_and_the_truth(person, tmp_path):
    """Thirty guess high, eight right, two guess again: only the last one counts."""
    for number in range(30):
        person(f"high-{number}", 0.6 + number / 100)
    for number in range(8):
        person(f"right-{number}", 0.1)
    for number in range(2):
        person(f"twice-{number}", 0.9, 0.0)
    (room,) = gathered(tmp_path / "room")
    assert len(room.guesses) == 40
    assert room.found == FOUND
    assert (room.late, room.otherwise) == (0, 0)
    words = room.figure.finding
    assert words.startswith(f"{ABOUT}: 40 guessed, the middle one ")
    assert "measured 12.5 % [2.0 to 47.0 %], n = 8".replace(" %", "\u00a0%") in words
    assert "8 inside the interval, 2 below it and 30 above" in words
    bars = room.figure.axes[0].containers[0]
    assert sum(bar.get_height() for bar in bars) == 40


def test_the_page_shows_every_question_and_nobodys_name(person, tmp_path):
    person("ada", 0.3)
    person("ada", 0.4, domain="puzzles", found=None)
    person("grace", 0.1)
    person("grace", -0.2, about="<b>gain</b>")
    page = tmp_path / "page.html"
    done = CliRunner().invoke(
        app, ["workshop", "guesses", str(tmp_path / "room"), "--out", str(page)]
    )
    assert done.exit_code == 0, done.output
    first, second, third, last = done.stdout.splitlines()
    assert first.startswith("01_pick_domain, math: <b>gain</b>: 1 guessed")
    assert second.startswith(f"01_pick_domain, math: {ABOUT}: 2 guessed")
    assert third.endswith("nothing is measured yet.")
    assert last == f"2 people, 3 questions: {page}"
    text = page.read_text()
    words = re.findall(r'alt="What did the room guess\? ([^"]+)"', text)
    assert len(words) == 3
    assert words[1] == " ".join(second.partition(": ")[2].split())
    assert "<b>" not in text
    assert "ada" not in re.sub(r"base64,[^\"]+", "", text)
    assert not re.search(r"(src|href)=.?https?:", text)


def test_late_guesses_are_counted_and_not_drawn(person, tmp_path):
    person("early", 0.3)
    person("late", found=None)
    fake_study.run(fake_study.Pick(study="workshop"))
    person("late", 0.12)
    (room,) = gathered(tmp_path / "room")
    assert (list(room.guesses), room.late) == ([0.3], 1)
    assert "1 guessed after the result" in room.figure.finding


def test_the_truth_is_what_most_people_measured(person, tmp_path):
    for name in ("a", "b"):
        person(name, 0.3)
    other = Accuracy(0.5, 0.4, 0.6, 100)
    person("changed a parameter", 0.4, found=other)
    (room,) = gathered(tmp_path / "room")
    assert (room.found, room.otherwise) == (FOUND, 1)
    assert "1 measured something else" in room.figure.note
    # Who changes it back has measured what the others have, also the second time.
    for found, left in ((FOUND, 0), (other, 1), (FOUND, 0)):
        person("changed a parameter", found=found)
        (room,) = gathered(tmp_path / "room")
        assert (room.found, room.otherwise) == (FOUND, left)


def test_a_guess_in_percent_is_said_to_be_off_the_scale(person, tmp_path):
    person("a", 30)
    (room,) = gathered(tmp_path / "room")
    assert "No guess that counts. 1 guessed beyond ±100 %" in room.figure.words
    person("b", 0.3)
    (room,) = gathered(tmp_path / "room")
    assert "1 guessed beyond ±100 %" in room.figure.note


def test_files_handed_in_count_under_any_name_and_once(person, tmp_path):
    for name in ("ada", "grace"):
        person(name, 0.3)
    handed_in = tmp_path / "handed in"
    handed_in.mkdir()
    kept = tmp_path / "room/ada/runs/workshop/guesses.jsonl"
    (handed_in / "table 3.jsonl").write_bytes(kept.read_bytes())
    (handed_in / "cut.jsonl").write_bytes(b'\xff{"step')
    (handed_in / "spent.jsonl").write_text('{"step": 1, "guess": "no"}\n[]\n')
    assert len(guess_files([handed_in], study="workshop")) == 1
    twice = [tmp_path / "room", kept, tmp_path / "room/ada/runs/workshop"]
    assert len(guess_files(twice, study="workshop")) == 2


@pytest.mark.parametrize(
    ("place", "words"), [("room", "nobody's guesses"), ("none", "no such file")]
)
def test_where_nobody_has_guessed_it_says_so(tmp_path, place, words):
    (tmp_path / "room").mkdir()
    done = CliRunner().invoke(app, ["workshop", "guesses", str(tmp_path / place)])
    assert done.exit_code == 1
    assert words in done.output


def test_another_studys_guesses_are_others(person, tmp_path):
    person("ada", 0.3)
    old = tmp_path / "room/ada/runs/workshop"
    old.rename(old.with_name("quickstart"))
    assert len(guess_files([tmp_path / "room"], study="quickstart")) == 1
    with pytest.raises(Exception, match="nobody's guesses on the study 'workshop'"):
        guess_files([tmp_path / "room"], study="workshop")


def test_what_was_found_is_kept_only_beside_a_guess(person, tmp_path):
    person("ada")
    assert not (tmp_path / "room").exists()
    for _ in range(2):
        person("ada", 0.3)
    file = tmp_path / "room/ada/runs/workshop/guesses.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [("guess" in one, "found" in one) for one in lines] == [
        (True, False),
        (False, True),
    ]
