"""Weights laid out for decoding compute what they did, and are put away again."""

import copy
from contextlib import nullcontext
from types import SimpleNamespace

import psutil
import pytest
import torch

from phi_kit.inference.local.decoding_weights import (
    lora_adapter,
    product_dtype,
    weights_for_decoding,
)
from phi_kit.models.quantization import keep_layout
from phi_kit.training.training_run import fresh_adapter


@pytest.fixture(scope="module")
def model():
    """Two NF4 layers with double quantisation, one with a bias."""
    from bitsandbytes.nn import Linear4bit

    torch.manual_seed(0)
    how = {"compute_dtype": torch.float32, "quant_type": "nf4"}
    layers = torch.nn.Sequential(
        Linear4bit(64, 128, bias=True, compress_statistics=True, **how),
        torch.nn.SiLU(),
        Linear4bit(128, 32, bias=False, compress_statistics=True, **how),
    ).to("cpu")
    keep_layout(layers)  # as loading does
    layers(torch.zeros(1, 64))  # quantised by now, at the latest
    assert layers[0].weight.quant_state is not None
    return layers


def outcome(model):
    inputs = torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return [model(inputs[:, :n].transpose(0, 1)) for n in (1, 2, 5)]


@pytest.fixture(params=[True, False], ids=["oneDNN", "without oneDNN"])
def order(request, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: request.param)
    return request.param


def test_outputs_are_the_packed_ones(model, order):
    before = outcome(model)
    with weights_for_decoding(model) as done:
        assert done
        for ours, theirs in zip(outcome(model), before, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_afterwards_it_is_as_it_was_even_after_an_error(model):
    before = outcome(model)
    with pytest.raises(KeyError), weights_for_decoding(model):
        raise KeyError
    assert all("forward" not in vars(layer) for layer in model)
    assert all(map(torch.equal, outcome(model), before))


def test_inside_another_it_leaves_the_first_alone(model):
    with weights_for_decoding(model):
        with weights_for_decoding(model) as again:
            assert not again
        assert "forward" in vars(model[0])


def test_where_memory_is_short_weights_stay_packed(model, monkeypatch):
    little = SimpleNamespace(available=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    with weights_for_decoding(model) as done:
        assert not done
        outcome(model)


def test_float_layers_are_put_into_another_order(tiny, order):
    ids = torch.arange(12).reshape(3, 4)
    with torch.inference_mode():
        before = tiny.model(input_ids=ids).logits
    weights = [weight.clone() for weight in tiny.model.parameters()]
    with weights_for_decoding(tiny.model) as done, torch.inference_mode():
        assert done == order
        after = tiny.model(input_ids=ids).logits
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)
    assert all(map(torch.equal, tiny.model.parameters(), weights))


def logits(model):
    ids = torch.arange(12).reshape(3, 4)
    with torch.inference_mode():
        return model(input_ids=ids).logits


@pytest.fixture
def tuned(tiny):
    """The tiny model with an adapter that says something."""
    with fresh_adapter(tiny, 4) as model:
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight)
        yield model.eval()


def test_an_adapter_is_part_of_the_copies_and_of_nothing_else(tuned, order):
    before, base = logits(tuned), logits_without_adapter(tuned)
    assert (before - base).abs().max() > 1
    weights = [weight.clone() for weight in tuned.parameters()]
    layers = [layer for layer in tuned.modules() if lora_adapter(layer)]
    with weights_for_decoding(tuned) as done:
        assert done == order
        assert all(("forward" in vars(layer)) == order for layer in layers)
        torch.testing.assert_close(logits(tuned), before, rtol=1e-4, atol=1e-4)
    assert torch.equal(logits(tuned), before)
    assert all(map(torch.equal, tuned.parameters(), weights))
    assert len(layers) == 14


def logits_without_adapter(model):
    with model.disable_adapter():
        return logits(model)


def test_an_adapter_that_is_off_is_no_part_of_them(tuned):
    base = logits_without_adapter(tuned)
    with tuned.disable_adapter(), weights_for_decoding(tuned) as done:
        assert done
        torch.testing.assert_close(logits(tuned), base, rtol=1e-4, atol=1e-4)


def test_an_adapter_put_on_later_is_decoded_with(tiny):
    """The weights may be laid out already for the model under it."""
    with weights_for_decoding(tiny.model), fresh_adapter(tiny, 4) as model:
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight)
        model.eval()
        before = logits(model)
        with weights_for_decoding(model):
            torch.testing.assert_close(logits(model), before, rtol=1e-4, atol=1e-4)


def test_an_adapter_on_4_bit_weights_is_added_to_floats(model):
    """Added to the 4-bit weights it would be rounded away (peft #2321)."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=4, lora_alpha=8, target_modules=["0", "2"])
    adapted = get_peft_model(copy.deepcopy(model), config).eval()
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.01)
    before = outcome(adapted)
    with weights_for_decoding(adapted) as done:
        assert done
        for ours, theirs in zip(outcome(adapted), before, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_dora_is_left_to_peft(model):
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=4, target_modules=["0"], use_dora=True)
    adapted = get_peft_model(copy.deepcopy(model), config).eval()
    before = outcome(adapted)
    with weights_for_decoding(adapted):
        for ours, theirs in zip(outcome(adapted), before, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


has_bf16 = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(),
    reason="oneDNN has no bf16 on this processor",
)


@pytest.mark.parametrize(
    "laid_out", [False, pytest.param(True, marks=has_bf16)], ids=["packed", "laid out"]
)
def test_bf16_products_take_and_give_float32(model, laid_out):
    exact = outcome(model)
    half = copy.deepcopy(model)
    for layer in (half[0], half[2]):
        layer.compute_dtype = torch.bfloat16
    with weights_for_decoding(half) if laid_out else nullcontext():
        found = outcome(half)
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.dtype == torch.float32
        gap = (ours - theirs).norm() / theirs.norm()
        assert 0 < gap < 1e-2


@has_bf16
def test_the_output_layer_follows_the_4_bit_layers(tiny, model):
    """It is not quantised, and it is a fifth of the embedded model's work."""
    student = copy.deepcopy(tiny.model)
    assert product_dtype(student) == torch.float32
    exact = logits(student)
    half = copy.deepcopy(model[0])
    half.compute_dtype = torch.bfloat16
    student.model.extra = half  # nothing calls it
    assert product_dtype(student) == torch.bfloat16
    with weights_for_decoding(student):
        rounded = logits(student)
    assert rounded.dtype == torch.float32
    assert torch.equal(rounded, rounded.bfloat16().float())
    assert 0 < (rounded - exact).norm() / exact.norm() < 1e-2
