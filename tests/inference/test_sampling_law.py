"""Samples: the right law, the right ends, whatever shares their batch."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from scipy.stats import chisquare

from phi_kit.core.errors import RunError
from phi_kit.inference.draw import draw
from phi_kit.inference.local import engine, kv_cache, prefill, shared_prefix
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.local.token_sampler import sample_tokens
from phi_kit.inference.types import SampleRequest, SamplingParams
from phi_kit.models.chat_template import render

PROMPTS = [
    "Hi",
    "What is 3 + 4?",
    "A much longer prompt, " * 12 + "what now?",
    "7 7 7",
    "One more",
]
GREEDY = SamplingParams(max_tokens=8, temperature=0)
WARM = SamplingParams(max_tokens=8, temperature=1.0)


@pytest.fixture(scope="module", autouse=True)
def exact(tiny):
    """In double precision no rounding tells one batch from another."""
    tiny.model.double()
    yield
    tiny.model.float()


@pytest.fixture
def stopping(tiny, monkeypatch):
    """The tiny model with a fifth of its tokens ending the turn."""
    stops = list(range(0, len(tiny.tokenizer), 5))
    monkeypatch.setattr(tiny.model.generation_config, "eos_token_id", stops)
    return tiny


def texts(found):
    return [[sample.text for sample in samples] for samples in found]


def greedy_is_generate(student, prompts=PROMPTS):
    found = draw(student, prompts, GREEDY)
    for prompt, (sample,) in zip(prompts, found, strict=True):
        ids = student.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        out = student.model.generate(**ids, max_new_tokens=8, do_sample=False)
        new = out[0, ids.input_ids.shape[1] :]
        said = student.tokenizer.decode(new, skip_special_tokens=True)
        assert sample.text == said.strip()


def test_greedy_is_what_generate_says(tiny):
    greedy_is_generate(tiny)


def test_samples_differ_and_repeat(tiny):
    found = draw(tiny, PROMPTS, WARM, k=4, rng_seed=1, label="a")
    assert all(len({s.text for s in samples}) == 4 for samples in found)
    assert found == draw(tiny, PROMPTS, WARM, k=4, rng_seed=1, label="a")
    for other in ({"rng_seed": 2, "label": "a"}, {"rng_seed": 1, "label": "b"}):
        assert texts(found) != texts(draw(tiny, PROMPTS, WARM, k=4, **other))


def test_a_sample_does_not_depend_on_its_batch(stopping, monkeypatch):
    whole = draw(stopping, PROMPTS, WARM, k=3, rng_seed=1)
    assert draw(stopping, PROMPTS[1:3], WARM, k=3, rng_seed=1) == whole[1:3]
    assert draw(stopping, PROMPTS[::-1], WARM, k=3, rng_seed=1) == whole[::-1]
    fewer = draw(stopping, PROMPTS, WARM, k=2, rng_seed=1)
    assert fewer == [samples[:2] for samples in whole]
    monkeypatch.setattr(engine, "MAX_ROWS", 2)  # k > MAX_ROWS
    assert draw(stopping, PROMPTS, WARM, k=3, rng_seed=1) == whole


def test_samples_from_generate_are_the_same(stopping, monkeypatch):
    whole = draw(stopping, PROMPTS, WARM, k=3, rng_seed=1)
    monkeypatch.setattr(engine, "attends_to_all", lambda *_: False)
    assert draw(stopping, PROMPTS, WARM, k=3, rng_seed=1) == whole


EXAMPLES = "What is 2 + 2? It is 4. What is 3 + 4? It is 7. " * 8
WORKED = [EXAMPLES + prompt for prompt in PROMPTS]


@pytest.fixture
def in_one_piece(monkeypatch):
    """Let attention to a prefix be what it is without one."""

    def whole():
        monkeypatch.setattr(prefill, "LEAST_SHARED", 10**6)

    return whole


def prefix_of(student):
    ids = student.tokenizer(WORKED, add_special_tokens=False).input_ids
    return prefill.shared_tokens(student.model, ids)


def test_behind_a_shared_prefix_samples_are_the_same(stopping, in_one_piece):
    assert prefix_of(stopping) >= prefill.LEAST_SHARED
    shared = draw(stopping, WORKED, WARM, k=3, rng_seed=1)
    assert draw(stopping, WORKED[1:3], WARM, k=3, rng_seed=1) == shared[1:3]
    in_one_piece()
    assert prefix_of(stopping) == 0
    assert draw(stopping, WORKED, WARM, k=3, rng_seed=1) == shared


def test_a_shared_prefix_is_kept_once(stopping, monkeypatch):
    longest = []
    grow = kv_cache._SlotLayer.grow

    def watched(layer, tokens, *, limit):
        longest.append(tokens)
        return grow(layer, tokens, limit=limit)

    monkeypatch.setattr(kv_cache._SlotLayer, "grow", watched)
    draw(stopping, WORKED, WARM, k=2, rng_seed=1)
    ids = stopping.tokenizer(WORKED, add_special_tokens=False).input_ids
    own = max(map(len, ids)) - prefix_of(stopping)
    assert max(longest) <= own + WARM.max_tokens


def test_each_familys_examples_are_read_once(stopping, monkeypatch):
    """Questions of two families in turn, among some without any examples."""
    other = [text.replace("It is", "That is") for text in WORKED]
    both = [text for pair in zip(WORKED, other, strict=True) for text in pair]
    asked = [*PROMPTS[:2], *both, *PROMPTS[2:]]
    read = 0
    forward = stopping.model.forward

    def counted(*given, **named):
        nonlocal read
        read += named["input_ids"].numel()
        return forward(*given, **named)

    monkeypatch.setattr(stopping.model, "forward", counted)
    monkeypatch.setattr(prefill, "LEAST_GROUP", 10**6)
    whole = draw(stopping, asked, WARM, k=2, rng_seed=1)
    together, read = read, 0
    monkeypatch.setattr(prefill, "LEAST_GROUP", 4)
    assert draw(stopping, asked, WARM, k=2, rng_seed=1) == whole
    assert read < together / 2


def test_greedy_behind_a_shared_prefix_is_what_generate_says(tiny):
    greedy_is_generate(tiny, WORKED)


def test_out_of_memory_behind_a_shared_prefix(stopping, monkeypatch):
    whole = draw(stopping, WORKED, WARM, k=3, rng_seed=1)
    forward = stopping.model.forward

    def tight(*given, **named):
        if len(named["input_ids"]) > 2:
            raise torch.OutOfMemoryError("too many rows")
        return forward(*given, **named)

    monkeypatch.setattr(stopping.model, "forward", tight)
    assert draw(stopping, WORKED, WARM, k=3, rng_seed=1) == whole


def test_the_models_own_attention_comes_back(tiny):
    drawing = tiny.stream([SampleRequest(text, 0, 1) for text in WORKED], WARM)
    next(drawing)
    assert tiny.model.config._attn_implementation == "sdpa"
    drawing.close()
    assert tiny.model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("how", ["eager", "another scale"])
def test_attention_that_cannot_be_split_is_left_whole(tiny, monkeypatch, how):
    if how == "eager":
        monkeypatch.setattr(tiny.model.config, "_attn_implementation", "eager")
    else:  # as a family with a cap on its scores would differ
        attention = shared_prefix._attention
        monkeypatch.setattr(
            shared_prefix,
            "_attention",
            lambda *given: attention(*given[:-1], 3.0),
        )
    assert prefix_of(tiny) == 0
    greedy_is_generate(tiny, WORKED)


def test_a_model_with_a_short_window(real_tokenizer, tiny_sizes):
    """Layers that see only their neighbourhood: as `generate` reads them."""
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(1)
    config = MistralConfig(**tiny_sizes, sliding_window=12)
    model = MistralForCausalLM(config).eval().double()
    student = LocalModel("windowed", model, real_tokenizer)
    assert not engine.attends_to_all(config, 20)
    assert engine.attends_to_all(config, 12)
    greedy_is_generate(student)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_out_of_memory_it_goes_on_with_fewer_rows(stopping, monkeypatch, rows):
    whole = draw(stopping, PROMPTS, WARM, k=3, rng_seed=1)
    forward = stopping.model.forward

    def tight(*given, **named):
        if len(named["input_ids"]) > rows:
            raise torch.OutOfMemoryError("too many rows")
        return forward(*given, **named)

    monkeypatch.setattr(stopping.model, "forward", tight)
    assert draw(stopping, PROMPTS, WARM, k=3, rng_seed=1) == whole


def test_no_memory_for_one_row_is_one_message(tiny, monkeypatch):
    def full(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(tiny.model, "forward", full)
    with pytest.raises(RunError, match="does not fit into memory"):
        draw(tiny, PROMPTS, WARM)


def test_logits_that_are_not_finite_are_named(tiny):
    hook = tiny.model.lm_head.register_forward_hook(
        lambda *given: given[-1] * torch.nan
    )
    try:
        with pytest.raises(RunError, match="not finite"):
            draw(tiny, PROMPTS, WARM)
    finally:
        hook.remove()


def watched_tokens(monkeypatch):
    """The token ids of every sample that ends, by the index of its request."""
    tokens = {}

    class Watched(engine.DecodingRow):
        def __init__(self, index, *rest):
            super().__init__(index, *rest)
            tokens[index] = self.tokens

    monkeypatch.setattr(engine, "DecodingRow", Watched)
    return tokens


def test_the_log_probability_is_the_models_own(stopping, monkeypatch):
    """Whatever the temperature; mean over the tokens, the last included."""
    warm = replace(WARM, temperature=0.7)
    for prompt in PROMPTS[:3]:
        ids = stopping.tokenizer(prompt, add_special_tokens=False).input_ids
        asked = [SampleRequest(prompt, i, i) for i in range(4)]
        said_by = watched_tokens(monkeypatch)
        for index, sample in stopping.stream(asked, warm):
            said = said_by[index]
            whole = torch.tensor([ids + said])
            with torch.no_grad():
                law = stopping.model(input_ids=whole).logits[0].log_softmax(dim=-1)
            own = law[len(ids) - 1 : -1].gather(1, torch.tensor(said)[:, None])
            assert sample.logprob == pytest.approx(own.mean().item(), abs=1e-4)


def test_every_sample_ends_once(stopping):
    found = draw(stopping, PROMPTS, WARM, k=8, rng_seed=3)
    everyone = [sample for samples in found for sample in samples]
    assert {sample.finish for sample in everyone} == {"stop", "length"}
    for sample in everyone:
        assert 1 <= sample.tokens <= 8
        assert sample.finish == "stop" or sample.tokens == 8


def test_a_stop_at_the_last_token_is_a_stop(tiny, monkeypatch):
    everything = list(range(len(tiny.tokenizer)))
    monkeypatch.setattr(tiny.model.generation_config, "eos_token_id", everything)
    found = draw(tiny, ["Hi"], replace(WARM, max_tokens=1))
    assert (found[0][0].tokens, found[0][0].finish) == (1, "stop")


def test_the_end_of_turn_is_not_in_the_text(tiny):
    eos = tiny.tokenizer.eos_token_id
    tokens = [*tiny.tokenizer(" 73 ").input_ids, eos]
    sample = engine.completion_of(tiny, tokens, -1.0)
    assert (sample.text, sample.finish) == ("73", "stop")


def test_no_prompts_no_samples(tiny):
    assert draw(tiny, [], WARM) == []


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_follow_the_softmax(temperature):
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, float("-inf"), 0.5])
    n = 20_000
    uniforms = torch.rand(n, generator=torch.Generator().manual_seed(1))
    tokens, _ = sample_tokens(logits.expand(n, -1), uniforms, temperature)
    counts = torch.bincount(tokens, minlength=6).double()
    expected = torch.softmax(logits.double() / temperature, dim=0) * n
    possible = expected > 0
    assert counts[~possible].sum() == 0
    assert chisquare(counts[possible], expected[possible]).pvalue > 0.001


@pytest.mark.parametrize("uniform", [0.0, 0.99999997, 1.0])
def test_no_impossible_token_is_sampled(uniform):
    impossible = float("-inf")
    logits = torch.tensor([[impossible, 1.0, 2.0, impossible, impossible]])
    expected = 1 if uniform == 0 else 2
    assert sample_tokens(logits, torch.tensor([uniform]), 1.0)[0].tolist() == [expected]


def test_temperature_zero_is_greedy():
    logits = torch.tensor([[0.0, 3.0, 1.0], [5.0, 3.0, 1.0]])
    assert sample_tokens(logits, torch.tensor([0.1, 0.9]), 0)[0].tolist() == [1, 0]


def test_a_tokenizer_without_pad_gets_one(tiny, monkeypatch):
    import transformers

    from phi_kit.inference import completion
    from phi_kit.inference.local import origin
    from phi_kit.models import catalog

    bare = SimpleNamespace(
        pad_token_id=None, pad_token=None, eos_token="</s>", chat_template="x"
    )
    monkeypatch.setattr(catalog, "resolve", lambda name: "nowhere")
    monkeypatch.setattr(origin, "identity", lambda folder: "0" * 16)
    for kind, made in (("Tokenizer", bare), ("ModelForCausalLM", tiny.model)):
        monkeypatch.setattr(
            getattr(transformers, f"Auto{kind}"),
            "from_pretrained",
            lambda *_, m=made, **__: m,
        )
    assert completion.load("a model without PAD", four_bit=False).tokenizer is bare
    assert bare.pad_token == "</s>"
    completion.load.cache_clear()


@pytest.mark.slow
def test_the_real_model_ends_its_turns():
    from phi_kit.inference import completion

    student = completion.load("smollm2-135m", four_bit=False)
    prompt = render(
        student.tokenizer, "Give only the answer.", "What is the capital of France?"
    )
    found = draw(student, [prompt], SamplingParams(max_tokens=32, temperature=0), k=2)
    everyone = [sample for samples in found for sample in samples]
    assert any(sample.finish == "stop" for sample in everyone)
    assert not any("<|im_" in sample.text for sample in everyone)
    completion.load.cache_clear()
