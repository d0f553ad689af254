"""vLLM in a process of its own: what it is asked, and that nothing of it stays behind.

A scripted server stands in for the program (`fake_vllm.py`): vLLM itself needs a card.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from phi_kit.core.errors import ModelError, RunError
from phi_kit.inference.local import engine_choice, vllm_server
from phi_kit.inference.local.vllm_engine import VllmEngine
from phi_kit.inference.local.vllm_server import ServedModel
from phi_kit.inference.types import SampleRequest, SamplingParams

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "<|user|>\n  What is 3 + 4? \u00e9 {{ x }}<|assistant|>\n"
WARM = SamplingParams(max_tokens=16, temperature=0.7)
LOCAL = SimpleNamespace(
    tokenizer=lambda texts, **_: SimpleNamespace(input_ids=[[1] * 5 for _ in texts])
)


class Told(SimpleNamespace):
    """What the stand-in has been told so far."""

    def lines(self, kind):
        if not self.file.exists():
            return []
        rows = [json.loads(line) for line in self.file.read_text().splitlines()]
        return [row for row in rows if kind in row]

    @property
    def starts(self):
        return self.lines("server")

    @property
    def requests(self):
        return [row["request"] for row in self.lines("request")]

    def alive(self):
        """Processes of all its starts that have not ended."""
        pids = [row[name] for row in self.starts for name in ("server", "engine")]
        return [pid for pid in pids if running(pid)]

    def logs(self):
        return list((self.file.parent / "cache" / "logs").glob("*.log"))


def running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def soon(wanted, *, seconds=30):
    deadline = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def told(tmp_path, monkeypatch):
    program = tmp_path / "vllm"
    script = ROOT / "tests" / "fake_vllm.py"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PHI_KIT_VLLM", str(program))
    monkeypatch.setenv("PHI_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FAKE_VLLM", str(tmp_path / "told.jsonl"))
    monkeypatch.setattr(vllm_server, "_card_share", dict)
    monkeypatch.setattr(vllm_server, "_POLL_SECONDS", 0.05)
    yield Told(file=tmp_path / "told.jsonl")
    vllm_server.stop_server()


@pytest.fixture
def engine(tmp_path):
    return VllmEngine(ServedModel(tmp_path / "phi", "bfloat16", True, 4096))


def drawn(engine, n=4, prompt=PROMPT, sampling=WARM):
    asked = [SampleRequest(prompt, i, (i + 1) << 40) for i in range(n)]
    return dict(engine.stream(LOCAL, asked, sampling))


def option(start, name):
    arguments = start["arguments"]
    return arguments[arguments.index(name) + 1]


def test_it_is_asked_for_the_softmax_of_the_rendered_prompt(told, engine):
    found = drawn(engine)
    assert sorted(found) == [0, 1, 2, 3]
    assert len({sample.text for sample in found.values()}) == 4
    for sample in found.values():
        assert sample.text == sample.text.strip() != ""
        assert (sample.tokens, sample.finish, sample.logprob) == (2, "stop", -0.375)
        assert sample.cost is None
    assert found == drawn(engine)  # the same streams are the same seeds
    for request in told.requests:
        assert request["messages"] == [{"role": "user", "content": PROMPT}]
        law = {name: request[name] for name in ("temperature", "top_p", "top_k")}
        assert law == {"temperature": 0.7, "top_p": 1.0, "top_k": -1}
        assert request["max_tokens"] == 16
    (start,) = told.starts
    assert start["arguments"][:2] == ["serve", str(told.file.parent / "phi")]
    assert option(start, "--host") == "127.0.0.1"
    assert option(start, "--generation-config") == "vllm"
    assert option(start, "--quantization") == "bitsandbytes"
    assert "--enable-lora" not in start["arguments"]


def test_an_environment_of_its_own_gets_none_of_our_packages(told, engine, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    drawn(engine, 1)
    assert told.starts[0]["path"] is None


def test_the_template_repeats_the_prompt_to_the_letter(told, engine):
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    drawn(engine, 1)
    template = Path(option(told.starts[0], "--chat-template")).read_text()
    # As transformers, and so vLLM, renders one.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    turns = told.requests[0]["messages"]
    assert environment.from_string(template).render(messages=turns) == PROMPT


def test_it_starts_at_the_first_sample_and_ends_with_all_that_it_started(told, engine):
    assert drawn(engine, 0) == {}
    assert told.starts == []
    drawn(engine)
    drawn(engine)
    assert len(told.starts) == 1
    assert len(told.alive()) == 2
    engine.close()
    assert told.alive() == []  # its memory is free when `close` returns
    assert told.logs() == []
    engine.close()
    drawn(engine)
    assert len(told.starts) == 2


@pytest.mark.slow
def test_without_a_draw_for_long_it_gives_the_card_back(told, engine, monkeypatch):
    monkeypatch.setattr(vllm_server, "IDLE_SECONDS", 0.1)
    asked = [SampleRequest(PROMPT, i, i << 40) for i in range(2)]
    drawing = engine.stream(LOCAL, asked, WARM)
    next(drawing)
    time.sleep(0.5)
    assert len(told.alive()) == 2  # a draw is under way
    drawing.close()
    soon(lambda: not told.alive())
    drawn(engine)
    assert len(told.starts) == 2


def test_longer_samples_than_it_has_room_for_start_it_again(told, engine):
    drawn(engine)
    drawn(engine, sampling=SamplingParams(2000, 0.7))
    assert len(told.starts) == 1
    drawn(engine, sampling=SamplingParams(3000, 0.7))
    lengths = [option(start, "--max-model-len") for start in told.starts]
    assert lengths == ["2048", "4096"]
    assert len(told.alive()) == 2


def test_a_tuned_model_is_served_with_its_adapter(told, engine, tmp_path):
    adapter = tmp_path / "adapters" / "own=1"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text('{"r": 12}')
    drawn(engine, 1)
    drawn(engine.adapted(adapter), 1)
    base, tuned = told.starts
    assert option(tuned, "--max-lora-rank") == "16"
    module = json.loads(option(tuned, "--lora-modules"))
    assert module["path"] == str(adapter)
    asked = [request["model"] for request in told.requests]
    assert asked == [option(base, "--served-model-name"), module["name"]]
    assert module["name"] != option(tuned, "--served-model-name")
    assert len(told.alive()) == 2  # the first one made room


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "says", "last"),
    [
        ("start", "ended before it could answer", "No available memory for the cache"),
        ("asked", "ended while it was sampling", "OutOfMemoryError: CUDA out of memor"),
    ],
)
def test_a_server_that_ends_is_named_with_its_log(
    told, engine, monkeypatch, when, says, last
):
    monkeypatch.setenv("FAKE_VLLM_DIES", when)
    with pytest.raises(RunError, match=says) as caught:
        drawn(engine)
    assert last in str(caught.value)
    assert told.alive() == []
    vllm_server.stop_server()
    (log,) = told.logs()  # kept, for the error names it
    assert str(log) in str(caught.value)
    assert last in log.read_text()


HELD = """
import os, sys, threading
from pathlib import Path
from phi_kit.inference.local import vllm_server
vllm_server._card_share = dict
served = vllm_server.ServedModel(Path("phi"), "bfloat16", True, 4096)
def start():
    with vllm_server.serving(served, 64):
        pass
thread = threading.Thread(target=start)
thread.start()
thread.join()  # the thread that started it has ended, and it must stay
print("up", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("end", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        signal.SIGKILL,
    ],
)
def test_nothing_outlives_the_process_that_started_it(told, how):
    with subprocess.Popen(
        [sys.executable, "-c", HELD],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as kit:
        assert kit.stdout.readline() == "up\n"
        time.sleep(0.5)
        assert len(told.alive()) == 2
        if how == "end":
            kit.stdin.write("\n")
            kit.stdin.flush()
        else:
            kit.send_signal(how)
        kit.wait(60)
    soon(lambda: not told.alive())


def test_an_engine_whose_front_is_killed_ends_too(told, engine):
    """vLLM leaves it behind, with the card's memory (vllm-project/vllm #55510)."""
    drawn(engine, 1)
    os.kill(told.starts[0]["server"], signal.SIGKILL)
    soon(lambda: not told.alive())
    drawn(engine, 1)
    assert len(told.starts) == 2


def test_without_the_program_it_is_refused_at_once(told, monkeypatch):
    monkeypatch.setenv("PHI_KIT_VLLM", "no-such-program")
    with pytest.raises(ModelError, match="needs the program vllm"):
        engine_choice.require_engine("vllm")
