"""A preview: a few rows with every gate's word, and what the rest would take."""

import pytest
from fake_models import Fake, stopped
from synthesis_study import SEEDS, as_json, study, taught, worded
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.core import step_table
from phi_kit.core.errors import RunError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.sample_counts import SampleCounts
from phi_kit.inference import completion
from phi_kit.steps.synthesize import Params
from phi_kit.study.row_preview import preview

NAMES = ["invalid", "text", "gold", "agreement", "sealed", "duplicate"]


def params(*transforms, **more):
    return Params(study="s", model="student", transforms=list(transforms), **more)


@pytest.mark.usefixtures("runs")
def test_a_few_rows_hear_every_gate_and_the_rest_is_estimated(monkeypatch):
    asked = []

    def say(prompt, draw, limit):
        asked.append(prompt)
        if "Rewrite a question" in prompt:
            (seed,) = [one for one in SEEDS if one.prompt in prompt]
            return stopped("INVALID" if len(asked) == 1 else as_json(worded(seed)))
        return stopped("I add them.\nAnswer: 0")

    study(monkeypatch, say, seeds=SEEDS)
    found = preview(params("paraphrase"), 4)
    assert len(found.rows) == 4
    *made, refused = found.rows
    assert refused.words == {"reply": "invalid"}
    for one in made:
        assert list(one.words) == [*NAMES, "second answer", "response"]
        assert [one.words[name] for name in NAMES] == ["ok"] * 6
        assert one.words["second answer"].startswith("no second answer agrees")
        assert one.words["response"] == "not looked at"  # nobody is paid for it
        assert not one.passes
    assert len(asked) == 4 + 2 * 3
    told = "\n".join(found.lines())
    assert f"All {len(SEEDS)} seeds would give about" in told
    assert "rows of paraphrase, of which 0 pass" in told
    # 10 samples for 4 of 18 seeds.
    assert "about 45 samples; 10 were drawn now, 10 of them new" in told
    assert "of 3 tokens each" in told
    assert not RunFolder.of("s", step_table.SYNTHESIZE, domain="math").finished


@pytest.mark.usefixtures("runs")
def test_with_the_gate_off_wrong_answers_pass_as_they_do_in_the_step(monkeypatch):
    def say(prompt, draw, limit):
        if "Rewrite a question" not in prompt:
            return stopped("I guess.\nAnswer: 0")
        (seed,) = [one for one in SEEDS if one.prompt in prompt]
        return stopped(as_json(worded(seed)))

    study(monkeypatch, say, seeds=SEEDS[:4])
    found = preview(params("paraphrase", gate="off"), 2)
    free = [name for name in NAMES if name != "agreement"]
    for one in found.rows:
        assert one.words == dict.fromkeys([*free, "response"], "ok")
        assert one.row.completion == "I guess.\nAnswer: 0"
    assert len(found.rows) == 2


@pytest.mark.usefixtures("runs")
def test_a_budget_holds_for_all_rows_together(monkeypatch):
    def say(prompt, draw, limit):
        (seed,) = [one for one in SEEDS if one.prompt in prompt]
        return stopped(as_json(worded(seed)))

    study(monkeypatch, say, seeds=SEEDS, teacher_budget=3)
    found = preview(params("paraphrase"), 4)
    *made, refused = found.rows
    assert refused.words == {"reply": "not asked (the teacher's budget was spent)"}
    for one in made:
        assert one.words["second answer"].startswith("not asked")


@pytest.mark.usefixtures("runs")
def test_a_bridge_hears_whether_it_is_likelier(monkeypatch):
    def say(prompt, draw, limit):
        (seed,) = [one for one in SEEDS if one.prompt in prompt]
        return stopped(taught(seed).replace("There are two days.", "I add."))

    study(monkeypatch, say, seeds=SEEDS, score="none")
    monkeypatch.setattr(completion, "token_counter", lambda _: Fake(None, "student"))
    (one,) = preview(params("bridge"), 1).rows
    assert one.words["response"] == "ok"
    assert one.words["likelier"] == "not scored (the student shows no weights)"


@pytest.mark.usefixtures("runs")
def test_offline_rows_cost_nothing(monkeypatch):
    study(monkeypatch, None, seeds=SEEDS, responses=["worked"])
    found = preview(params("swap", "backward"), 5)
    assert found.rows == []  # word problems of others are left alone
    assert list(found.lines())[-1] == "No model is asked: it costs nothing."
    found.counts = SampleCounts(asked=5, paid=5, scores=5, new_scores=5)
    assert list(found.lines())[-1] == "No model is asked: it costs nothing."
    found.tried["paraphrase"] += 18
    found.counts = SampleCounts(asked=9, paid=7, scores=5, new_scores=4, tokens=30)
    *_, asked, long = found.lines()
    assert asked.endswith("4 were drawn now, 3 of them new")
    assert long == "  of 10 tokens each"


@pytest.mark.usefixtures("runs")
def test_it_needs_the_steps_before_it():
    with pytest.raises(RunError, match="have not finished"):
        preview(params(), 3)


@pytest.mark.usefixtures("runs")
def test_the_command_shows_each_domain(monkeypatch, tmp_path):
    study(monkeypatch, None, seeds=SEEDS, responses=["worked"])
    file = tmp_path / "s.yaml"
    file.write_text("study: s\nmodel: student\ndomains: [math]\n")
    call = CliRunner().invoke
    done = call(app, ["synthesize", str(file), "--preview", "3"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("math:\n")
    assert "seeds would give about" in done.output
    done = call(app, ["synthesize", str(file), "--preview", "3", "--domain", "x"])
    assert done.exit_code == 1
