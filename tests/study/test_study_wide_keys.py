"""Keys at a study's top that one step alone has: `style`, and those of its kind."""

import fake_study
import pytest

from phi_kit import domains
from phi_kit.core.errors import StudyError
from phi_kit.study import config

OWN = """\
domains:
  towns:
    verifier: exact
    STYLE: think
    sources: [{path: FILE, question: Question, answer: Answer}]
  math: {}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "towns.csv").write_text("Question,Answer\nCapital of Italy?,Rome\n")

    def load(text, *sets):
        (tmp_path / "demo.yaml").write_text(
            text.replace("FILE", str(tmp_path / "towns.csv"))
        )
        return config.load(tmp_path / "demo.yaml", sets)

    return load


def styles(study):
    found = [unit for unit in study.units() if unit.step == "pick_domain"]
    return {unit.domain: unit.params.style for unit in found}


def faults(load, text, *sets):
    with pytest.raises(StudyError) as caught:
        load(text, *sets)
    return str(caught.value).splitlines()[1:]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("domains: [math, stem]\n", {"math": "steps", "stem": "steps"}),
        ("style: answer\ndomains: [math]\n", {"math": "answer"}),
        ("STYLE: think\ndomains: [math]\n", {"math": "think"}),
        (
            "style: think\ndomains:\n  math: {style: answer}\n  stem:\n",
            {"math": "answer", "stem": "think"},
        ),
        (
            "style: think\npick_domain: {style: answer}\ndomains: [math]\n",
            {"math": "answer"},
        ),
        (
            "domains:\n  math: {style: answer, pick_domain: {style: think}}\n",
            {"math": "think"},
        ),
        (
            "domains:\n  math: {style: answer, instruction: Say it.}\n",
            {"math": "answer"},
        ),
        (OWN, {"towns": "think", "math": "steps"}),
        (f"style: answer\n{OWN}", {"towns": "think", "math": "answer"}),
    ],
)
def test_a_study_has_a_style_and_a_domain_may_have_another(load, text, expected):
    assert styles(load(text)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("style=answer", {"math": "answer", "stem": "answer"}),
        ("math.style=answer", {"math": "answer", "stem": "think"}),
        ("pick_domain.style=answer", {"math": "answer", "stem": "answer"}),
        ("stem.pick_domain.STYLE=answer", {"math": "steps", "stem": "answer"}),
    ],
)
def test_the_command_line_has_the_last_word(load, given, expected):
    text = "style: think\ndomains:\n  math: {style: steps}\n  stem:\n"
    assert styles(load(text, given)) == expected


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "style: stepz\ndomains: [math, stem]\n",
            "line 1   style: input should be 'answer', 'steps' or 'think'; "
            "did you mean 'steps'? (it is 'stepz')",
        ),
        (
            "domains:\n  math:\n    style: thinking\n",
            "line 3   domains.math.style: input should be 'answer', 'steps' or "
            "'think'; did you mean 'think'? (it is 'thinking')",
        ),
        (
            "stile: answer\ndomains: [math]\n",
            "line 1   stile: unknown key; did you mean 'style'?",
        ),
        (
            "domains:\n  math: {styl: answer}\n",
            "line 2   domains.math.styl: unknown section; did you mean 'style'?",
        ),
        (
            "domains: [math]\nfilter_edge:\n  style: answer\n",
            "line 3   filter_edge.style: belongs to pick_domain; set it at the top",
        ),
        (
            "domains: [math]\nbenchmark: {max_tokens: 0}\nstyle: []\n",
            "line 3   style: input should be 'answer', 'steps' or 'think' (it is [])",
        ),
    ],
)
def test_faults_name_their_line(load, text, fault):
    assert f"  {fault}" in faults(load, text)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("style=stepz", "--set    style: input should be 'answer', 'steps' or 'think'"),
        ("mth.style=answer", "the study has no domain 'mth'; did you mean 'math'?"),
        ("math.stile=answer", "unknown section; did you mean 'style'?"),
        ("stile=answer", "unknown section; did you mean 'style'?"),
    ],
)
def test_faults_on_the_command_line(load, given, fault):
    (line,) = faults(load, "domains: [math]\n", given)
    assert fault in line


def test_any_step_may_have_such_keys(project, monkeypatch):
    monkeypatch.setattr(fake_study.Edge, "AT_TOP", ("note", "band"))
    text = "note: all\ndomains:\n  math: {note: mine, band: [0.1, 0.3]}\n  puzzles:\n"
    (project / "params" / "demo.yaml").write_text(text)
    study = config.load("params/demo.yaml", ["band=[0.3, 0.4]", "puzzles.note=5"])
    found = [unit.params for unit in study.units() if unit.step == "filter_edge"]
    assert [(p.note, p.band) for p in found] == [
        ("mine", [0.3, 0.4]),
        ("5", [0.3, 0.4]),
    ]


def test_a_domain_asks_in_its_studys_style(load):
    study = load(OWN.replace("math: {}", "math: {instruction: Say it.}"), "style=think")
    asked = {
        unit.domain: domains.of(unit.params)
        for unit in study.units()
        if unit.step == "pick_domain"
    }
    towns, math = asked["towns"], asked["math"]
    assert towns.style == math.style == "think"
    assert towns.thinking
    assert "<think>" in towns.instruction
    assert towns.instruction.endswith('write the answer after "Answer:".')
    assert math.instruction == "Say it."


def test_a_card_without_a_style_asked_for_the_bare_answer():
    class Card:
        domain = "math"

        def domain_card(self, name):
            return {"custom": None, "instruction": ""}

    assert domains.of(Card()).instruction == "Give only the answer."
    assert domains.of(Card()).style == "answer"
