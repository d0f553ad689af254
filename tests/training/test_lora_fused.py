"""A fused LoRA layer is peft's, with its gradients, on 4-bit and on float weights."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model

from phi_kit.inference.local.decoding_weights import weights_for_decoding
from phi_kit.training.lora_fused import dequantized_bytes, fused_lora
from phi_kit.training.training_run import fresh_adapter

WIDTH = 64


class Two(torch.nn.Module):
    def __init__(self, quantised: bool):
        super().__init__()
        self.one = linear(quantised)
        self.other = linear(quantised)

    def forward(self, x):
        return self.other(torch.relu(self.one(x)))


def linear(quantised: bool) -> torch.nn.Module:
    plain = torch.nn.Linear(WIDTH, WIDTH)
    if not quantised:
        return plain
    import bitsandbytes as bnb

    layer = bnb.nn.Linear4bit(WIDTH, WIDTH, quant_type="nf4", compress_statistics=True)
    layer.load_state_dict(plain.state_dict())
    return layer.to("cpu")


@pytest.fixture(params=[True, False], ids=["nf4", "float"])
def adapted(request):
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["one", "other"])
    model = get_peft_model(Two(request.param), config)
    for name, weight in model.named_parameters():
        if "lora_B" in name:  # zeros at the start: nothing would depend on A
            torch.nn.init.normal_(weight)
    return model


def passed(model, x):
    """Output, the gradients of the adapter, and the input's."""
    x = x.clone().requires_grad_()
    model.zero_grad()
    out = model(x)
    out.square().sum().backward()
    trained = [p.grad.clone() for p in model.parameters() if p.requires_grad]
    return [out.detach(), x.grad, *trained]


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("shape", [(5, WIDTH), (2, 3, WIDTH)])
def test_the_same_numbers(adapted, kept, shape):
    x = torch.randn(shape)
    before = passed(adapted, x)
    with fused_lora(adapted, keep_floats=kept):
        found = passed(adapted, x)
    after = passed(adapted, x)
    for ours, theirs, again in zip(found, before, after, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)
        assert torch.equal(again, theirs)


def test_beside_bf16_weights_the_adapter_stays_in_float32(adapted):
    for layer in (adapted.base_model.model.one, adapted.base_model.model.other):
        if type(layer.base_layer).__name__ == "Linear4bit":
            layer.base_layer.compute_dtype = torch.bfloat16
        else:
            layer.base_layer.to(torch.bfloat16)
    x = torch.randn(5, WIDTH).bfloat16()
    wanted = passed(adapted, x)
    with fused_lora(adapted, keep_floats=False):
        found = passed(adapted, x)
    assert [part.dtype for part in found[:2]] == [torch.bfloat16] * 2
    assert {part.dtype for part in found[2:]} == {torch.float32}
    for ours, theirs in zip(found, wanted, strict=True):
        gap = (ours.float() - theirs.float()).norm() / theirs.float().norm()
        assert gap < 2e-2


def test_what_the_floats_take(adapted):
    quantised = type(adapted.base_model.model.one.base_layer).__name__ == "Linear4bit"
    assert dequantized_bytes(adapted) == (2 * 4 * WIDTH * WIDTH if quantised else 0)


@pytest.mark.parametrize("kept", [True, False])
def test_only_products_with_frozen_weights_are_in_bf16(adapted, kept):
    """Activations, the adapter and every gradient stay in float32."""
    x = torch.randn(5, WIDTH)
    exact = passed(adapted, x)
    for layer in (adapted.base_model.model.one, adapted.base_model.model.other):
        if type(layer.base_layer).__name__ == "Linear4bit":
            layer.base_layer.compute_dtype = torch.bfloat16
        else:
            layer.base_layer.to(torch.bfloat16)
    with fused_lora(adapted, keep_floats=kept):
        found = passed(adapted, x)
    assert {part.dtype for part in found} == {torch.float32}
    for ours, theirs in zip(found, exact, strict=True):
        gap = (ours - theirs).norm() / theirs.norm()
        assert 0 < gap < 1e-2


def test_the_output_layer_follows_the_4_bit_weights(tiny, monkeypatch):
    monkeypatch.setattr(
        "phi_kit.training.lora_fused.product_dtype", lambda model: torch.bfloat16
    )
    head = tiny.model.get_output_embeddings()
    states = torch.randn(3, 5, head.in_features, requires_grad=True)
    exact = head(states)
    exact.square().sum().backward()
    wanted, states.grad = states.grad, None
    with fresh_adapter(tiny, 4) as model, fused_lora(model, keep_floats=True):
        found = head(states)
        found.square().sum().backward()
        assert {found.dtype, states.grad.dtype} == {torch.float32}
        assert 0 < (found - exact).norm() / exact.norm() < 1e-2
        assert (states.grad - wanted).norm() / wanted.norm() < 1e-2
    assert torch.equal(head(states), exact)


@pytest.mark.parametrize("kept", [True, False])
def test_held_out_items_are_asked_on_weights_laid_out_for_decoding(
    adapted, kept, monkeypatch
):
    x = torch.randn(5, WIDTH)
    with torch.inference_mode():
        before = adapted(x)
    with fused_lora(adapted, keep_floats=kept):
        with torch.inference_mode(), monkeypatch.context() as patch:
            patch.setattr("phi_kit.training.lora_fused._operation", lambda: pytest.fail)
            with weights_for_decoding(adapted) as done:
                assert done
                torch.testing.assert_close(adapted(x), before, rtol=1e-4, atol=1e-5)
        # And the training goes on as it was.
        fused = adapted.base_model.model.one.forward
        assert fused.__module__ == "phi_kit.training.lora_fused"
        passed(adapted, x)
