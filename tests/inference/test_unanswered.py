"""Prompts that a server does not answer: through a draw, the ledger and a step."""

import json
import sqlite3
import threading

import pytest
from fault_server import serving, well

from phi_kit.core.errors import ModelError, PhiKitError, RunError
from phi_kit.core.params import EndpointSettings
from phi_kit.core.sample_counts import count_samples
from phi_kit.inference import completion
from phi_kit.inference.completion import completion_function
from phi_kit.inference.draw import draw
from phi_kit.inference.endpoint.client import Endpoint
from phi_kit.inference.endpoint.refusals import MAX_LOST_SHARE, MIN_REQUESTS
from phi_kit.inference.types import LostSamplesError, SamplingParams

SHORT = SamplingParams(max_tokens=8, temperature=0.7)
FILTER = {"error": {"message": "no such talk", "code": "content_filter"}}
LONG = {"error": {"message": "prompt is too long: 9 tokens > 8 maximum"}}
VAGUE = {"error": {"message": "no such luck"}}


def endpoint(name, **settings):
    settings = {"timeout": 5, "patience": 20, "concurrency": 8} | settings
    return Endpoint(name, EndpointSettings(**settings), tries=2, first_wait=0.01)


def refusing(prompts, status, body):
    """Answers everything but these prompts."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()

    def behave(handler, request, number):
        if request["messages"][-1]["content"] in prompts:
            handler.send(status, body)
        else:
            handler.answer(request)

    return behave


def drawn(model, n, k=1, **how):
    prompts = [model.render("", f"{i}?") for i in range(n)]
    return [s for one in draw(model, prompts, SHORT, k=k, **how) for s in one]


def finishes(runs):
    with sqlite3.connect(runs / "ledger.sqlite") as plain:
        return sorted(row[0] for row in plain.execute("SELECT finish FROM samples"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "body", "finish", "means"),
    [
        (400, FILTER, "filtered", "filtered by the endpoint"),
        (400, LONG, "too_long", "too long for the model's context"),
        (400, VAGUE, "refused", "refused by the endpoint"),
        (200, b"garbage", "failed", "no usable reply in any of its tries"),
    ],
)
@pytest.mark.parametrize("ledger", ["", "off"])
def test_one_prompt_costs_its_samples_and_no_others(
    runs, monkeypatch, capfd, status, body, finish, means, ledger
):
    monkeypatch.setenv("PHI_KIT_LEDGER", ledger)
    with serving(refusing({"3?"}, status, body)) as server, count_samples() as tally:
        found = drawn(endpoint(server.name), 20, k=2, label="seeds")
    assert [s.finish for s in found] == ["stop"] * 6 + [finish] * 2 + ["stop"] * 32
    assert {(s.text, s.tokens) for s in found[6:8]} == {("", 0)}
    out, err = capfd.readouterr()
    assert f"seeds: 2 of 40 have no answer: 2 {means}\n" in out
    assert ("3?" in err) == (finish != "failed")
    counted = tally.as_dict()
    assert counted["unanswered"] == {finish: 2}
    assert (counted["asked"], counted["paid"]) == (40, 38)


def test_what_was_filtered_stays_so_and_the_rest_is_asked_again(runs):
    bodies = {"0?": (400, FILTER), "1?": (400, LONG), "2?": (200, b"garbage")}

    def behave(handler, request, number):
        prompt = request["messages"][-1]["content"]
        if prompt in bodies:
            status, body = bodies[prompt]
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            handler.send(status, body)
        else:
            handler.answer(request)

    with serving(behave) as server:
        first = drawn(endpoint(server.name), 20)
        assert finishes(runs) == ["failed", "filtered", *["stop"] * 17, "too_long"]
        bodies.clear()  # the server is mended
        before = server.asked["POST"]
        again = drawn(endpoint(server.name), 20)
        assert server.asked["POST"] == before + 2
        assert [s.finish for s in again] == ["filtered", *["stop"] * 19]
        assert finishes(runs) == ["filtered", *["stop"] * 19]
        assert again[3:] == first[3:]
        assert drawn(endpoint(server.name), 20) == again
        assert server.asked["POST"] == before + 2


def test_a_replay_has_what_was_recorded(runs, monkeypatch):
    with serving(refusing({"3?"}, 200, b"garbage")) as server:
        model = endpoint(server.name)
        first = drawn(model, 20)
    monkeypatch.setenv("PHI_KIT_REPLAY", str(runs / "ledger.sqlite"))
    completion.load.cache_clear()
    assert drawn(completion.load(server.name), 20) == first
    completion.load.cache_clear()


def test_a_filtered_reply_is_paid_for(runs, tmp_path):
    def behave(handler, request, number):
        choice = {"message": {"content": "Take"}, "finish_reason": "content_filter"}
        handler.answer(request, **({"choices": [choice]} if number == 3 else {}))

    with serving(behave) as server, count_samples() as tally:
        settings = EndpointSettings(price_in=1, price_out=1, concurrency=1)
        drawn(Endpoint(server.name, settings, tmp_path), 9)
    assert len((tmp_path / "spent.jsonl").read_text().splitlines()) == 9
    assert tally.as_dict()["paid"] == 9
    assert tally.as_dict()["unanswered"] == {"filtered": 1}


# --- too many of them -------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 8, 32])
@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (FILTER, RunError, "most prompts get no answer: "),
        (LONG, RunError, "too long for the model's context"),
        (VAGUE, ModelError, "refuses the request (HTTP 400): no such luck"),
    ],
)
def test_a_server_that_refuses_everything_is_asked_little(
    runs, body, error, says, concurrency
):
    with serving(lambda h, r, n: h.send(400, body)) as server:
        with pytest.raises(error) as caught:
            drawn(endpoint(server.name, concurrency=concurrency), 500)
        assert server.asked["POST"] <= max(MIN_REQUESTS, concurrency)
    if concurrency < 32:
        assert says in str(caught.value)
    assert caught.value.todo


def test_slow_answers_are_waited_for():
    """Refusals come at once: 12 of 40, all of them before the first answer."""
    refused = {f"{i}?" for i in range(0, 40, 3)}

    def behave(handler, request, number):
        if request["messages"][-1]["content"] not in refused:
            handler.server.gate.wait(10)
        refusing(refused, 400, LONG)(handler, request, number)
        if handler.server.asked["POST"] >= 16:
            handler.server.gate.set()

    with serving(behave) as server:
        server.gate = threading.Event()
        found = drawn(endpoint(server.name, concurrency=16, timeout=20), 40)
    assert sum(s.finish == "too_long" for s in found) == len(refused)


def test_a_study_may_want_them_all_the_same():
    with serving(lambda h, r, n: h.send(400, FILTER)) as server:
        found = drawn(endpoint(server.name, unanswered=1), 40)
    assert {s.finish for s in found} == {"filtered"}


def test_a_study_may_want_none():
    with (
        serving(refusing({"30?"}, 400, LONG)) as server,
        pytest.raises(RunError, match="1 too long for the model's context, of"),
    ):
        drawn(endpoint(server.name, unanswered=0), 40)


def test_a_vague_refusal_of_all_is_no_matter_of_prompts(runs):
    with (
        serving(lambda h, r, n: h.send(400, VAGUE)) as server,
        pytest.raises(ModelError, match="no such luck"),
    ):
        drawn(endpoint(server.name), 3)
    assert finishes(runs) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("API key not valid. Please pass a valid API key.", "needs a key (HTTP 400)"),
        ("Incorrect API key provided: sk-…", "needs a key (HTTP 400)"),
        ("The model `toy-1b` does not exist", "refuses the request (HTTP 400)"),
        ("max_tokens is too large: this model supports 4", "refuses the request"),
        ("temperature does not support 0.7", "refuses the request"),
    ],
)
@pytest.mark.parametrize("concurrency", [1, 8])
def test_what_is_wrong_with_all_requests_ends_at_once(message, says, concurrency):
    """Where nothing was answered yet; after that it would be about the prompt."""
    body = {"error": {"message": message}}
    with serving(lambda h, r, n: h.send(400, body)) as server:
        with pytest.raises(ModelError, match="HTTP 400") as caught:
            drawn(endpoint(server.name, concurrency=concurrency), 100)
        assert server.asked["POST"] == concurrency
    assert says in str(caught.value)
    with serving(refusing({"9?"}, 400, body)) as server:
        found = drawn(endpoint(server.name, concurrency=1), 20)
    assert [s.finish for s in found].count("refused") == 1


def test_a_resumed_draw_knows_that_the_server_answers(runs):
    """One is left, and refused again: the others stand in the ledger."""
    vague = {"error": {"message": "temperature, seed and so on are not to my liking"}}
    with serving(refusing({"7?"}, 400, vague)) as server:
        first = drawn(endpoint(server.name), 20)
        assert first[7].finish == "refused"
        assert drawn(endpoint(server.name), 20) == first


@pytest.mark.parametrize("bad", [1, 5, 6, 20])
def test_a_quarter_may_be_lost(bad):
    prompts = {f"{i}?" for i in range(bad)}
    with serving(refusing(prompts, 200, b"garbage")) as server:
        model = endpoint(server.name)
        if bad <= MAX_LOST_SHARE * 20:
            found = drawn(model, 20)
            assert sum(s.finish == "failed" for s in found) == bad
        else:
            with pytest.raises(
                LostSamplesError, match=f"{bad} of 20 samples are missing"
            ):
                drawn(model, 20)


def test_a_dead_server_is_not_gone_on_without(runs):
    with serving(well) as server:
        name = server.name
    with pytest.raises(PhiKitError, match="does not answer"):
        drawn(endpoint(name, patience=0.2), 4)


# --- a budget in the middle -------------------------------------------------------


def test_nothing_that_arrived_is_asked_again(runs, tmp_path):
    with serving(well) as server:
        few = Endpoint(server.name, EndpointSettings(budget_tokens=400), tmp_path)
        with pytest.raises(RunError, match="budget is used up") as caught:
            drawn(few, 40)
        first = server.asked["POST"]
        assert 10 < first < 40
        assert "neither asked nor paid for again" in caught.value.todo
        more = Endpoint(server.name, EndpointSettings(budget_tokens=4000), tmp_path)
        assert len(drawn(more, 40)) == 40
        asked = [(r["messages"][-1]["content"], r["seed"]) for r in server.requests]
    assert len(asked) == len(set(asked)) == 40
    assert len((tmp_path / "spent.jsonl").read_text().splitlines()) == 40


def test_without_a_ledger_it_is_and_the_message_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_LEDGER", "off")
    with serving(well) as server:
        few = Endpoint(server.name, EndpointSettings(budget_tokens=400), tmp_path)
        with pytest.raises(RunError, match="asked, and paid for, anew"):
            drawn(few, 40)


# --- judges -----------------------------------------------------------------------


def test_a_judge_that_may_not_answer_says_nothing():
    def behave(handler, request, number):
        if "knife" in request["messages"][-1]["content"]:
            handler.send(400, FILTER)
        else:
            handler.answer(request)

    with serving(behave) as server:
        ask = completion_function(server.name, settings=EndpointSettings(concurrency=1))
        assert ask("Is it so?")
        assert ask("A knife?") == ""
        assert ask("Is it?")


def test_a_judge_that_answers_nothing_ends_the_run():
    with serving(lambda h, r, n: h.send(400, FILTER)) as server:
        ask = completion_function(server.name, settings=EndpointSettings(concurrency=2))
        for n in range(MIN_REQUESTS - 1):
            assert ask(f"{n}?") == ""
        with pytest.raises(RunError, match="most prompts get no answer"):
            ask("And now?")
        assert server.asked["POST"] == MIN_REQUESTS
