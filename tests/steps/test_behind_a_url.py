"""Steps whose model is behind a URL, and a domain whose judge is."""

from __future__ import annotations

import json
import re

import pytest
from fault_server import MODEL, faulty, serving, well

from phi_kit.core.errors import ModelError, RunError, StudyError
from phi_kit.core.params import EndpointSettings
from phi_kit.core.step_state import up_to_date
from phi_kit.domains.custom import Definition
from phi_kit.steps import (
    benchmark,
    collect_seeds,
    expand_domains,
    filter_edge,
    pick_domain,
    probe_sft,
)
from phi_kit.study import config
from phi_kit.study.notebook.execute import notebook_parameters
from phi_kit.study.runner import run_study

KEY = "sk-this-key-must-never-be-seen"
SMALL = {"dev_items": 8, "test_items": 8, "samples": 2, "max_tokens": 8}
SETTINGS = {"patience": 20, "timeout": 5}
NOWHERE = f"http://127.0.0.1:1/v1#{MODEL}"


def step_1(name, **more):
    return pick_domain.Params(model=name, **SMALL | {"endpoint": SETTINGS} | more)


def says(answer):
    """A model that says the same to everything."""

    def behave(handler, request, number):
        message = {"role": "assistant", "content": answer}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        handler.answer(request, choices=[choice])

    return behave


def now_and_then(handler, request, number):
    """Says 8 to every other seed, in steps."""
    answer = 8 if request["seed"] % 2 else 9
    says(f"The rest cancels out.\nAnswer: {answer}")(handler, request, number)


@pytest.mark.slow
def test_step_1_through_a_faulty_server_ends_complete(runs, monkeypatch):
    monkeypatch.setenv("PHI_KIT_API_KEY", KEY)
    with serving(faulty(0.1)) as server:
        params = step_1(server.name)
        done = pick_domain.run(params).run_folder
    assert len(done.table("samples")) == 16
    assert done.manifest["params"]["model"] == server.name
    # The server is gone; what it said is there, and nothing has to be asked.
    assert up_to_date(params)
    assert up_to_date(step_1(server.name, endpoint={"budget_tokens": 10}))
    assert not up_to_date(step_1(server.name.replace(MODEL, "other")))
    written = [path for path in runs.rglob("*") if path.is_file()]
    assert runs / "quickstart" / "spent.jsonl" in written
    assert all(KEY.encode() not in path.read_bytes() for path in written)


@pytest.mark.slow
def test_a_recorded_server_need_not_be_there(runs, tmp_path, monkeypatch):
    with serving(well) as server:
        params = step_1(server.name)
        first = pick_domain.run(params).run_folder.manifest
    monkeypatch.setenv("PHI_KIT_REPLAY", str(runs / "ledger.sqlite"))
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "again"))
    again = pick_domain.run(params).run_folder.manifest
    assert again["replayed"] is True
    for part in ("digest", "fingerprint", "result"):
        assert again[part] == first[part]
    with pytest.raises(RunError, match=f"no sample 2 of {re.escape(server.name)}"):
        pick_domain.run(step_1(server.name, samples=3))
    with pytest.raises(RunError, match="has not recorded a model"):
        pick_domain.run(step_1(server.name.replace(MODEL, "other")))


@pytest.mark.slow
def test_the_budget_is_the_studys(runs):
    with serving(well) as server:
        few = {"budget_tokens": 800}
        with pytest.raises(RunError, match="budget is used up"):
            pick_domain.run(step_1(server.name, samples=20, endpoint=few))
        with pytest.raises(RunError, match="budget is used up"):
            pick_domain.run(step_1(server.name, domain="puzzles", endpoint=few))
    spent = (runs / "quickstart" / "spent.jsonl").read_text().splitlines()
    assert 400 < sum(json.loads(r)["in"] + json.loads(r)["out"] for r in spent) <= 800


@pytest.mark.parametrize("module", [probe_sft, expand_domains, benchmark])
def test_a_step_that_needs_weights_refuses_an_endpoint(module, runs):
    params = module.Params(model=NOWHERE)
    for begin in (
        lambda: module.run(params),
        lambda: module.Params.from_notebook(notebook_parameters(params)),
    ):
        with pytest.raises(ModelError) as caught:
            begin()
        said = str(caught.value)
        assert f"{params.STEP} needs the model's weights" in said
        assert f"--from {params.STEP.name} --set model=" in said


@pytest.mark.parametrize("module", [pick_domain, collect_seeds, filter_edge])
def test_a_step_that_samples_takes_one(module):
    params = module.Params(model=NOWHERE)
    assert params.from_namespace(notebook_parameters(params)) == params


def test_a_whole_study_is_refused_before_anything_is_asked(tmp_path, runs):
    path = tmp_path / "far.yaml"
    path.write_text(f"study: far\nmodel: {NOWHERE}\ndomains: [math]\n")
    said = []
    with pytest.raises(ModelError, match="04_probe_sft needs the model's weights"):
        run_study(config.load(path), say=said.append)
    assert not said
    assert not (runs / "far").exists()


def test_the_endpoint_section_is_typed(tmp_path):
    path = tmp_path / "far.yaml"
    path.write_text(
        f"study: far\nmodel: {NOWHERE}\ndomains: [math]\n"
        "endpoint:\n  budget_tokens: 1e5\n  budget_cots: 3\n  timeout: 0\n"
    )
    with pytest.raises(StudyError) as caught:
        config.load(path)
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == 3
    assert "line 5   endpoint.budget_tokens: input should be a valid int" in lines[0]
    assert (
        "endpoint.budget_cots: unknown parameter; did you mean 'budget_cost'"
        in (lines[1])
    )
    assert "line 7   endpoint.timeout: input should be greater than 0" in lines[2]


def test_a_model_that_cannot_be_an_address_is_a_fault_of_the_file(tmp_path):
    path = tmp_path / "far.yaml"
    path.write_text("study: far\nmodel: http://localhost:8000/v1\ndomains: [math]\n")
    with pytest.raises(StudyError, match=r"line 2   model: name the endpoint's model"):
        config.load(path)


def test_a_set_changes_one_setting_of_the_endpoint(tmp_path):
    path = tmp_path / "far.yaml"
    text = f"study: far\nmodel: {NOWHERE}\ndomains: [math]\n"
    path.write_text(text + "endpoint: {price_in: 1, price_out: 2}\n")
    for params in (
        unit.params
        for unit in config.load(
            path, ["endpoint.budget_cost=2.5", "endpoint.BUDGET_TOKENS=100"]
        ).units()
    ):
        assert params.endpoint == EndpointSettings(
            price_in=1, price_out=2, budget_cost=2.5, budget_tokens=100
        )
    path.write_text(text)
    with pytest.raises(StudyError, match=r"--set +endpoint\.budget_cost"):
        config.load(path, ["endpoint.budget_cost=-1"])


@pytest.mark.slow
def test_steps_2_and_3_go_on_from_there(runs, eights):
    common = {"domain": "eights", "endpoint": SETTINGS}
    with serving(now_and_then) as server:
        common["model"] = server.name
        own = definition(eights, "", verifier="numeric")
        pick_domain.run(pick_domain.Params(custom=own, **common, **SMALL))
        collect_seeds.run(collect_seeds.Params(near_duplicates=1.0, **common))
        done = filter_edge.run(filter_edge.Params(**common)).run_folder
    rows = done.table()
    assert (rows.tier == "teachable").sum() > 5
    assert (rows.tokens > 5).all()
    assert rows.control.sum() > 0
    # Nobody else has a way to these answers: the student's own is taught.
    assert set(done.table("responses").source) <= {"student", "few-shot"}
    assert (rows.responses[rows.tier == "teachable"] == 1).all()


# --- prompts that get no answer -------------------------------------------------

FILTER = {"error": {"message": "no such talk", "code": "content_filter"}}
LONG = {"error": {"message": "prompt is too long: 9 tokens > 8 maximum"}}


def choosy(body, refuses):
    """Says 8 now and then to what it does not refuse."""

    def behave(handler, request, number):
        if refuses(request["messages"][-1]["content"]):
            handler.send(400, body)
        else:
            now_and_then(handler, request, number)

    return behave


def asked(runs, params, behave, monkeypatch):
    """Step 1 on the items of `eights` at such a server."""
    monkeypatch.setenv("PHI_KIT_RUNS", str(runs))
    with serving(behave) as server:
        return pick_domain.run(params(server.name)).run_folder


def test_step_1_leaves_out_what_was_not_answered(runs, eights, monkeypatch, capsys):
    def params(name):
        own = definition(eights, "", verifier="numeric")
        more = {"domain": "eights", "custom": own, "families": []}
        return step_1(name, **more)

    done = asked(runs, params, choosy(FILTER, lambda p: "What is 1" in p), monkeypatch)
    samples = done.table("samples")
    gone = samples[samples.finish == "filtered"]
    assert 0 < len(gone) < len(samples)
    assert set(gone.verdict) == {"unknown"}
    assert set(gone.reason) == {"no answer: filtered by the endpoint"}
    assert done.result["unanswered"] == {"filtered": len(gone)}
    assert done.manifest["samples"]["unanswered"] == {"filtered": len(gone)}
    assert done.result["overall"]["n"] == 8 - gone.seed_id.nunique()
    kept = samples[samples.finish == "stop"]
    right = (kept.verdict == "right").groupby(kept.seed_id).mean().mean()
    assert done.result["overall"]["accuracy"] == pytest.approx(right)
    out = capsys.readouterr().out
    assert f"{len(gone)} of 16 have no answer: {len(gone)} filtered" in out


def test_a_family_that_is_not_answered_has_no_accuracy(runs, monkeypatch):
    """Which is not 0; the others have theirs."""

    def params(name):
        return step_1(name, endpoint=SETTINGS)

    behave = choosy(LONG, lambda prompt: "count how many legs" in prompt)
    done = asked(runs, params, behave, monkeypatch)
    scores = {row["family"]: row for row in done.result["scores"]}
    legs = scores.pop("legs")
    assert (legs["n"], legs["low"], legs["high"]) == (0, 0, 1)
    assert legs["accuracy"] != legs["accuracy"]
    assert {row["n"] for row in scores.values()} == {2}
    assert done.result["overall"]["n"] == 6
    assert done.result["unanswered"] == {"too_long": 4}


def test_step_1_where_nothing_is_answered_says_so(runs, monkeypatch):
    def params(name):
        return step_1(name)

    with pytest.raises(RunError, match="most prompts get no answer"):
        asked(runs, params, choosy(LONG, lambda p: True), monkeypatch)


@pytest.mark.slow
def test_step_3_calls_them_suspect(runs, eights):
    def refused(prompt):
        return bool(re.search(r"What is [12]\d? plus", prompt))

    common = {"domain": "eights", "endpoint": SETTINGS | {"unanswered": 0.9}}
    with serving(choosy(LONG, refused)) as server:
        common["model"] = server.name
        own = definition(eights, "", verifier="numeric")
        pick_domain.run(pick_domain.Params(custom=own, **common, **SMALL))
        collect_seeds.run(collect_seeds.Params(near_duplicates=1.0, **common))
        done = filter_edge.run(filter_edge.Params(**common)).run_folder
    rows = done.table()
    gone = rows[[refused(prompt) for prompt in rows.prompt]]
    assert len(gone) > 3
    assert set(gone.tier) == {"suspect"}
    assert set(gone.why) == {"no sample could be judged"}
    assert (gone.wrong == 0).all()
    again = done.table("responses").query("source == 'few-shot'")
    assert not set(again.seed_id) & set(gone.id)  # with examples it would be longer
    counted = (done.table("samples").finish == "too_long").sum()
    assert done.result["unanswered"] == {"too_long": int(counted)}


# --- judges --------------------------------------------------------------------


def judging(handler, request, number):
    """A judge that knows that 8 is right."""
    prompt = request["messages"][-1]["content"]
    mark = re.search(r"fenced by the mark (\w+)", prompt)[1]
    said = prompt.split(f"<<<RESPONSE {mark}\n")[1].split(f"\nRESPONSE {mark}>>>")[0]
    commits = " or " not in said
    agrees = commits and bool(re.match(r"(It is )?(8|eight)\b", said))
    met = json.dumps({"met": {"agrees": agrees, "commits": commits}, "reason": ""})
    says(met)(handler, request, number)


def definition(path, judge, *, verifier="judge"):
    source = {"path": str(path), "question": "Question", "answer": "Answer"}
    return Definition.model_validate(
        {"verifier": verifier, "judge_model": judge, "sources": [source]}
    )


@pytest.fixture
def eights(tmp_path):
    path = tmp_path / "eights.csv"
    lines = [f"What is {n} plus 8 minus {n}?,8" for n in range(60)]
    path.write_text("Question,Answer\n" + "\n".join(lines) + "\n")
    return path


def test_a_domain_of_ones_own_has_its_judge(runs, eights):
    with serving(judging) as judge, serving(says("It is eight.")) as server:
        params = step_1(
            server.name, domain="eights", custom=definition(eights, judge.name)
        )
        done = pick_domain.run(params).run_folder
    assert set(done.table("samples").verdict) == {"right"}
    assert done.result["overall"]["accuracy"] == 1


def test_another_judge_makes_step_1_stale(eights):
    one, two = (
        step_1(NOWHERE, domain="eights", custom=definition(eights, judge))
        for judge in (NOWHERE, NOWHERE + "-2")
    )
    assert one.external_digests() != two.external_digests()


def test_a_dead_judge_ends_the_run_and_judges_nothing(runs, eights):
    with serving(judging) as judge:
        pass
    params = step_1(
        NOWHERE, domain="eights", custom=definition(eights, judge.name)
    ).model_copy(update={"endpoint": EndpointSettings(patience=0.2)})
    with pytest.raises(RunError, match="does not answer"):
        pick_domain.run(params)
