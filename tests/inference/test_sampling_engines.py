"""Engines that are not the kit's own: the same law, ends and texts, other samples."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from samplers import Counting
from scipy.stats import chi2_contingency

from phi_kit.core.compute_record import record_compute
from phi_kit.core.errors import RunError
from phi_kit.inference.draw import draw
from phi_kit.inference.local import transformers_engine
from phi_kit.inference.local.transformers_engine import TransformersEngine
from phi_kit.inference.types import SampleRequest, SamplingParams

PROMPTS = ["Hi", "What is 3 + 4?", "A much longer prompt, " * 12 + "what now?"]
GREEDY = SamplingParams(max_tokens=8, temperature=0)
WARM = SamplingParams(max_tokens=6, temperature=0.7)


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    """A small cache is filled sooner."""
    monkeypatch.setattr(transformers_engine, "ROWS", 16)


@pytest.fixture(scope="module")
def batching(tiny):
    """The tiny model with transformers' continuous batching."""
    return replace(tiny, engine=TransformersEngine())


@pytest.mark.slow
def test_greedy_is_the_kits_own(tiny, batching):
    assert [[s.text for s in each] for each in draw(batching, PROMPTS, GREEDY)] == [
        [s.text for s in each] for each in draw(tiny, PROMPTS, GREEDY)
    ]


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_its_first_tokens_follow_the_same_law(tiny, batching, temperature):
    """Whatever the model's own settings say: they are not asked."""
    one = SamplingParams(max_tokens=1, temperature=temperature)
    own, other = (
        Counter(s.text for s in draw(model, PROMPTS[:1], one, k=400, rng_seed=5)[0])
        for model in (tiny, batching)
    )
    common = [text for text, n in (own + other).items() if n >= 20]
    rows = [[found[text] for text in common] for found in (own, other)]
    table = np.array([[*row, 400 - sum(row)] for row in rows])
    assert chi2_contingency(table[:, table.any(axis=0)]).pvalue > 1e-3


@pytest.mark.slow
def test_it_records_the_models_own_log_probabilities_or_none(tiny, batching):
    (own,), (other,) = (
        draw(model, PROMPTS[:1], GREEDY)[0] for model in (tiny, batching)
    )
    assert other.logprob == pytest.approx(own.logprob, abs=1e-3)
    # At other temperatures it knows those of the law it samples from alone.
    assert draw(batching, PROMPTS[:1], WARM)[0][0].logprob is None


@pytest.mark.slow
def test_every_sample_ends_once(batching, monkeypatch):
    stops = list(range(0, len(batching.tokenizer), 5))
    monkeypatch.setattr(batching.model.generation_config, "eos_token_id", stops)
    asked = [SampleRequest(p, i, 9 * i) for p in PROMPTS for i in range(12)]
    found = dict(batching.stream(asked, WARM))
    assert sorted(found) == list(range(len(asked)))
    assert {sample.finish for sample in found.values()} == {"stop", "length"}
    for sample in found.values():
        assert 1 <= sample.tokens <= 6
        assert sample.finish == "stop" or sample.tokens == 6


@pytest.mark.slow
def test_a_draw_that_is_left_leaves_nothing_running(batching):
    asked = [SampleRequest(PROMPTS[0], i, i) for i in range(64)]
    before = torch.random.get_rng_state()
    drawing = batching.stream(asked, replace(WARM, max_tokens=64))
    next(drawing)
    drawing.close()
    assert batching.model.config._attn_implementation == "sdpa"
    assert torch.equal(torch.random.get_rng_state(), before)
    assert draw(batching, PROMPTS, WARM)


@pytest.mark.slow
def test_a_failure_is_one_message(batching, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(batching.model, "forward", full)
    with pytest.raises(RunError, match=r"continuous batching failed.*out of memory"):
        draw(batching, PROMPTS, WARM)


def test_nothing_asked_is_nothing_drawn(batching):
    assert draw(batching, [], WARM) == []


def test_the_manifest_says_who_sampled():
    sampler = Counting(identity="")
    sampler.precision, sampler.sampled_by = "nf4-bfloat16", "transformers"
    with record_compute() as record:
        draw(sampler, ["Hi"], WARM)
    assert record.as_dict()["engines"] == ["transformers"]
