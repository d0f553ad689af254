"""A preview: a few rows with every gate's word, and what the rest would take."""

import pytest
from fake_models import stopped
from synthesis_study import SEEDS, as_json, study, worded
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.core import step_table
from phi_kit.core.errors import RunError
from phi_kit.core.finished_run import RunFolder
from phi_kit.steps.synthesize import Params
from phi_kit.study.row_preview import preview

NAMES = ["invalid", "text", "gold", "agreement", "sealed", "duplicate"]


def params(*transforms):
    return Params(study="s", model="student", transforms=list(transforms))


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
def test_offline_rows_cost_nothing(monkeypatch):
    study(monkeypatch, None, seeds=SEEDS, responses=["worked"])
    found = preview(params("swap", "backward"), 5)
    assert found.rows == []  # word problems of others are left alone
    assert list(found.lines())[-1] == "No model is asked: it costs nothing."


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
