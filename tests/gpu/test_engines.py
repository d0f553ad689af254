"""The engines that can sample on a card: one law, and how fast each is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency

from phi_kit.inference.draw import draw
from phi_kit.inference.local.engine_choice import measure_engine, with_engine
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.local.sampling_engine import OwnEngine
from phi_kit.inference.local.transformers_engine import TransformersEngine
from phi_kit.inference.local.vllm_server import vllm_program
from phi_kit.inference.types import SamplingParams
from phi_kit.models import catalog

pytestmark = pytest.mark.gpu

NEEDS_VLLM = pytest.mark.skipif(
    vllm_program() is None, reason="the program vllm is not installed"
)
OTHERS = ["transformers", pytest.param("vllm", marks=NEEDS_VLLM)]


@pytest.fixture(params=OTHERS)
def other(request, student) -> Iterator[LocalModel]:
    """The embedded model with an engine that is not the kit's own."""
    folder = catalog.resolve("smollm2-135m")
    model = with_engine(student, request.param, folder, four_bit=True)
    yield model
    model.engine.close()


def prompts(model: LocalModel) -> list[str]:
    """Questions of very different lengths."""
    asked = ["What is 3 + 4?", "Name a river.", "word " * 300 + "What now?"]
    return [model.render("", each) for each in asked]


@pytest.mark.seconds(400)  # a vLLM server may take minutes to start
def test_one_law(other, student):
    one = SamplingParams(1, 0.8)
    for text in prompts(student):
        own, theirs = (
            Counter(s.text for s in draw(model, [text], one, k=2000, rng_seed=7)[0])
            for model in (student, other)
        )
        common = [word for word, n in (own + theirs).items() if n >= 20]
        rows = [[found[word] for word in common] for found in (own, theirs)]
        table = np.array([[*row, 2000 - sum(row)] for row in rows])
        assert chi2_contingency(table[:, table.any(axis=0)]).pvalue > 1e-4


@pytest.mark.seconds(400)
def test_greedy_is_nearly_always_the_kits_own(other, student):
    """In bf16 another order of sums turns a choice between near equals."""
    texts = [student.render("", f"What is {n} + {n + 1}?") for n in range(40)]
    greedy = SamplingParams(8, 0.0)
    own, theirs = (draw(model, texts, greedy) for model in (student, other))
    same = [a.text == b.text for (a,), (b,) in zip(own, theirs, strict=True)]
    assert np.mean(same) >= 0.8
    known = [
        (a.logprob, b.logprob)
        for ((a,), (b,)), one in zip(zip(own, theirs, strict=True), same, strict=True)
        if one
    ]
    assert all(b == pytest.approx(a, abs=0.1) for a, b in known)


@pytest.mark.seconds(400)
def test_its_memory_comes_back(other):
    torch.cuda.empty_cache()
    before, _ = torch.cuda.mem_get_info()
    draw(other, prompts(other), SamplingParams(16, 0.8), k=4)
    other.engine.close()
    torch.cuda.empty_cache()
    after, _ = torch.cuda.mem_get_info()
    assert after > before - 300e6  # what libraries keep for themselves


@pytest.mark.seconds(400)
def test_how_fast_each_is(other, student, record):
    own = measure_engine(student, OwnEngine())
    theirs = measure_engine(other, other.engine)
    record("engine own", own.tokens, "tokens/s", start=round(own.start, 1))
    record(
        f"engine {other.engine.name}",
        theirs.tokens,
        "tokens/s",
        start=round(theirs.start, 1),
    )
    record("  of the kit's own", theirs.tokens / own.tokens, "times")


@pytest.mark.seconds(120)
def test_how_fast_each_is_at_published_sizes(large, record):
    """Random weights: samples are as long as they may be."""
    for engine in (OwnEngine(), TransformersEngine()):
        rate = measure_engine(replace(large, engine=engine), engine)
        record(f"{large.name} engine {engine.name}", rate.tokens, "tokens/s")
        record("  a filter of 3,000 seeds", rate.seconds / 3600, "hours")
