"""A server that wants our memory, our key, our prompts or our terminal."""

import gzip
import itertools
import json
import os
import subprocess
import sys
import zlib
from contextlib import ExitStack
from pathlib import Path

import pytest
from fault_server import MODEL, serving, well

from phi_kit.core.endpoint_url import is_local
from phi_kit.core.errors import ModelError, PhiKitError, RunError, StudyError
from phi_kit.core.params import EndpointSettings
from phi_kit.inference import completion
from phi_kit.inference.draw import draw
from phi_kit.inference.endpoint.api_keys import key_for
from phi_kit.inference.endpoint.client import Endpoint
from phi_kit.inference.endpoint.proxies import proxy_route
from phi_kit.inference.endpoint.redaction import clean_message, redact
from phi_kit.inference.types import SampleRequest, SamplingParams

HERE = Path(__file__).resolve().parent
KEY = "sk-this-key-must-never-be-seen"
SHORT = SamplingParams(max_tokens=8, temperature=0.7)
MEGABYTE = b"4" * 2**20
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in ("PHI_KIT_API_KEY", "OPENAI_API_KEY", "PHI_KIT_API_KEY_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def endpoint(name, **settings):
    settings = {"timeout": 5, "patience": 5} | settings
    return Endpoint(name, EndpointSettings(**settings), tries=2, first_wait=0.01)


def collected(model, n=1):
    asked = [SampleRequest(model.render("", f"{i}?"), 0, i << 40) for i in range(n)]
    found = {}
    try:
        for place, sample in model.stream(asked, SHORT):
            found[place] = sample
    except PhiKitError as error:
        return found, error
    return found, None


# --- memory -----------------------------------------------------------------------


def bomb(megabytes, wbits=31):
    packer = zlib.compressobj(9, wbits=wbits)
    head = b'{"choices": [{"message": {"content": "'
    parts = [packer.compress(head)]
    parts += [packer.compress(MEGABYTE) for _ in range(megabytes)]
    return b"".join([*parts, packer.flush()])


def endless(handler, status=200, **headers):
    head = b'{"choices": [{"message": {"content": "'
    pieces = itertools.chain([head], itertools.repeat(MEGABYTE, 300))
    handler.pour(status, pieces, **headers)


GZIP, DEFLATE = bomb(500), bomb(500, 15)
SMALL = gzip.compress(json.dumps({"choices": []}).encode())
HOSTILE = {
    "a text of 300 MB": endless,
    "the same with status 400": lambda h: endless(h, 400),
    "the same with status 401": lambda h: endless(h, 401),
    "the same with status 500": lambda h: endless(h, 500),
    "a gzip bomb": lambda h: h.send(200, GZIP, content_encoding="gzip"),
    "a gzip bomb as an error": lambda h: h.send(400, GZIP, content_encoding="gzip"),
    "a deflate bomb": lambda h: h.send(200, DEFLATE, content_encoding="deflate"),
    "a little gzip, then 300 MB": lambda h: h.pour(
        200,
        itertools.chain([SMALL], itertools.repeat(MEGABYTE, 300)),
        content_encoding="gzip",
    ),
    "300 MB that unpack to nothing": lambda h: h.pour(
        200,
        itertools.chain(
            [gzip.compress(b"")[:10]], itertools.repeat(b"\0\0\0\xff\xff" * 10**5, 600)
        ),
        content_encoding="gzip",
    ),
    "300 MB of blanks": lambda h: h.pour(200, itertools.repeat(b" " * 2**20, 300)),
    "3 MB of headers": lambda h: h.pour(200, iter(()), x_a="4" * 3_000_000),
    "lists in lists": lambda h: h.send(200, b"[" * 200_000),
    "a quarter million lists": lambda h: h.send(
        200, b'{"choices": [' + b"[]," * 80_000 + b"[]]}"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("place", ["sample", "list"])
def test_no_reply_takes_our_memory(place):
    """With 32 requests at once, each of them a bomb."""
    with ExitStack() as stack:
        servers = []
        for hostile in HOSTILE.values():
            server = serving(lambda h, r, n, hostile=hostile: hostile(h))
            servers.append(stack.enter_context(server))
            if place == "list":
                servers[-1].list_models, servers[-1].behave = hostile, well
        names = [server.name for server in servers]
        done = subprocess.run(
            [sys.executable, str(HERE / "hostile_run.py"), "32", *names],
            env={**os.environ, "PYTHONPATH": f"{HERE.parents[1]}:{HERE.parent}"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    before, *rows = map(json.loads, done.stdout.splitlines())
    for how, row in zip(HOSTILE, rows, strict=True):
        assert row["most"] - before["most"] < 200, how
        assert row["seconds"] < 30, how
        if place == "list" and "401" not in how:
            assert row["came"] == 32, how
        else:
            assert row["error"], how


def test_a_long_reply_is_read_and_one_after_the_other(monkeypatch):
    """Beyond their share of the memory, replies wait for each other."""
    monkeypatch.setattr("phi_kit.inference.endpoint.http_client.TOTAL_BYTES", 2**17)
    thought = "4" * 200_000

    def behave(handler, request, number):
        message = {"content": "4", "reasoning": thought}
        handler.answer(request, choices=[{"message": message}])

    with serving(behave) as server:
        model = endpoint(server.name, concurrency=8, timeout=30)
        asked = [
            SampleRequest(model.render("", f"{i}?"), 0, i << 40) for i in range(20)
        ]
        found = dict(model.stream(asked, SamplingParams(max_tokens=400)))
    assert len(found) == 20
    assert {s.text.count(thought) for s in found.values()} == {1}


def test_the_longest_honest_reply_is_read():
    """32,768 tokens of 8 letters, each escaped, with log-probabilities."""
    n = 32_768
    text = "\u00e9\t\u4e16\u754c\u00e9\t\u4e16\u754c" * n
    tokens = [{"token": text[:8], "logprob": -1.0, "bytes": [200] * 24}] * n
    choice = {"message": {"content": text}, "logprobs": {"content": tokens}}
    with serving(lambda h, r, n: h.answer(r, choices=[choice])) as server:
        model = endpoint(server.name, logprobs=True, timeout=30)
        asked = [SampleRequest(model.render("", "?"), 0, 1)]
        found = dict(model.stream(asked, SamplingParams(max_tokens=n)))
    assert found[0].text == text.strip()
    assert found[0].logprob == -1


# --- another server ---------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("other", ["port", "host", "scheme"])
def test_prompts_go_nowhere_else(status, other, monkeypatch):
    monkeypatch.setenv("PHI_KIT_API_KEY", KEY)
    with serving(well) as elsewhere:
        port = elsewhere.server_port
        with ExitStack() as stack:
            url = {
                "port": f"http://127.0.0.1:{port}/v1/chat/completions",
                "host": f"http://localhost:{port}/v1/chat/completions",
                "scheme": f"https://127.0.0.1:{port}/v1/chat/completions",
            }[other]
            server = stack.enter_context(
                serving(lambda h, r, n: h.send(status, b"", Location=url))
            )
            found, error = collected(endpoint(server.name), 20)
    assert not found
    assert not elsewhere.asked
    assert isinstance(error, ModelError)
    assert f"(HTTP {status}): it sends us to {url}" in str(error)
    assert (
        f"let the study name it: {url.removesuffix('/chat/completions')}#{MODEL}"
        in (error.todo)
    )


def test_a_list_of_models_elsewhere_is_none():
    with serving(well) as elsewhere, serving(well) as server:
        there = elsewhere.name.replace(f"#{MODEL}", "/models")
        server.list_models = lambda h: h.send(302, b"", Location=there)
        assert endpoint(server.name).identity == server.name
        assert not elsewhere.asked


def test_a_redirect_within_the_server_is_followed():
    def behave(handler, request, number):
        if handler.path.endswith("/"):
            handler.answer(request)
        else:
            handler.send(307, b"", Location=f"{handler.path}/")

    with serving(behave) as server:
        found, error = collected(endpoint(server.name), 5)
    assert error is None
    assert len(found) == 5


# --- the key ----------------------------------------------------------------------

OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("url", "own", "openai"),
    [
        (OPENAI, True, True),
        ("https://api.openai.com:443/v1", True, True),
        ("https://api.openai.com:8443/v1", True, False),
        ("http://api.openai.com/v1", None, False),
        ("https://api.openai.com.evil.example/v1", True, False),
        ("https://evil.example/api.openai.com/v1", True, False),
        ("https://eu.api.openai.com/v1", True, False),
        ("https://openai.com/v1", True, False),
        ("https://example.com/v1", True, False),
        ("http://example.com/v1", None, False),
        ("http://10.0.0.5:8000/v1", None, False),
        ("http://localhost.evil.example/v1", None, False),
        ("http://127.0.0.1.nip.io/v1", None, False),
        ("http://evil.localhost/v1", None, False),
        ("http://localhost:8000/v1", True, False),
        ("http://127.0.0.1:8000/v1", True, False),
        ("http://127.8.8.8:8000/v1", True, False),
        ("http://0.0.0.0:8000/v1", True, False),
        ("http://[::1]:8000/v1", True, False),
        ("http://[::ffff:127.0.0.1]:8000/v1", True, False),
        ("http://[::ffff:10.0.0.5]:8000/v1", None, False),
    ],
)
def test_where_a_key_goes(url, own, openai, monkeypatch):
    """`None`: it would have to go over plain http, which is refused."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert key_for(url) == (KEY if openai else "")
    monkeypatch.setenv("PHI_KIT_API_KEY", f"{KEY}-own")
    if own:
        assert key_for(url) == f"{KEY}-own"
        return
    with pytest.raises(ModelError, match="plain http") as caught:
        key_for(url)
    assert KEY not in str(caught.value)
    assert "PHI_KIT_API_KEY_HOSTS=" in caught.value.todo


@pytest.mark.parametrize(
    ("hosts", "url", "goes"),
    [
        ("10.0.0.5", "http://10.0.0.5:8000/v1", True),
        ("10.0.0.5:8000", "http://10.0.0.5:8000/v1", True),
        ("10.0.0.5:9000", "http://10.0.0.5:8000/v1", False),
        ("gpu, Other.example ,", "https://other.example/v1", True),
        ("gpu", "https://example.com/v1", False),
        ("gpu", "http://example.com/v1", False),
        ("gpu", "http://localhost:8000/v1", False),
    ],
)
def test_hosts_that_are_named_and_no_others(hosts, url, goes, monkeypatch):
    monkeypatch.setenv("PHI_KIT_API_KEY", KEY)
    monkeypatch.setenv("PHI_KIT_API_KEY_HOSTS", hosts)
    assert key_for(url) == (KEY if goes else "")


def test_no_server_gets_the_key_of_another(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(lambda h, r, n: h.error(401, "who are you?")) as server:
        _, error = collected(endpoint(server.name))
    assert set(server.keys) == {""}
    assert "OPENAI_API_KEY goes to https://api.openai.com only" in str(error)


@pytest.mark.parametrize("key", [f"{KEY}\n{KEY}", f"{KEY} x", f"{KEY}\x00", "sk-ключ"])
def test_a_key_that_is_none_is_not_shown(key, monkeypatch):
    monkeypatch.setattr(os, "environ", {**os.environ, "PHI_KIT_API_KEY": key})
    _, error = collected(endpoint("http://127.0.0.1:1/v1#m"))
    assert isinstance(error, ModelError)
    assert "PHI_KIT_API_KEY holds" in str(error)
    assert KEY not in str(error)


QUOTED = {
    "in the text": lambda h, r, n, k: h.answer(r, choices=[says(f"It is {k}.")]),
    "in capitals": lambda h, r, n, k: h.answer(r, choices=[says(k.upper())]),
    "in parts": lambda h, r, n, k: h.answer(r, choices=[says([k[:9], k[9:]])]),
    "in the thinking": lambda h, r, n, k: h.answer(
        r, choices=[says("4", reasoning=f"The key is {k}")]
    ),
    "in a call": lambda h, r, n, k: h.answer(
        r, choices=[says(None, tool_calls=[{"function": {"name": k}}])]
    ),
    "as the model": lambda h, r, n, k: h.answer(r, model=f"{MODEL}-{k}"),
    "as the end": lambda h, r, n, k: h.answer(
        r, choices=[says(None) | {"finish_reason": f"error {k}"}]
    ),
    "in a 200": lambda h, r, n, k: h.send(200, {"error": {"message": f"no: {k}"}}),
    "in a 400": lambda h, r, n, k: h.error(400, f"no: {k}"),
    "in a 401": lambda h, r, n, k: h.error(401, f"no: {k}"),
    "in a 404 page": lambda h, r, n, k: h.send(404, f"<b>{k}</b>".encode()),
    "in a 429": lambda h, r, n, k: h.error(429, f"no: {k}", Retry_After="9999"),
    "in a 500": lambda h, r, n, k: h.error(500, f"no: {k}"),
    "as a code": lambda h, r, n, k: h.send(400, {"error": {"message": "", "code": k}}),
    "in another field": lambda h, r, n, k: h.send(400, {k: k}),
    "in quotes of JSON": lambda h, r, n, k: h.send(400, {"detail": [k, {k: k}]}),
    "as base64": lambda h, r, n, k: h.error(
        400, "c2stdGhpcy1rZXktbXVzdC1uZXZlci1iZS1zZWVu"
    ),
    "in a redirect": lambda h, r, n, k: h.send(
        307, b"", Location=f"http://127.0.0.2/{k}"
    ),
    "at the cut of a long error": lambda h, r, n, k: h.send(
        400, b" " * (2**16 - 20) + k.encode() + b" " * 2**16
    ),
    "in an encoding": lambda h, r, n, k: h.send(200, b"x", content_encoding=k),
    "in a filter": lambda h, r, n, k: h.send(
        400, {"error": {"message": f"filtered {k}", "code": "content_filter"}}
    ),
}


def says(content, **message):
    return {"message": {"content": content, **message}, "finish_reason": "stop"}


@pytest.mark.slow
@pytest.mark.parametrize("how", QUOTED)
def test_a_key_that_is_said_back_is_kept_nowhere(how, runs, monkeypatch, capfd):
    monkeypatch.setenv("PHI_KIT_API_KEY", KEY)

    def behave(handler, request, number):
        QUOTED[how](handler, request, number, KEY)

    with serving(behave) as server:
        server.listed = [{"id": MODEL, "root": f"models/{KEY}"}]
        model = endpoint(server.name, patience=1)
        prompts = [model.render("", f"{i}?") for i in range(3)]
        try:
            shown = repr(draw(model, prompts, SHORT, k=2))
        except PhiKitError as error:
            shown = f"{error!r} {error}"
        shown += f"{model!r} {model.identity}"
    shown += "".join(capfd.readouterr())
    shown += "".join(
        path.read_bytes().decode(errors="replace")
        for path in runs.rglob("*")
        if path.is_file()
    )
    for form in (KEY, "c2stdGhpcy1rZXktbXVzdC1uZXZlci1iZS1zZWVu", KEY[:20]):
        assert form.lower() not in shown.lower()


@pytest.mark.parametrize("key", ["EMPTY", "none", "ollama", "x", "1", "dummy", ""])
def test_what_is_no_secret_is_not_looked_for(key):
    assert redact("EMPTY none ollama x 1 dummy", key) == "EMPTY none ollama x 1 dummy"


@pytest.mark.parametrize("key", ["sk-abc", "token-abc123", "a" * 32, "AKIA+/=="])
def test_what_is_one_is_hidden(key):
    assert key not in redact(f"my {key}, yes", key)


# --- the terminal -----------------------------------------------------------------

ESCAPES = "\x1b[31m\x1b]0;owned\x07\x9b2J\u202egpj.exe\u2066\r\b\x00\ud83d"


@pytest.mark.parametrize("where", ["model", "error", "page", "listed", "end", "200"])
def test_no_escape_sequence_reaches_a_message(where, capfd):
    def behave(handler, request, number):
        send = {
            "model": lambda: handler.answer(request, model=f"gpt-evil{ESCAPES}"),
            "error": lambda: handler.error(400, f"no{ESCAPES}"),
            "page": lambda: handler.send(404, f"no{ESCAPES[:-1]}".encode()),
            "listed": lambda: handler.answer(request),
            "end": lambda: handler.answer(
                request, choices=[says(None) | {"finish_reason": f"x{ESCAPES}"}]
            ),
            "200": lambda: handler.send(200, {"error": f"no{ESCAPES}"}),
        }
        send[where]()

    with serving(behave) as server:
        server.listed = [{"id": MODEL, "root": f"org{ESCAPES}"}]
        model = endpoint(server.name)
        shown = model.identity
        _, error = collected(model, 2)
    shown += "" if error is None else str(error) + repr(error)
    shown += "".join(capfd.readouterr())
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_words_are_one_short_line():
    assert clean_message("a\n\tb\x0bc") == "a b c"
    assert len(clean_message("4" * 10**6)) < 600
    assert (
        clean_message("caf\u00e9 \u4e16\u754c \U0001f600")
        == "caf\u00e9 \u4e16\u754c \U0001f600"
    )


# --- lists of models --------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"data": ' * 50_000,
        b'{"data": [' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"]}",
        b'{"data": [{"id": "toy-1b", "meta": ' + b"[" * 900 + b"]" * 900 + b"}]}",
        b'{"data": 4}',
        b'{"data": [4, null, {"id": "toy-1b", "meta": 4}]}',
        b'{"data": {"toy-1b": 1}}',
        b'[{"id": "toy-1b"}]',
        b'{"data": [{"id": ["toy-1b"]}]}',
        b'{"data": [{"id": "toy-1b"}, {"id": "toy-1b"}]}',
        b'{"data": [{"id": "toy-1b", "root": ["a"], "parent": {"b": 1}}]}',
        b'{"data": [{"id": "toy-1b", "meta": {"n_params": ' + b"9" * 5000 + b"}}]}",
        b"",
        b"\xff\xfe\x00",
    ],
)
def test_a_list_of_models_that_is_none(body):
    with serving(well) as server:
        server.list_models = lambda h: h.send(200, body)
        model = endpoint(server.name)
        assert model.identity.startswith(server.name)
        assert len(model.identity) < 200
        assert collected(model)[1] is None


# --- proxies ----------------------------------------------------------------------

NOWHERE = "http://ada:hidden@127.0.0.1:9"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("proxy", [NOWHERE, "socks5://127.0.0.1:9", "nonsense:port:x"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_needs_no_proxy(name, proxy, host, monkeypatch):
    monkeypatch.setenv(name, proxy)
    with serving(well) as server:
        model = endpoint(server.name.replace("127.0.0.1", host))
        assert model.identity
        found, error = collected(model, 3)
    assert error is None
    assert len(found) == 3


def test_a_proxy_that_fails_is_named(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", NOWHERE)
    _, error = collected(endpoint("http://models.example/v1#m", patience=0.2))
    assert isinstance(error, RunError)
    assert "through the proxy http://127.0.0.1:9 (HTTP_PROXY)" in str(error)
    assert "hidden" not in str(error)


def test_a_proxy_that_refuses_is_named(monkeypatch):
    def behave(handler, request, number):
        handler.send(407, b"who are you?")

    with serving(behave) as proxy:
        monkeypatch.setenv("all_proxy", f"127.0.0.1:{proxy.server_port}")
        _, error = collected(endpoint("http://models.example/v1#m"))
    assert isinstance(error, ModelError)
    assert "the proxy wants a name and a password (HTTP 407)" in str(error)
    assert f"http://127.0.0.1:{proxy.server_port} (all_proxy)" in str(error)


@pytest.mark.parametrize(
    ("proxy", "says"),
    [("socks5://127.0.0.1:9", "socksio"), ("gopher://x", "a proxy that is none")],
)
def test_a_proxy_that_cannot_be_used(proxy, says, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    _, error = collected(endpoint("https://models.example/v1#m", patience=0.2))
    assert isinstance(error, ModelError)
    assert says in str(error)
    assert "(HTTPS_PROXY)" in str(error)


def test_a_host_that_no_proxy_is_for(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
    assert proxy_route("https://models.example/v1").proxy == NOWHERE
    assert proxy_route("http://models.example/v1").proxy == ""
    monkeypatch.setenv("NO_PROXY", "models.example")
    assert proxy_route("https://models.example/v1") == ("", "")


# --- names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "https://api.openai.com\\@evil.example/v1#m",
        "https://evil.example\\.api.openai.com/v1#m",
        "http://local host/v1#m",
        "http://local\thost/v1#m",
        "http://local\nhost/v1#m",
        "http://localhost/v1#m\x1b[31m",
        "http://localhost/v1#m\u202e",
    ],
)
def test_a_name_that_others_read_otherwise(name):
    with pytest.raises(StudyError):
        completion.load(name)


def test_a_host_that_is_none_is_a_message():
    for name in ("http://a..b/v1#m", "http://-/v1#m", "http://%zz/v1#m"):
        _, error = collected(endpoint(name, patience=0.1))
        assert isinstance(error, PhiKitError)


def test_this_machine():
    here = ("localhost", "LOCALHOST", "localhost.", "127.0.0.1", "[::1]", "0.0.0.0")
    assert all(is_local(f"http://{host}:1/v1") for host in here)
    assert not any(is_local(f"http://{host}/v1") for host in ("1.1.1.1", "localhosts"))
