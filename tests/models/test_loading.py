"""In what a model computes, and that it stays as it was loaded."""

from __future__ import annotations

import pytest
import torch
from bitsandbytes.nn import modules as bitsandbytes_layers

from phi_kit.inference.local.decoding_weights import dequantize, nf4_layers
from phi_kit.models import catalog, loading
from phi_kit.models.loading import load_model, precision
from phi_kit.models.product_rates import ProductRates

NAME = "smollm2-135m"


@pytest.fixture(params=[160.0, 20.0], ids=["bf16 units", "none"])
def bf16_pays(request, monkeypatch):
    """Of a CPU with bf16 units and of one without, whatever this one is."""
    rates = ProductRates(80.0, request.param)
    monkeypatch.setattr(loading, "product_rates", lambda: rates)
    monkeypatch.setattr(bitsandbytes_layers, "has_avx512bf16", lambda: rates.bf16_pays)
    return rates.bf16_pays


@pytest.mark.skipif(torch.cuda.is_available(), reason="about CPUs")
def test_a_precision_says_what_is_multiplied_in_bf16(bf16_pays):
    fast = "nf4-float32-bfloat16-products" if bf16_pays else "nf4-float32"
    assert precision(four_bit=True) == fast
    assert precision(four_bit=True, compute="float32") == "nf4-float32"
    assert precision(four_bit=False) == "float32"


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="about CPUs")
@pytest.mark.parametrize("compute", ["auto", "float32"])
def test_only_products_of_4_bit_weights_are_in_bf16(bf16_pays, compute):
    folder = catalog.resolve(NAME)
    model = load_model(NAME, folder, four_bit=True, compute=compute)
    half = bf16_pays and compute == "auto"
    layers = nf4_layers(model)
    wanted = {torch.bfloat16 if half else torch.float32}
    assert {layer.compute_dtype for layer in layers} == wanted
    floats = [p for p in model.parameters() if p.is_floating_point()]
    assert {parameter.dtype for parameter in floats} == {torch.float32}
    assert model.dtype == torch.float32


@pytest.mark.slow
def test_a_forward_pass_leaves_the_weights_as_they_lie(bf16_pays):
    """With bf16 units bitsandbytes would put them in another order."""
    model = load_model(NAME, catalog.resolve(NAME), four_bit=True)
    before = [dequantize(layer) for layer in nf4_layers(model)[:7]]
    with torch.inference_mode():
        model(input_ids=torch.tensor([[1, 2, 3]]))
    after = [dequantize(layer) for layer in nf4_layers(model)[:7]]
    assert len(before) == 7
    assert all(map(torch.equal, after, before))
