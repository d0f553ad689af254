"""A real `transformers serve`: the same text as here, and a step end to end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from real_server import needs_server, transformers_serve

from phi_kit.inference import completion
from phi_kit.inference.draw import draw
from phi_kit.inference.endpoint.client import Endpoint
from phi_kit.inference.types import SamplingParams

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = ("What is 3 + 4?", "What is the capital of France?", "Name a colour.")
STUDY = """\
study: far
model: MODEL
domains: [math]
endpoint: {budget_tokens: 20_000, price_in: 1, price_out: 2}
pick_domain: {dev_items: 8, test_items: 8, samples: 2, max_tokens: 8}
"""

pytestmark = [pytest.mark.slow, needs_server]


@pytest.fixture(scope="module")
def name(tmp_path_factory):
    with transformers_serve(tmp_path_factory.mktemp("server") / "log") as name:
        yield name


def asked(model, **how):
    prompts = [model.render("Give only the answer.", one) for one in QUESTIONS]
    return draw(model, prompts, **how)


def test_greedy_text_is_the_local_decoders(name):
    greedy = SamplingParams(max_tokens=16, temperature=0)
    far = asked(Endpoint(name), sampling=greedy)
    student = completion.load("smollm2-135m", four_bit=False)
    near = asked(student, sampling=greedy)
    completion.load.cache_clear()
    for (there,), (here,) in zip(far, near, strict=True):
        assert (there.text, there.tokens, there.finish) == (
            here.text,
            here.tokens,
            here.finish,
        )
    assert {sample.finish for (sample,) in far} == {"stop", "length"}


def test_samples_differ(name):
    far = asked(
        Endpoint(name), sampling=SamplingParams(max_tokens=12, temperature=1), k=4
    )
    assert all(len({sample.text for sample in samples}) > 1 for samples in far)


def test_step_1_runs_through_it(name, tmp_path):
    path = tmp_path / "far.yaml"
    path.write_text(STUDY.replace("MODEL", name))
    done = subprocess.run(
        [sys.executable, "-m", "phi_kit", "run", str(path), "--to", "pick_domain"],
        env={**os.environ, "PHI_KIT_RUNS": str(tmp_path), "PHI_KIT_API_KEY": "x" * 20},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    step = tmp_path / "far" / "math" / "01_pick_domain"
    manifest = json.loads((step / "manifest.json").read_text())
    assert manifest["params"]["model"] == name
    assert manifest["result"]["overall"]["n"] == 8
    spent = (tmp_path / "far" / "spent.jsonl").read_text().splitlines()
    assert len(spent) == 16
    assert all(json.loads(row)["cost"] > 0 for row in spent)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(b"x" * 20 not in path.read_bytes() for path in written)
