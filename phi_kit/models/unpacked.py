"""4-bit weights laid out as floats for a while, where memory allows.

On a CPU bitsandbytes turns NF4 weights into floats anew in every forward pass.
Doing so once for a whole run of passes computes the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Share of the free memory that the floats may take. The kit's own choice.
SHARE = 0.5


@contextmanager
def unpacked(model: Any) -> Iterator[bool]:
    """Run 4-bit linear layers on float copies of their weights.

    Yields:
        Whether it was done: not on a GPU, whose kernels need no such copy, not
        for a model without 4-bit layers, and not if memory is short.
    """
    layers = packed(model)
    done = bool(layers) and _room(layers)
    try:
        if done:
            for layer in layers:
                layer.forward = partial(_forward, floats(layer), layer.bias)
        yield done
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


def packed(model: Any) -> list[Any]:
    """A model's 4-bit layers that lie on a CPU and still compute as they came."""
    from bitsandbytes.nn import Linear4bit

    return [
        layer
        for layer in model.modules()
        if isinstance(layer, Linear4bit)
        and layer.weight.device.type == "cpu"
        and getattr(layer.weight, "quant_state", None) is not None
        and "forward" not in vars(layer)
    ]


def _room(layers: list[Any]) -> bool:
    import psutil

    return float_bytes(layers) < SHARE * psutil.virtual_memory().available


def float_bytes(layers: Iterable[Any]) -> int:
    """Memory that float32 copies of the layers' weights take."""
    return sum(4 * layer.in_features * layer.out_features for layer in layers)


def floats(layer: Any) -> torch.Tensor:
    """A 4-bit layer's weight in the type it computes in, shape (out, in)."""
    from bitsandbytes.functional import dequantize_4bit

    weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    return weight.to(layer.compute_dtype or weight.dtype)


def _forward(weight: torch.Tensor, bias: Any, inputs: torch.Tensor) -> torch.Tensor:
    import torch

    given = inputs.dtype
    bias = None if bias is None else bias.to(weight.dtype)
    return torch.nn.functional.linear(inputs.to(weight.dtype), weight, bias).to(given)
