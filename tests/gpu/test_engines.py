"""The engines that can sample on a card: one law, and memory that comes back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency

from phi_kit.inference.draw import draw
from phi_kit.inference.local.engine_choice import with_engine
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.local.vllm_server import vllm_program
from phi_kit.inference.types import SamplingParams
from phi_kit.models import catalog

from .device import REHEARSAL, needs_card

pytestmark = pytest.mark.gpu

NEEDS_VLLM = pytest.mark.skipif(
    vllm_program() is None or REHEARSAL, reason="the program vllm is not installed"
)
OTHERS = ["transformers", pytest.param("vllm", marks=NEEDS_VLLM)]
SAMPLES = 200 if REHEARSAL else 2000


@pytest.fixture(scope="module", params=OTHERS)
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


@pytest.mark.seconds(240)  # a vLLM server may take minutes to start
def test_one_law(other, student):
    one = SamplingParams(1, 0.8)
    for text in prompts(student):
        own, theirs = (
            Counter(s.text for s in draw(model, [text], one, k=SAMPLES, rng_seed=7)[0])
            for model in (student, other)
        )
        common = [word for word, n in (own + theirs).items() if n >= 20]
        rows = [[found[word] for word in common] for found in (own, theirs)]
        table = np.array([[*row, SAMPLES - sum(row)] for row in rows])
        assert chi2_contingency(table[:, table.any(axis=0)]).pvalue > 1e-4


@pytest.mark.seconds(240)
def test_greedy_is_nearly_always_the_kits_own(other, student):
    """In bf16 another order of sums turns a choice between near equals."""
    texts = [student.render("", f"What is {n} + {n + 1}?") for n in range(40)]
    greedy = SamplingParams(8, 0.0)
    pairs = [
        (own, theirs)
        for (own,), (theirs,) in zip(
            draw(student, texts, greedy), draw(other, texts, greedy), strict=True
        )
    ]
    same = [(own, theirs) for own, theirs in pairs if own.text == theirs.text]
    assert len(same) >= 0.8 * len(pairs)
    for own, theirs in same:
        assert theirs.logprob == pytest.approx(own.logprob, abs=0.1)


@needs_card
@pytest.mark.seconds(240)
def test_its_memory_comes_back(other):
    other.engine.close()
    torch.cuda.empty_cache()
    before, _ = torch.cuda.mem_get_info()
    draw(other, prompts(other), SamplingParams(16, 0.8), k=4)
    other.engine.close()
    torch.cuda.empty_cache()
    after, _ = torch.cuda.mem_get_info()
    assert after > before - 300e6  # what libraries keep for themselves
