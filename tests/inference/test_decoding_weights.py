"""Weights laid out for decoding compute what they did, and are put away again."""

from types import SimpleNamespace

import psutil
import pytest
import torch

from phi_kit.inference.local.decoding_weights import weights_for_decoding


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
