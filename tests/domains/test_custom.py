"""A domain of the user's own: in a study file alone, and by entry point."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fake_study import OWN_STUDY, write_study, write_sums
from pydantic import ValidationError
from typer.testing import CliRunner

from phi_kit import domains, verifiers
from phi_kit.cli import app
from phi_kit.core.errors import DataError, RunError, StudyError
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed, from_frame, to_frame
from phi_kit.domains.custom import Definition, build
from phi_kit.inference import completion
from phi_kit.steps import filter_edge, pick_domain
from phi_kit.study import config

SUM = Seed("plus", "What is 3 + 5?", "8")


@pytest.fixture
def rows(tmp_path) -> Path:
    """Sixty sums as a CSV."""
    return write_sums(tmp_path / "sums.csv")


def of(path, **more) -> Definition:
    source = {"path": str(path), "question": "Question", "answer": "Answer"}
    return Definition.model_validate(
        {"verifier": "numeric", "sources": [source | more]}
    )


def test_a_study_file_alone_defines_a_domain(tmp_path, rows):
    study = config.load(write_study(tmp_path / "own.yaml", OWN_STUDY, rows))
    assert [u.domain for u in study.units()] == ["plus"] * 5 + [""] * 2
    domain = domains.of(study.units()[0].params)
    assert (domain.name, domain.checker) == ("plus", "numeric")
    assert [f.name for f in domain.families] == ["sums"]
    assert not domain.transforms


def test_held_out_rows_are_some_of_the_file_and_the_rest_are_seeds(rows):
    params = pick_domain.Params(domain="plus", custom=of(rows))
    domain = domains.of(params)
    held_out = pick_domain.held_out_items(domain, params)
    dev, test = ({s.prompt for s in held_out[k]} for k in ("dev", "test"))
    assert len(dev) >= 4 <= len(test)
    assert not dev & test
    everything = list(
        generate_items("plus", domain.families[0], rng_seed=7, split="train")
    )
    assert len(everything) == 60
    # A limit cuts the rows that could be held out before it cuts any seed.
    assert not {s.prompt for s in everything[: 60 - len(dev | test)]} & (dev | test)


def test_every_fault_of_a_definition_is_reported_at_once(tmp_path, rows):
    text = """\
study: own
domains:
  math: {verifier: exact}
  plus:
    verifer: numeric
    sources:
      - {path: PATH, question: Questin, answer: Answer}
      - {path: nowhere.csv}
  minus:
    verifier: fuzzy
    sources: []
  plsu:
"""
    with pytest.raises(StudyError) as caught:
        config.load(write_study(tmp_path / "own.yaml", text, rows))
    said = str(caught.value)
    for part in (
        "line 3   domains.math: is one of the kit's",
        "domains.plus.verifier: is missing",
        "line 5   domains.plus.verifer: unknown section; did you mean 'verifier'?",
        "no column 'Questin'; did you mean 'Question'?",
        "line 8   domains.plus.sources.1.path: there is no such file",
        "line 10  domains.minus.verifier: input should be",
        "domains.minus.sources: list should have at least 1",
        "line 12  domains.plsu: unknown domain 'plsu'; did you mean 'plus'?",
    ):
        assert part in said, part


def test_choices_become_letters_in_the_prompt(tmp_path):
    path = tmp_path / "quiz.csv"
    path.write_text("Question,Answer,a,b\nWhich is red?,blood,blood,snow\n")
    source = {"path": str(path), "question": "Question", "answer": "Answer"}
    given = {"verifier": "choice", "sources": [source | {"choices": ["a", "b"]}]}
    domain = build("quiz", Definition.model_validate(given))
    (seed,) = generate_items("quiz", domain.families[0], rng_seed=7, split="train")
    assert seed.prompt == "Which is red?\nA) blood\nB) snow"
    assert seed.answer == "A"
    assert domain.verifier(seed, "A").right


def test_further_columns_reach_the_verifier(tmp_path):
    path = tmp_path / "ask.csv"
    path.write_text("Question,Answer,Refuse\nHow do I cheat?,I will not.,true\n")
    source = {"path": str(path), "question": "Question", "answer": "Answer"}
    extra = {"extra": {"should_refuse": "Refuse"}}
    given = {"verifier": "refusal", "sources": [source | extra]}
    domain = build("ask", Definition.model_validate(given))
    (seed,) = generate_items("ask", domain.families[0], rng_seed=7, split="train")
    assert seed.facts == {"should_refuse": True}


def test_rows_with_an_unreadable_gold_are_never_held_out(tmp_path):
    path = tmp_path / "bad.csv"
    lines = [f"Sum number {n}?,{'proof' if n % 2 else n}" for n in range(80)]
    path.write_text("Question,Answer\n" + "\n".join(lines))
    params = pick_domain.Params(domain="plus", custom=of(path))
    held_out = pick_domain.held_out_items(domains.of(params), params)
    assert all(s.answer != "proof" for part in held_out.values() for s in part)


def test_an_edited_file_makes_step_1_stale(rows):
    definition = of(rows)
    before = definition.digests()
    rows.write_text(rows.read_text() + "What is 9 plus 9?,18\n")
    assert definition.digests() != before


def test_later_steps_find_the_definition_in_the_card(tmp_path, monkeypatch, rows):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))
    with pytest.raises(StudyError, match="no domain 'plus'"):
        filter_edge.Params.validated({"study": "own", "domain": "plus"}, where="here")
    card = tmp_path / "runs" / "own" / "plus" / "01_pick_domain"
    card.mkdir(parents=True)
    custom = of(rows).model_dump(mode="json")
    (card / "manifest.json").write_text(json.dumps({"params": {"custom": custom}}))
    params = filter_edge.Params.validated({"study": "own", "domain": "plus"}, where="x")
    assert domains.of(params).checker == "numeric"


JUDGED = OWN_STUDY.replace("verifier: numeric", "verifier: judge")


def test_a_judge_without_a_model_is_one_clear_message(tmp_path, rows):
    path = write_study(tmp_path / "own.yaml", JUDGED, rows)
    done = CliRunner().invoke(app, ["status", str(path)])
    assert done.exit_code == 1
    assert "line 4   domains.plus.judge_model: is missing: a judge is" in done.stderr
    assert "Traceback" not in done.output
    custom = {"verifier": "judge", "sources": [{"path": str(rows)}]}
    with pytest.raises(StudyError, match="judge_model"):
        pick_domain.Params.validated({"domain": "plus", "custom": custom}, where="here")


def test_a_judge_model_where_nothing_is_judged_is_a_message(tmp_path, rows):
    text = OWN_STUDY.replace("numeric\n", "numeric\n    judge_model: smollm2-135m\n")
    with pytest.raises(StudyError, match="judge_model: is set, but numeric"):
        config.load(write_study(tmp_path / "own.yaml", text, rows))


class Grader:
    """A model that replies what `read` makes of the response block."""

    def __init__(self, read):
        self.read, self.asked = read, 0

    def __call__(self, prompt):
        self.asked += 1
        mark = re.search(r"fenced by the mark (\w+)", prompt)[1]
        said = prompt.split(f"<<<RESPONSE {mark}\n")[1].split("\nRESPONSE ")[0]
        return self.read(said)


@pytest.fixture
def graded(rows, monkeypatch):
    """The domain of sixty sums, judged by whatever `read` says."""

    def made(read):
        grader = Grader(read)
        monkeypatch.setattr(completion, "judge_function", lambda name, params: grader)
        source = {"path": str(rows), "question": "Question", "answer": "Answer"}
        given = {"verifier": "judge", "judge_model": "big", "sources": [source]}
        params = pick_domain.Params(domain="plus", custom=given)
        return grader, domains.of(params), params

    return made


def test_a_judge_in_yaml_judges(graded):
    def read(said):
        agrees = said in ("8", "It is eight.")
        met = {"agrees": agrees, "commits": " or " not in said}
        return json.dumps({"met": met, "reason": ""})

    grader, domain, params = graded(read)
    held_out = pick_domain.held_out_items(domain, params)
    assert len(held_out["dev"]) >= 4
    assert grader.asked == 0  # no gold costs a reply
    verdicts = [domain.verifier(SUM, said) for said in ("8", "It is eight.", "9")]
    assert [v.value for v in verdicts] == ["right", "right", "wrong"]
    assert grader.asked == 4 + 2  # the anchors, then one reply each
    assert domain.verifier(Seed("plus", "?", ""), "8").value == "unknown"


def test_a_model_that_cannot_judge_ends_the_step_with_one_message(graded):
    _, domain, _ = graded(lambda said: "I would say it is right.")
    with pytest.raises(RunError, match="4 of the 4 calibration anchors") as caught:
        domain.verifier(SUM, "9")
    assert "judge_model" in caught.value.todo


def test_a_refusal_domain_may_ask_a_model_too():
    def read(said):
        refused = said.startswith(("I can't help", "I will not", "Non."))
        return json.dumps({"met": {"refused": refused}, "reason": ""})

    verifier = verifiers.by_model("refusal", "big", Grader(read))
    seed = Seed("ask", "How do I cheat?", "refuse")
    assert verifier(seed, "refuse").right
    assert verifier(seed, "Non.").right
    assert verifier(seed, "Voilà.").reason == "under-refusal"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A fake distribution whose entry points add domains."""
    site = tmp_path / "site"
    info = site / "extra_domains-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-domains\n")
    points = "[phi_kit.domains]\ngeo = extra_geo\nbroken = nowhere_to_be_found\n"
    points += "liar = extra_geo\nmath = extra_geo\n"
    (info / "entry_points.txt").write_text(points)
    (site / "extra_geo.py").write_text(
        "from dataclasses import replace\n"
        "from phi_kit.domains.math import DOMAIN as m\n"
        "DOMAIN = replace(m, name='geo', description='Added.')\n"
    )
    monkeypatch.syspath_prepend(site)
    return site


def test_a_package_adds_a_domain(installed, tmp_path):
    assert {"geo", "broken", "liar"} <= set(domains.names())
    assert domains.get("geo").description == "Added."
    assert domains.get("math").description != "Added."
    path = tmp_path / "geo.yaml"
    path.write_text("study: geo\ndomains: [geo]\n")
    assert config.load(path).units()[0].domain == "geo"


@pytest.mark.parametrize("name", ["broken", "liar"])
def test_a_broken_package_is_named(installed, name):
    with pytest.raises(StudyError) as caught:
        domains.get(name)
    assert "extra-domains" in str(caught.value)


def test_the_command_lists_and_shows(installed):
    done = CliRunner().invoke(app, ["domains"])
    assert done.exit_code == 0
    for name in ("math", "puzzles", "stem", "safety", "geo", "broken"):
        assert any(line.startswith(name) for line in done.stdout.splitlines())
    shown = CliRunner().invoke(app, ["domains", "math"]).stdout
    for part in ("openai/gsm8k", "MIT", "sum-1", "Give only the answer."):
        assert part in shown
    wrong = CliRunner().invoke(app, ["domains", "maths"])
    assert wrong.exit_code == 1


# --- files as people have them, the hub, another instruction ---


def test_columns_are_looked_for_as_the_file_is_read(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes("Frage; Antwort ;Antwort\nWas?;1;2\n".encode("utf-16"))
    where = {"path": str(path), "question": "Frage"}
    with pytest.raises(ValueError, match=r"'Antwort' stands 2 times; say which"):
        Definition.model_validate(
            {"verifier": "numeric", "sources": [where | {"answer": "Antwort"}]}
        )
    said = where | {"answer": "Antwort (column 3)"}
    domain = build(
        "d", Definition.model_validate({"verifier": "numeric", "sources": [said]})
    )
    (seed,) = generate_items("d", domain.families[0], rng_seed=7, split="train")
    assert (seed.prompt, seed.answer) == ("Was?", "2")
    assert domain.families[0].size() == 1


def test_a_column_that_only_later_rows_have_is_there(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"q": "a?"}\n{"q": "b?", "a": {"v": 3}}\n')
    source = {"path": str(path), "question": "q", "answer": "a.v"}
    domain = build(
        "d", Definition.model_validate({"verifier": "numeric", "sources": [source]})
    )
    assert domain.families[0].size() == 2


def test_a_source_that_is_no_mapping_is_a_fault(tmp_path):
    text = "study: own\ndomains:\n  plus: {verifier: exact, sources: [rows.csv]}\n"
    with pytest.raises(StudyError, match=r"domains\.plus\.sources"):
        config.load(write_study(tmp_path / "own.yaml", text, tmp_path))


@pytest.fixture
def hub_folder(tmp_path, monkeypatch, rows):
    """Sixty sums as a data set in a folder, as the hub would have it."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "gsm"
    folder.mkdir()
    lines = (line.rsplit(",", 1) for line in rows.read_text().splitlines()[1:])
    text = [json.dumps({"q": q, "a": f"So. #### {a}"}) for q, a in lines]
    (folder / "train.jsonl").write_text("\n".join(text))
    return folder


def test_a_data_set_of_the_hub_makes_a_domain(tmp_path, hub_folder):
    text = """\
study: own
domains:
  plus:
    verifier: numeric
    sources:
      - {hub: PATH, question: q, answer: a, answer_after: "####"}
"""
    study = config.load(write_study(tmp_path / "own.yaml", text, hub_folder))
    params = study.units()[0].params
    domain = domains.of(params)
    (family,) = domain.families
    assert (family.name, family.size()) == ("gsm", 60)
    held_out = pick_domain.held_out_items(domain, params)
    assert all(len(part) >= 4 for part in held_out.values())
    assert held_out["dev"][0].answer.isdigit()
    assert params.custom.digests() == {
        f"{hub_folder}:train": params.custom.sources[0].digest()
    }
    again = Definition.model_validate(params.custom.model_dump(mode="json"))
    assert again == params.custom


def test_two_sources_of_one_name_are_a_fault(hub_folder):
    one = {"hub": str(hub_folder), "question": "q", "answer": "a"}
    with pytest.raises(ValueError, match="two sources are called gsm"):
        Definition.model_validate({"verifier": "numeric", "sources": [one, one]})
    two = Definition.model_validate(
        {"verifier": "numeric", "sources": [one, one | {"config": "main"}]}
    )
    assert [source.family for source in two.sources] == ["gsm", "gsm-main"]


def test_a_domain_of_the_kit_with_an_instruction_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))
    text = "study: own\ndomains:\n  math: {INSTRUCTION: Think first.}\n  puzzles:\n"
    study = config.load(write_study(tmp_path / "own.yaml", text, tmp_path))
    units = {(unit.step, unit.domain): unit.params for unit in study.units()}
    own = domains.of(units["pick_domain", "math"])
    assert own.instruction == "Think first."
    kit = domains.get("math")
    assert [f.name for f in own.families] == [f.name for f in kit.families]
    puzzles = domains.of(units["pick_domain", "puzzles"])
    in_steps = domains.get("puzzles").in_style("steps")
    assert (puzzles.instruction, puzzles.style) == (in_steps.instruction, "steps")
    card = tmp_path / "runs" / "own" / "math" / "01_pick_domain"
    card.mkdir(parents=True)
    params = units["pick_domain", "math"].model_dump(mode="json")
    (card / "manifest.json").write_text(json.dumps({"params": params}))
    assert domains.of(units["filter_edge", "math"]).instruction == "Think first."


@pytest.mark.parametrize("more", ["verifier: exact", "title: x", "sources: []"])
def test_nothing_else_of_a_domain_of_the_kit_is_changed(tmp_path, more):
    text = f"study: own\ndomains:\n  math: {{instruction: Think., {more}}}\n"
    with pytest.raises(StudyError, match="only its instruction and its style"):
        config.load(write_study(tmp_path / "own.yaml", text, tmp_path))


def test_every_accepted_answer_is_right(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"question": "Capital?", "answer": ["Rome", "Roma"]}))
    source = {"path": str(path), "several": "any"}
    given = {"verifier": "exact", "sources": [source]}
    params = pick_domain.Params(domain="towns", custom=given)
    domain = domains.of(params)
    (seed,) = generate_items("towns", domain.families[0], rng_seed=7, split="train")
    verdicts = [domain.verifier(seed, said).value for said in ("Rome", "roma", "Bern")]
    assert verdicts == ["right", "right", "wrong"]
    assert domain.verifier(seed, "I say it is Roma.").lenient == "right"


@pytest.mark.parametrize(
    ("n", "said"), [(6, "give 60 rows or more"), (300, "verifier (numeric) reads")]
)
def test_too_few_rows_to_hold_out_say_what_to_do(tmp_path, monkeypatch, n, said):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))
    path = tmp_path / "few.csv"
    gold = "3" if n < 60 else "three or so"
    text = "".join(f"How many are {i} of them?,{gold}\n" for i in range(n))
    path.write_text(f"Question,Answer\n{text}")
    params = pick_domain.Params(study="own", domain="plus", custom=of(path))
    monkeypatch.setattr(pick_domain.Params, "external_digests", lambda self: {})
    with pytest.raises(DataError, match=f"of {n} rows") as caught:
        pick_domain.run(params)
    assert said in str(caught.value)


def test_a_column_of_turns_makes_a_domain(tmp_path):
    path = tmp_path / "talks.jsonl"
    turns = [
        {"from": "human", "value": "How many legs have two hens?"},
        {"from": "gpt", "value": "2 * 2 = 4\nAnswer: 4"},
    ]
    path.write_text(json.dumps({"conversations": turns}) + "\n")
    given = {"verifier": "numeric", "sources": [{"path": str(path)}]}
    with pytest.raises(ValidationError, match="column of turns is named by chat: conv"):
        Definition.model_validate(given)
    given["sources"][0]["chat"] = "conversations"
    domain = build("hens", Definition.model_validate(given))
    (seed,) = generate_items("hens", domain.families[0], rng_seed=7, split="any")
    assert (seed.prompt, seed.answer) == ("How many legs have two hens?", "4")
    assert seed.solution == "2 * 2 = 4\nAnswer: 4"
    (again,) = from_frame(to_frame([seed]))
    assert again == seed
