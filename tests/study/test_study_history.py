"""Every benchmark over time, beside what was published."""

import scored

from phi_kit.core.paths import runs_root
from phi_kit.study.study_history import past_scores, write_history


def test_every_finished_study_stands_in_the_history(runs):
    scored.finish("first")
    scored.finish("sweep/variant")
    history = past_scores()
    assert sorted(history) == ["gsm8k", "math", "math-500"]
    assert {past.study for past in history["gsm8k"]} == {"first", "sweep/variant"}
    assert len(history["gsm8k"]) == 4  # base and final of both
    final = next(past for past in history["gsm8k"] if past.model == "first-final")
    assert final.task.score.accuracy == 0.75
    assert final.task.score.low < 0.75 < final.task.score.high


def test_the_page_stands_by_itself(runs):
    scored.finish("first")
    page = write_history()
    text = page.read_text()
    assert page == runs_root() / "history.html"
    assert "first-final" in text
    assert "75" in text
    assert "75.3" in text  # AIME 2024, as published
    assert "<script" not in text
    assert 'src="http' not in text


def test_without_a_study_it_says_so(runs):
    assert "No study has finished step 7 yet" in write_history().read_text()


def test_a_damaged_study_is_left_out(runs):
    scored.finish("whole")
    step = scored.finish("broken")
    (runs_root() / "broken" / step.folder / "samples.parquet").write_bytes(b"x")
    assert {past.study for past in past_scores()["math"]} == {"whole"}
