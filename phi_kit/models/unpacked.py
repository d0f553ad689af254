"""Weights laid out for decoding for a while, where memory allows.

bitsandbytes turns NF4 weights into floats anew in every forward pass, and on a CPU
PyTorch's products put them in a new order each time, which for the few rows of a
decoding step takes as long as the product. Both are done once for a whole draw: the
same numbers, up to float rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Share of the free memory that the copies may take. The kit's own choice: on a GPU
# most of it is better used for more rows.
SHARE = {"cpu": 0.5, "cuda": 0.25}
# Rows that oneDNN's order of weights is chosen for; others work as well. Of 16 to 256
# no figure was better by more than noise.
ROWS = 64

Linear = Callable[["torch.Tensor"], "torch.Tensor"]


@contextmanager
def unpacked(model: Any) -> Iterator[bool]:
    """Run a model's linear layers on copies of their weights; no gradients.

    Yields:
        Whether it was done: not if memory is short.
    """
    layers = [*packed(model), *_plain(model)]
    done = bool(layers) and _room(layers)
    try:
        if done:
            for layer in layers:
                layer.forward = _forward(layer)
        yield done
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


def packed(model: Any) -> list[Any]:
    """A model's 4-bit layers that still compute as they came."""
    from bitsandbytes.nn import Linear4bit

    return [
        layer
        for layer in model.modules()
        if isinstance(layer, Linear4bit)
        and getattr(layer.weight, "quant_state", None) is not None
        and "forward" not in vars(layer)
    ]


def _plain(model: Any) -> list[Any]:
    """The float32 layers that gain by another order of their weights."""
    import torch

    return [
        layer
        for layer in model.modules()
        if type(layer) is torch.nn.Linear
        and _reorders(layer.weight)
        and "forward" not in vars(layer)
    ]


def _reorders(weight: torch.Tensor) -> bool:
    """Whether oneDNN is there, in which `torch.compile` has its weights, too."""
    import torch

    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def _room(layers: list[Any]) -> bool:
    device = layers[0].weight.device
    return float_bytes(layers) < SHARE.get(device.type, 0) * unused(device)


def unused(device: torch.device) -> int:
    """Bytes that can still be allocated on a device."""
    import psutil
    import torch

    if device.type != "cuda":
        return psutil.virtual_memory().available
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + held


def float_bytes(layers: Iterable[Any]) -> int:
    """Memory that float copies of the layers' weights take."""
    return sum(
        _type(layer).itemsize * layer.in_features * layer.out_features
        for layer in layers
    )


def _type(layer: Any) -> torch.dtype:
    """The type a layer computes in."""
    import torch

    nf4 = type(layer) is not torch.nn.Linear
    return (layer.compute_dtype or torch.float32) if nf4 else layer.weight.dtype


def floats(layer: Any) -> torch.Tensor:
    """A 4-bit layer's weight in the type it computes in, shape (out, in)."""
    from bitsandbytes.functional import dequantize_4bit

    weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    return weight.to(layer.compute_dtype or weight.dtype)


def _forward(layer: Any) -> Linear:
    import torch

    nf4 = type(layer) is not torch.nn.Linear
    weight = floats(layer) if nf4 else layer.weight.detach()
    bias = None if layer.bias is None else layer.bias.detach().to(weight.dtype)
    product = _reordered(weight, bias) if _reorders(weight) else _as_is(weight, bias)
    dtype = weight.dtype

    def forward(inputs: torch.Tensor) -> torch.Tensor:
        return product(inputs.to(dtype)).to(inputs.dtype)

    return forward


def _reordered(weight: torch.Tensor, bias: torch.Tensor | None) -> Linear:
    import torch

    made = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS)
    product = torch.ops.mkldnn._linear_pointwise
    return lambda inputs: product(inputs, made, bias, "none", [], "")


def _as_is(weight: torch.Tensor, bias: torch.Tensor | None) -> Linear:
    import torch

    return lambda inputs: torch.nn.functional.linear(inputs, weight, bias)
