"""Whatever one reply is, its sample is read, marked or given up; the others come."""

import json
import random

import pytest
from fault_server import serving, well
from odd_replies import ENDS, EVERY, Ends

from phi_kit.core.errors import ModelError, PhiKitError, RunError
from phi_kit.core.params import EndpointSettings
from phi_kit.core.sample_counts import UNANSWERED
from phi_kit.inference.endpoint.client import Endpoint
from phi_kit.inference.types import SampleRequest, SamplingParams

SHORT = SamplingParams(max_tokens=8, temperature=0.7)
ODD = "3?"  # the prompt that gets it


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("PHI_KIT_API_KEY", "OPENAI_API_KEY", "PHI_KIT_API_KEY_HOSTS"):
        monkeypatch.delenv(name, raising=False)


def drawn(name, n, **settings):
    """What arrived of so many samples, and how it ended."""
    settings = {"timeout": 5, "patience": 30, "concurrency": 4} | settings
    model = Endpoint(name, EndpointSettings(**settings), tries=2, first_wait=0.01)
    asked = [SampleRequest(model.render("", f"{i}?"), 0, i << 40) for i in range(n)]
    found = {}
    try:
        for place, sample in model.stream(asked, SHORT):
            found[place] = sample
    except PhiKitError as error:
        return found, error
    return found, None


@pytest.fixture(scope="module")
def server():
    """One server for all of them: `behave` is what changes."""
    with serving(well) as server:
        yield server


def giving(odd):
    def behave(handler, request, number):
        if request["messages"][-1]["content"] == ODD:
            handler.send(odd.status, odd.raw, **odd.headers)
        else:
            handler.answer(request)

    return behave


def test_there_are_enough_of_them():
    names = [odd.name for odd in EVERY]
    assert len(set(names)) == len(names) > 60


@pytest.mark.slow
@pytest.mark.parametrize("odd", EVERY, ids=lambda odd: odd.name)
def test_one_odd_reply(odd, server):
    server.behave = giving(odd)
    found, error = drawn(server.name, 6)
    if isinstance(odd.want, Ends):
        assert isinstance(error, ModelError)
        assert odd.want in str(error)
        assert error.todo
        return
    others = {place: sample for place, sample in found.items() if place != 3}
    assert sorted(others) == [0, 1, 2, 4, 5]
    assert {sample.finish for sample in others.values()} == {"stop"}
    if isinstance(odd.want, str):
        assert isinstance(error, RunError)
        assert "1 of 6 samples are missing: each failed 2 times" in str(error)
        assert odd.want in str(error)
        assert 3 not in found
    else:
        assert error is None
        sample = vars(found[3])
        assert {name: sample[name] for name in odd.want} == odd.want


def nothing_but(odd):
    """A server that never says anything else: it ends soon, and says why."""
    with serving(lambda h, r, n: h.send(odd.status, odd.raw, **odd.headers)) as server:
        found, error = drawn(server.name, 40, concurrency=16)
    assert server.asked["POST"] <= 40 * 2
    if isinstance(odd.want, dict) and odd.want["finish"] not in UNANSWERED:
        assert error is None
        assert len(found) == 40
    else:
        assert isinstance(error, PhiKitError)
        assert error.todo
        assert len(found) < 40


@pytest.mark.slow
@pytest.mark.parametrize("odd", EVERY[::12], ids=lambda odd: odd.name)
def test_nothing_but_odd_replies(odd):
    nothing_but(odd)


@pytest.mark.slow
@pytest.mark.parametrize("odd", EVERY, ids=lambda odd: odd.name)
def test_nothing_but_any_of_the_odd_replies(odd):
    nothing_but(odd)


# --- fuzz -----------------------------------------------------------------------

KEY = "sk-Fuzz+key/0123456789=="
PIECES = [
    KEY,
    "\ud83d",
    "\0",
    "\x1b[31m",
    "<think>",
    "</think>",
    "length",
    "content_filter",
    "context length",
]
READ = [odd for odd in EVERY if odd not in ENDS]
VALUES = [None, True, False, -1, 0, 5, 1e308, 10**30, "", "4", [], {}, [[]], [None]]


def mutated(draw, value):
    """A value with something about it changed, or left out, or put in."""
    if draw.random() < 0.08:
        return draw.choice([*VALUES, *PIECES, {"text": KEY}, [{"type": "text"}]])
    if isinstance(value, dict):
        # Another model would end it all before the others are seen.
        items = [(k, v) for k, v in value.items() if k == "model"]
        items += [(k, mutated(draw, v)) for k, v in value.items() if k != "model"]
        kept = [item for item in items if draw.random() > 0.05]
        return dict(kept) | ({draw.choice(PIECES): 1} if draw.random() < 0.05 else {})
    if isinstance(value, list):
        return [mutated(draw, one) for one in value] * draw.choice([1, 1, 2])
    if isinstance(value, str) and draw.random() < 0.3:
        at = draw.randint(0, len(value))
        return value[:at] + draw.choice(PIECES) + value[at:]
    return value


def one_reply(draw):
    """Status, headers and bytes."""
    odd = draw.choice(ENDS if draw.random() < 0.01 else READ)
    try:
        value = json.loads(odd.raw)
    except (ValueError, RecursionError):
        raw = odd.raw[:20_000]
    else:
        raw = json.dumps(mutated(draw, value)).encode()
    if draw.random() < 0.15:
        broken = bytearray(raw)
        for _ in range(draw.randint(1, 5)):
            at = draw.randint(0, len(broken))
            broken[at : at + draw.randint(0, 9)] = draw.randbytes(draw.randint(0, 3))
        raw = bytes(broken)
    status = odd.status if draw.random() < 0.8 else draw.choice([200, 400, 422, 500])
    return status, odd.headers, raw


def fuzzed(number, seed, tmp_path, monkeypatch, capfd):
    """So many mutated replies, ten at a time; whatever came of them."""
    monkeypatch.setenv("PHI_KIT_API_KEY", KEY)
    draw, ended = random.Random(seed), []
    for _ in range(number // 10):
        replies = {f"{i}?": one_reply(draw) for i in range(10)}

        def behave(handler, request, _, replies=replies):
            status, headers, raw = replies[request["messages"][-1]["content"]]
            handler.send(status, raw, **headers)

        with serving(behave) as server:
            # All may go unanswered: each of them is to be seen.
            found, error = drawn(server.name, 10, unanswered=1, patience=1)
        for sample in found.values():
            assert isinstance(sample.text, str)
            sample.text.encode()
            assert "\0" not in sample.text
            assert 0 <= sample.tokens < 2**31
            assert sample.finish in {"stop", "length", *UNANSWERED}
        missing = 10 - len(found)
        if error is None:
            assert not missing
        elif isinstance(error, RunError):
            assert f"{missing} of 10 samples are missing" in str(error)
        shown = [str(error), repr(error), repr(found), *capfd.readouterr()]
        assert all(KEY.lower() not in text.lower() for text in shown)
        assert error is None or "\x1b" not in str(error)
        ended.append(type(error).__name__)
    return ended


@pytest.mark.slow
def test_a_hundred_mutated_replies(tmp_path, monkeypatch, capfd):
    ended = fuzzed(100, 7, tmp_path, monkeypatch, capfd)
    assert len(ended) == 10


@pytest.mark.slow
def test_a_thousand_mutated_replies(tmp_path, monkeypatch, capfd):
    ended = fuzzed(1000, 8, tmp_path, monkeypatch, capfd)
    assert set(ended) <= {"NoneType", "LostSamplesError", "RunError", "ModelError"}
