"""A loaded model stays as it was loaded."""

from __future__ import annotations

import pytest
import torch
from bitsandbytes.nn import modules as bitsandbytes_layers

from phi_kit.inference.local.decoding_weights import dequantize, nf4_layers
from phi_kit.models import catalog
from phi_kit.models.loading import load_model

NAME = "smollm2-135m"


@pytest.mark.parametrize("units", [True, False], ids=["bf16 units", "none"])
def test_a_forward_pass_leaves_the_weights_as_they_lie(monkeypatch, units):
    """Of all kinds of CPU: with bf16 units bitsandbytes would put them in order."""
    monkeypatch.setattr(bitsandbytes_layers, "has_avx512bf16", lambda: units)
    model = load_model(NAME, catalog.resolve(NAME), four_bit=True)
    before = [dequantize(layer) for layer in nf4_layers(model)[:7]]
    with torch.inference_mode():
        model(input_ids=torch.tensor([[1, 2, 3]]))
    after = [dequantize(layer) for layer in nf4_layers(model)[:7]]
    assert len(before) == 7
    assert all(map(torch.equal, after, before))
