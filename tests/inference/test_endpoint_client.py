"""Models behind a URL: whatever the server does, nothing is lost and little is paid."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fault_server import FAULTS, MODEL, PROMPT_TOKENS, TOKENS, faulty, serving, well

from phi_kit.core.errors import ModelError, RunError, StudyError
from phi_kit.core.params import EndpointSettings
from phi_kit.inference import completion
from phi_kit.inference.completion import completion_function
from phi_kit.inference.draw import draw
from phi_kit.inference.endpoint.client import Endpoint
from phi_kit.inference.endpoint.protocol import retry_after
from phi_kit.inference.endpoint.refusals import RetryableError
from phi_kit.inference.endpoint.request_retries import Throttle
from phi_kit.inference.types import SampleRequest, SamplingParams

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-this-key-must-never-be-seen"
SHORT = SamplingParams(max_tokens=8, temperature=0.7)
EACH = PROMPT_TOKENS + TOKENS


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("PHI_KIT_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def endpoint(name, *, folder=None, tries=6, **settings):
    settings = {"timeout": 0.5, "patience": 5, "concurrency": 32} | settings
    return Endpoint(
        name, EndpointSettings(**settings), folder, tries=tries, first_wait=0.02
    )


def asked(model, n):
    return [
        SampleRequest(model.render("Be brief.", f"{i}?"), 0, i << 40) for i in range(n)
    ]


def collected(model, n):
    """What arrived, and the error it ended with."""
    found = {}
    try:
        for place, sample in model.stream(asked(model, n), SHORT):
            found[place] = sample
    except (ModelError, RunError) as error:
        return found, error
    return found, None


# --- the name ------------------------------------------------------------------


def test_a_url_loads_as_an_endpoint_without_asking_anybody():
    model = completion.load("HTTP://LocalHost:1/v1/#Org/My-Model")
    assert isinstance(model, Endpoint)
    assert model.address == ("http://localhost:1/v1", "Org/My-Model")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("http://localhost:8000/v1", "after a #"),
        ("http://localhost:8000/v1#", "after a #"),
        ("http://#m", "is written like"),
        ("http://localhost:port/v1#m", "is written like"),
        ("https://me:secret@host/v1#m", "no key in it"),
        ("https://host/v1?api_key=secret#m", "no key in it"),
    ],
)
def test_names_that_cannot_be_used(name, says):
    with pytest.raises(StudyError, match=says) as caught:
        completion.load(name)
    assert "secret" not in str(caught.value)


# --- samples -------------------------------------------------------------------


def test_a_request_says_what_is_wanted():
    with serving(well) as server:
        model = endpoint(server.name)
        drawn = draw(model, [model.render("Be brief.", "What?")], SHORT, k=3)
    assert len({sample.text for sample in drawn[0]}) == 3
    assert {(s.tokens, s.finish, s.cost) for s in drawn[0]} == {(TOKENS, "stop", None)}
    one = server.requests[0]
    assert one["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What?"},
    ]
    assert (one["model"], one["max_tokens"], one["temperature"]) == (MODEL, 8, 0.7)
    assert (one["top_p"], one.get("n", 1)) == (1, 1)
    seeds = {request["seed"] for request in server.requests}
    assert len(seeds) == 3
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_the_same_draw_is_the_same_text():
    with serving(well) as server:
        model = endpoint(server.name)
        prompts = [model.render("", f"{i}?") for i in range(5)]
        first = draw(model, prompts, SHORT, k=4, rng_seed=3)
        assert draw(model, prompts, SHORT, k=4, rng_seed=3) == first
        assert draw(model, prompts, SHORT, k=4, rng_seed=4) != first


@pytest.mark.parametrize(
    ("choice", "text", "finish"),
    [
        ({"message": {"content": " 4 "}, "finish_reason": "length"}, "4", "length"),
        ({"message": {"content": ""}, "finish_reason": "stop"}, "", "stop"),
        ({"message": {"content": "4"}, "finish_reason": "eos"}, "4", "stop"),
        ({"message": {"content": None, "refusal": "No."}}, "No.", "stop"),
        (
            {"message": {"content": "4", "reasoning_content": "2 and 2"}},
            "<think>\n2 and 2\n</think>\n\n4",
            "stop",
        ),
        (
            {
                "message": {"content": None, "reasoning": "2 and"},
                "finish_reason": "length",
            },
            "<think>\n2 and",
            "length",
        ),
    ],
)
def test_what_a_reply_says_is_the_sample(choice, text, finish):
    with serving(lambda h, r, n: h.answer(r, choices=[choice])) as server:
        found, error = collected(endpoint(server.name), 1)
    assert error is None
    assert (found[0].text, found[0].finish) == (text, finish)


def test_log_probabilities_come_if_asked_for():
    tokens = {"content": [{"logprob": -1.0}, {"logprob": -2.0}]}
    choice = {"message": {"content": "4"}, "logprobs": tokens}
    with serving(lambda h, r, n: h.answer(r, choices=[choice])) as server:
        found, _ = collected(endpoint(server.name, logprobs=True), 1)
        assert found[0].logprob == -1.5
        assert server.requests[0]["logprobs"] is True
        collected(endpoint(server.name), 1)
        assert "logprobs" not in server.requests[1]


@pytest.mark.parametrize("named", [f"{MODEL}@main", f"{MODEL}:latest", "", None])
def test_a_revision_is_the_same_model(named):
    with serving(lambda h, r, n: h.answer(r, model=named)) as server:
        assert collected(endpoint(server.name), 1)[1] is None


@pytest.mark.parametrize("named", ["toy-1b-mini", "toy-1", "other", "toy-1b-7b"])
def test_another_model_is_an_error_at_once(named):
    with serving(lambda h, r, n: h.answer(r, model=named)) as server:
        found, error = collected(endpoint(server.name, concurrency=1), 50)
    assert not found
    assert isinstance(error, ModelError)
    assert f"'{named}' answered, not '{MODEL}'" in str(error)
    assert server.asked["POST"] == 1


def test_a_server_teaches_its_dialect():
    """A hosted reasoning model: other names, fewer fields."""

    def behave(handler, request, number):
        for field in ("top_k", "min_p", "generation_config", "seed"):
            if field in request:
                handler.error(400, f"Unrecognized request argument: {field}")
                return
        if "max_tokens" in request:
            handler.error(
                400, "'max_tokens' is unsupported. Use 'max_completion_tokens'"
            )
            return
        handler.answer(request)

    with serving(behave) as server:
        model = endpoint(server.name)
        found, error = collected(model, 40)
        assert error is None
        assert len(found) == 40
        assert server.requests[-1]["max_completion_tokens"] == 8
        before = server.asked["POST"]
        collected(model, 4)
        assert server.asked["POST"] == before + 4


def test_examples_are_sent_as_earlier_turns():
    model = endpoint("http://localhost:1/v1#m")
    shown = [("1 + 1?", "One more: 2."), ("2 + 1?", "One more: 3.")]
    plain, with_them = (
        model.render("Add.", "3 + 1?"),
        model.render("Add.", "3 + 1?", thinking=True, examples=shown),
    )
    assert json.loads(plain) == [
        {"role": "system", "content": "Add."},
        {"role": "user", "content": "3 + 1?"},
    ]
    turns = json.loads(with_them)
    assert [turn["role"] for turn in turns] == [
        "system",
        *["user", "assistant"] * 2,
        "user",
    ]
    said = [turn["content"] for turn in turns]
    assert said == ["Add.", *(text for pair in shown for text in pair), "3 + 1?"]
    # The server has the template, and its switch: nothing else is said of thinking.
    assert model.render("Add.", "3 + 1?", thinking=True) == plain


def test_a_temperature_is_never_dropped():
    def behave(handler, request, number):
        handler.error(400, "temperature does not support 0.7, only 1")

    with serving(behave) as server:
        _, error = collected(endpoint(server.name, concurrency=1), 3)
    assert "temperature does not support 0.7" in str(error)
    assert server.asked["POST"] == 1


# --- faults --------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_of_each_kind_is_got_over(name):
    def behave(handler, request, number):
        (FAULTS[name] if number == 1 else well)(handler, request, number)

    with serving(behave) as server:
        found, error = collected(endpoint(server.name), 3)
    assert error is None
    assert sorted(found) == [0, 1, 2]


def test_500_requests_with_a_fifth_of_faults_end_complete():
    with serving(faulty(0.2)) as server:
        # A reply that does not count its tokens is a fault where there is a budget.
        model = endpoint(server.name, timeout=1.5, budget_tokens=10**9)
        started = time.monotonic()
        found, error = collected(model, 500)
        spent = time.monotonic() - started
    assert error is None
    assert sorted(found) == list(range(500))
    assert len({sample.text for sample in found.values()}) == 500
    met = [name for name in FAULTS if server.asked[name]]
    assert len(met) == len(FAULTS)
    assert spent < 30
    # Not one sample was asked for again after it had been received.
    wasted = sum(server.asked[name] for name in FAULTS if name != "slow")
    assert server.asked["POST"] == 500 + wasted


@pytest.mark.slow
def test_a_dead_server_ends_in_one_clear_message():
    with serving(well) as server:
        name = server.name
    started = time.monotonic()
    found, error = collected(endpoint(name, patience=1), 500)
    assert time.monotonic() - started < 5
    assert not found
    assert isinstance(error, RunError)
    for part in (
        "does not answer",
        "500 of 500 samples are missing",
        name,
        "carries on",
    ):
        assert part in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_silent_server_ends_too():
    with serving(FAULTS["hang"]) as server:
        found, error = collected(
            endpoint(server.name, timeout=0.1, patience=0.5, concurrency=4), 20
        )
    assert not found
    assert "no reply in 0.1 s" in str(error)


@pytest.mark.slow
def test_what_came_before_a_server_died_is_kept():
    def behave(handler, request, number):
        if number > 100:
            handler.cut()
        else:
            handler.answer(request)

    with serving(behave) as server:
        # On a busy machine an answer may take longer than the others' half a second.
        model = endpoint(server.name, patience=4, timeout=20)
        found, error = collected(model, 300)
    assert isinstance(error, RunError)
    assert len(found) == 100
    assert "200 of 300 samples are missing" in str(error)


def test_samples_that_fail_again_and_again_are_counted_not_invented():
    def behave(handler, request, number):
        if request["messages"][-1]["content"] in ("3?", "17?"):
            handler.send(200, b"garbage")
        else:
            handler.answer(request)

    with serving(behave) as server:
        found, error = collected(endpoint(server.name, tries=3), 40)
    assert sorted(set(range(40)) - set(found)) == [3, 17]
    assert isinstance(error, RunError)
    assert "2 of 40 samples are missing: each failed 3 times" in str(error)
    assert "garbled" in str(error)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "says"),
    [
        (400, "the endpoint refuses the request"),
        (401, "the endpoint needs a key"),
        (403, "the endpoint needs a key"),
        (404, "does not know this model"),
    ],
)
def test_what_cannot_get_better_ends_at_once(status, says):
    with serving(lambda h, r, n: h.error(status, "no such luck")) as server:
        started = time.monotonic()
        found, error = collected(endpoint(server.name), 200)
    assert time.monotonic() - started < 3
    assert not found
    assert isinstance(error, ModelError)
    for part in (says, "no such luck", server.name, "to do: "):
        assert part in str(error)
    assert server.asked["POST"] <= 32


def test_an_empty_account_is_not_a_busy_server():
    body = {"error": {"message": "You have no money", "code": "insufficient_quota"}}
    with serving(lambda h, r, n: h.send(429, body)) as server:
        _, error = collected(endpoint(server.name), 5)
    assert isinstance(error, ModelError)
    assert "You have no money" in str(error)


# --- how many at once ----------------------------------------------------------


@pytest.mark.slow
def test_a_busy_server_gets_fewer_requests_at_once():
    """It bears four; from the fifth on it says 429."""

    def behave(handler, request, number):
        crowded = handler.server.running > 4
        time.sleep(0.01)
        if crowded:
            handler.error(429, "too many")
        else:
            handler.answer(request)

    with serving(behave) as server:
        found, error = collected(endpoint(server.name), 400)
    assert error is None
    assert len(found) == 400
    refused = server.asked["POST"] - 400
    assert refused < 200, "it kept asking for too much"


def test_concurrency_is_bounded_and_used():
    """Eight wait for each other, so that all of them must be under way."""

    def behave(handler, request, number):
        deadline = time.monotonic() + 20
        while server.most_running < 8 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.02)  # long enough for a ninth, were there one
        handler.answer(request)

    with serving(behave) as server:
        collected(endpoint(server.name, concurrency=8, timeout=20), 100)
    assert server.most_running == 8


def test_the_throttle_halves_once_per_round_and_grows_back():
    async def story():
        throttle = Throttle(32, patience=60, first_wait=0.01)
        began = time.monotonic()
        for _ in range(10):  # all were under way when it got busy
            throttle.failed(RetryableError("busy", busy=True), began)
        assert throttle.limit == 16
        throttle.failed(RetryableError("busy", busy=True), time.monotonic())
        throttle.failed(RetryableError("500"), time.monotonic())
        assert throttle.limit == 8
        for _ in range(8):
            throttle.succeeded()
        assert 8.5 < throttle.limit < 9.5
        for _ in range(2000):
            throttle.succeeded()
        assert throttle.limit == 32

    asyncio.run(story())


@pytest.mark.slow
def test_retry_after_is_honoured():
    stamps = []

    def behave(handler, request, number):
        stamps.append(time.monotonic())
        if number == 1:
            handler.error(429, "later", Retry_After="1")
        else:
            handler.answer(request)

    with serving(behave) as server:
        found, _ = collected(endpoint(server.name, concurrency=1), 2)
    assert len(found) == 2
    assert stamps[1] - stamps[0] >= 1


def test_who_asks_for_an_hour_is_not_waited_for():
    with serving(lambda h, r, n: h.error(429, "later", Retry_After="3600")) as server:
        _, error = collected(endpoint(server.name), 2)
    assert isinstance(error, RunError)
    assert "later" in str(error)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2", 2, 2),
        ("0.5", 0.5, 0.5),
        ("-3", 0, 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 1e8, 1e10),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, low, high):
    assert low <= retry_after(text) <= high


@pytest.mark.parametrize("text", [None, "", "soon", "nan", "inf"])
def test_a_retry_after_that_says_nothing(text):
    assert retry_after(text) is None


# --- the caller ----------------------------------------------------------------


def test_samples_come_as_they_arrive():
    release = threading.Event()

    def behave(handler, request, number):
        if number > 1:
            release.wait(5)
        handler.answer(request)

    with serving(behave) as server:
        model = endpoint(server.name, timeout=10)
        stream = model.stream(asked(model, 3), SHORT)
        next(stream)  # while the others still wait
        release.set()
        assert len(list(stream)) == 2


def test_a_closed_stream_cancels_what_is_under_way():
    def behave(handler, request, number):
        if number > 4:
            time.sleep(1)
        handler.answer(request)

    with serving(behave) as server:
        model = endpoint(server.name, concurrency=4, timeout=10)
        stream = model.stream(asked(model, 500), SHORT)
        for _ in range(4):
            next(stream)
        started = time.monotonic()
        stream.close()
        assert time.monotonic() - started < 0.9
        assert server.asked["POST"] <= 8
    assert not [t for t in threading.enumerate() if t.name == "phi-kit requests"]


def test_it_works_where_an_event_loop_is_running():
    """As in JupyterLab, whose cells run inside one."""

    async def cell(model):
        return draw(model, [model.render("", "Hi")], SHORT, k=2)

    with serving(well) as server:
        drawn = asyncio.run(cell(endpoint(server.name)))
    assert len(drawn[0]) == 2


def heeding_ctrl_c():
    """What a shell starts in the background ignores SIGINT, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_ctrl_c_ends_it():
    code = (
        "import sys\n"
        "from phi_kit.inference import completion\n"
        "from phi_kit.inference.draw import draw\n"
        "from phi_kit.inference.types import SamplingParams\n"
        "model = completion.load(sys.argv[1])\n"
        "print('started', flush=True)\n"
        "draw(model, ['[]'], SamplingParams(), k=8)\n"
    )
    with serving(FAULTS["hang"]) as server:
        process = subprocess.Popen(
            [sys.executable, "-c", code, server.name],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            preexec_fn=heeding_ctrl_c,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        process.stdout.readline()
        deadline = time.monotonic() + 60
        while not server.asked["POST"] and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert "Exception ignored" not in errors
    assert "never retrieved" not in errors


def test_no_prompts_no_requests():
    assert list(endpoint("http://127.0.0.1:1/v1#m").stream([], SHORT)) == []


# --- identity ------------------------------------------------------------------


def test_the_identity_is_the_address_and_what_stays_the_same():
    with serving(well) as server:
        assert endpoint(server.name).identity == server.name
        server.listed = [{"id": "else"}, {"id": MODEL, "created": 2, "root": "org/x"}]
        model = endpoint(server.name)
        assert model.identity == f"{server.name} root=org/x"
        server.listed = []
        assert model.identity == f"{server.name} root=org/x"
        assert server.asked["GET"] == 2


@pytest.mark.parametrize("status", [404, 405, 500])
def test_a_server_without_a_list_has_its_address(status):
    with serving(well) as server:
        server.list_status = status
        assert endpoint(server.name).identity == server.name


def test_a_server_that_cannot_be_reached_has_no_identity():
    with serving(well) as server:
        name = server.name
    with pytest.raises(RunError, match="does not answer"):
        _ = endpoint(name, patience=0.3).identity


# --- budget --------------------------------------------------------------------


@pytest.mark.slow
def test_a_budget_of_tokens_is_never_exceeded(tmp_path):
    with serving(well) as server:
        model = endpoint(server.name, folder=tmp_path, budget_tokens=1000)
        found, error = collected(model, 500)
        assert isinstance(error, RunError)
        assert len(found) * EACH <= 1000
        assert len(found) * EACH > 700
        for part in ("budget is used up", "budget_tokens 1000", "samples are missing"):
            assert part in str(error)
        # It is the study's: another step, another process, has nothing left.
        again, error = collected(
            endpoint(server.name, folder=tmp_path, budget_tokens=1000), 500
        )
        assert (len(again), type(error)) == (0, RunError)
        more, _ = collected(
            endpoint(server.name, folder=tmp_path, budget_tokens=2000), 500
        )
    assert 700 < (len(found) + len(more)) * EACH <= 2000
    rows = [json.loads(x) for x in (tmp_path / "spent.jsonl").read_text().splitlines()]
    assert len(rows) == len(found) + len(more)
    assert all((r["in"], r["out"]) == (PROMPT_TOKENS, TOKENS) for r in rows)


def test_a_budget_of_money_is_never_exceeded(tmp_path):
    prices = {"price_in": 1.0, "price_out": 10.0}
    each = (PROMPT_TOKENS * 1 + TOKENS * 10) / 1e6
    with serving(well) as server:
        model = endpoint(server.name, folder=tmp_path, budget_cost=0.002, **prices)
        found, error = collected(model, 500)
    assert "budget_cost 0.002" in str(error)
    assert len(found) * each <= 0.002
    assert len(found) * each > 0.0015
    assert found[min(found)].cost == pytest.approx(each)


def test_a_useless_reply_is_paid_for_too(tmp_path):
    with serving(FAULTS["no choices"]) as server:
        collected(endpoint(server.name, folder=tmp_path, tries=2, patience=60), 1)
    assert len((tmp_path / "spent.jsonl").read_text().splitlines()) == 2


def test_a_cost_needs_prices():
    with pytest.raises(ValueError, match="price_in and price_out"):
        EndpointSettings(budget_cost=1)


# --- the key -------------------------------------------------------------------


def test_the_key_is_sent_and_seen_nowhere_else(monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("PHI_KIT_API_KEY", KEY)

    def behave(handler, request, number):
        if number <= 2:
            handler.answer(request)
        elif number == 3:
            handler.error(500, f"your key is {KEY}")
        else:
            handler.error(401, f"Incorrect API key provided: {KEY}")

    with serving(behave) as server:
        model = endpoint(server.name, folder=tmp_path, concurrency=1)
        found, error = collected(model, 5)
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert "the endpoint refuses the key" in str(error)
    assert "***" in str(error)
    seen = [str(error), repr(error), repr(model), repr(vars(model))]
    seen += [repr(found), (tmp_path / "spent.jsonl").read_text(), *capfd.readouterr()]
    assert all(KEY not in text for text in seen)


def test_the_kits_own_key_goes_first(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    monkeypatch.setenv("PHI_KIT_API_KEY", KEY)
    with serving(well) as server:
        collected(endpoint(server.name), 1)
    assert server.keys == [f"Bearer {KEY}"]


# --- steps, studies and judges -------------------------------------------------


def test_complete_is_a_function_of_a_prompt(tmp_path):
    with serving(well) as server:
        ask = completion_function(server.name, folder=tmp_path)
        assert ask("Is it so?") == ask("Is it so?")
    assert server.requests[0]["temperature"] == 0
    assert server.requests[0]["messages"] == [{"role": "user", "content": "Is it so?"}]
    assert completion_function(server.name, folder=tmp_path) is ask
