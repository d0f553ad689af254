"""Weights laid out for decoding, for the time of one draw.

bitsandbytes dequantises NF4 weights in every forward pass, and on a CPU PyTorch's
matrix products reorder them each time, which for the few rows of a decoding step
takes as long as the product itself. Both are done once for a whole draw, where memory
allows: the same numbers, up to float rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Share of the free memory that the copies may take (kit default): on a GPU most of it
# is better used for more rows.
MEMORY_SHARE = {"cpu": 0.5, "cuda": 0.25}
# Number of rows that oneDNN's weight layout is optimised for; others work as well. Of
# 16 to 256 none was faster by more than noise.
LAYOUT_ROWS = 64

Linear = Callable[["torch.Tensor"], "torch.Tensor"]


@contextmanager
def weights_for_decoding(model: Any) -> Iterator[bool]:
    """Run a model's linear layers on copies of their weights; no gradients.

    Yields:
        Whether it was done. It is not done where memory is short.
    """
    layers = [*nf4_layers(model), *_reorderable_layers(model)]
    done = bool(layers) and _fits_in_memory(layers)
    try:
        if done:
            for layer in layers:
                layer.forward = _forward(layer)
        yield done
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


def nf4_layers(model: Any) -> list[Any]:
    """A model's 4-bit layers whose forward pass nobody has replaced."""
    from bitsandbytes.nn import Linear4bit

    return [
        layer
        for layer in model.modules()
        if isinstance(layer, Linear4bit)
        and getattr(layer.weight, "quant_state", None) is not None
        and "forward" not in vars(layer)
    ]


def _reorderable_layers(model: Any) -> list[Any]:
    """The float32 layers that gain by another layout of their weights."""
    import torch

    return [
        layer
        for layer in model.modules()
        if type(layer) is torch.nn.Linear
        and _can_reorder(layer.weight)
        and "forward" not in vars(layer)
    ]


def _can_reorder(weight: torch.Tensor) -> bool:
    """Whether oneDNN can lay the weight out, as `torch.compile` does."""
    import torch

    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def _fits_in_memory(layers: list[Any]) -> bool:
    device = layers[0].weight.device
    share = MEMORY_SHARE.get(device.type, 0)
    return float_bytes(layers) < share * unused_bytes(device)


def unused_bytes(device: torch.device) -> int:
    """Bytes that can still be allocated on a device."""
    import psutil
    import torch

    if device.type != "cuda":
        return psutil.virtual_memory().available
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + cached


def float_bytes(layers: Iterable[Any]) -> int:
    """Bytes that copies of the layers' weights take, in the type they compute in."""
    return sum(
        _compute_dtype(layer).itemsize * layer.in_features * layer.out_features
        for layer in layers
    )


def _compute_dtype(layer: Any) -> torch.dtype:
    import torch

    if type(layer) is torch.nn.Linear:
        return layer.weight.dtype
    return layer.compute_dtype or torch.float32


def dequantize(layer: Any) -> torch.Tensor:
    """A 4-bit layer's weight in the type it computes in, shape (out, in)."""
    from bitsandbytes.functional import dequantize_4bit

    weight = dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    return weight.to(layer.compute_dtype or weight.dtype)


def _forward(layer: Any) -> Linear:
    import torch

    nf4 = type(layer) is not torch.nn.Linear
    weight = dequantize(layer) if nf4 else layer.weight.detach()
    bias = None if layer.bias is None else layer.bias.detach().to(weight.dtype)
    product = (
        _reordered_product(weight, bias)
        if _can_reorder(weight)
        else _plain_product(weight, bias)
    )
    dtype = weight.dtype

    def forward(inputs: torch.Tensor) -> torch.Tensor:
        return product(inputs.to(dtype)).to(inputs.dtype)

    return forward


def _reordered_product(weight: torch.Tensor, bias: torch.Tensor | None) -> Linear:
    import torch

    reordered = torch.ops.mkldnn._reorder_linear_weight(weight, LAYOUT_ROWS)
    product = torch.ops.mkldnn._linear_pointwise
    return lambda inputs: product(inputs, reordered, bias, "none", [], "")


def _plain_product(weight: torch.Tensor, bias: torch.Tensor | None) -> Linear:
    import torch

    return lambda inputs: torch.nn.functional.linear(inputs, weight, bias)
