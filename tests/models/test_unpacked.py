"""Unpacked 4-bit weights compute what packed ones do, and are put away again."""

from types import SimpleNamespace

import psutil
import pytest
import torch

from phi_kit.models.unpacked import unpacked


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
    layers(torch.zeros(1, 64))  # quantised by now, at the latest
    assert layers[0].weight.quant_state is not None
    return layers


def outcome(model):
    inputs = torch.randn(5, 64, generator=torch.Generator().manual_seed(1))
    inputs.requires_grad_()
    outputs = model(inputs)
    outputs.square().sum().backward()
    return outputs.detach(), inputs.grad


def test_outputs_and_gradients_are_the_packed_ones(model):
    packed = outcome(model)
    with unpacked(model) as done:
        assert done
        for ours, theirs in zip(outcome(model), packed, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_afterwards_it_is_as_it_was_even_after_an_error(model):
    before = outcome(model)
    with pytest.raises(KeyError), unpacked(model):
        raise KeyError
    assert all("forward" not in vars(layer) for layer in model)
    assert all(map(torch.equal, outcome(model), before))


def test_inside_another_it_leaves_the_first_alone(model):
    with unpacked(model):
        with unpacked(model) as again:
            assert not again
        assert "forward" in vars(model[0])


def test_where_memory_is_short_weights_stay_packed(model, monkeypatch):
    little = SimpleNamespace(available=1000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: little)
    with unpacked(model) as done:
        assert not done
        outcome(model)


def test_a_model_without_4_bit_layers_is_left_alone(tiny):
    with unpacked(tiny.model) as done:
        assert not done
