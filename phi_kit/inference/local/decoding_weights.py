"""Weights laid out for decoding, for the time of one draw.

bitsandbytes dequantises NF4 weights in every forward pass; on a CPU PyTorch's matrix
products reorder weights each time, which for the few rows of a decoding step takes as
long as the product itself; and peft passes four times over the output of a layer that
has an adapter. All of it is done once for a whole draw, where memory allows: the same
numbers, up to rounding. An adapter is added to the copies, never to 4-bit weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Share of the free memory that the copies may take (kit default): on a GPU most of it
# is better used for more rows.
MEMORY_SHARE = {"cpu": 0.5, "cuda": 0.25}
# Number of rows that oneDNN's weight layout is optimised for; others work as well. Of
# 16 to 256 none was faster by more than noise.
LAYOUT_ROWS = 64

Product = Callable[["torch.Tensor"], "torch.Tensor"]


@contextmanager
def weights_for_decoding(model: Any) -> Iterator[bool]:
    """Run a model's linear layers on copies of their weights; no gradients.

    Yields:
        Whether it was done. It is not done where memory is short.
    """
    layers = _layers_to_lay_out(model)
    done = bool(layers) and _fits_in_memory(layers)
    before = {layer: vars(layer).get("forward") for layer in layers}
    try:
        if done:
            head = getattr(model, "get_output_embeddings", lambda: None)()
            for layer in layers:
                layer.forward = _forward(
                    layer, product_dtype(model) if layer is head else None
                )
        yield done
    finally:
        for layer, forward in before.items():
            vars(layer).pop("forward", None)
            if forward is not None:  # as training has replaced it
                layer.forward = forward


@dataclass(frozen=True)
class LoraAdapter:
    """What a LoRA layer adds to its base layer: `scale` times `high` times `low`.

    Attributes:
        base: the layer under it.
        low: peft's `lora_A`, a layer with a weight of shape (rank, in).
        high: peft's `lora_B`, (out, rank).
        scale: a number.
    """

    base: Any
    low: Any
    high: Any
    scale: float

    def add_to(self, weight: torch.Tensor) -> torch.Tensor:
        """A weight of the base layer with the adapter; changes and returns it."""
        low, high = (part.weight.detach().to(weight) for part in (self.low, self.high))
        return weight.addmm_(high, low, alpha=self.scale)


def lora_adapter(layer: Any) -> LoraAdapter | None:
    """The adapter of a peft layer that is nothing but `A` and `B`, else `None`."""
    import torch

    if not hasattr(layer, "lora_A") or not isinstance(
        getattr(layer, "base_layer", None), torch.nn.Linear
    ):
        return None
    if layer.disable_adapters or layer.merged or len(layer.active_adapters) != 1:
        return None
    (name,) = layer.active_adapters
    if name not in layer.lora_A or name in layer.lora_variant:  # DoRA, for one
        return None
    low, high = layer.lora_A[name], layer.lora_B[name]
    if high.bias is not None:
        return None
    return LoraAdapter(layer.base_layer, low, high, layer.scaling[name])


def _layers_to_lay_out(model: Any) -> list[Any]:
    """The outermost layers that gain by it and whose turn it is not yet."""
    layers, inside = [], set()
    for layer in model.modules():
        adapter = lora_adapter(layer)
        base = adapter.base if adapter else layer
        if layer in inside or not (_is_nf4(base) or _is_reorderable(base)):
            continue
        inside |= set(layer.modules())
        if not getattr(vars(layer).get("forward"), "laid_out", False):
            layers.append(layer)
    return layers


def nf4_layers(model: Any) -> list[Any]:
    """A model's 4-bit layers whose forward pass nobody has replaced."""
    return [
        layer
        for layer in model.modules()
        if _is_nf4(layer) and "forward" not in vars(layer)
    ]


def _is_nf4(layer: Any) -> bool:
    from bitsandbytes.nn import Linear4bit

    quantised = isinstance(layer, Linear4bit)
    return quantised and getattr(layer.weight, "quant_state", None) is not None


def _is_reorderable(layer: Any) -> bool:
    """Whether a float layer gains by another layout of its weights."""
    import torch

    return type(layer) is torch.nn.Linear and _can_reorder(layer.weight)


def _can_reorder(weight: torch.Tensor) -> bool:
    """Whether oneDNN can lay the weight out, as `torch.compile` does."""
    import torch

    return (
        weight.device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and (
            weight.dtype == torch.float32
            or (
                weight.dtype == torch.bfloat16
                and torch.ops.mkldnn._is_mkldnn_bf16_supported()
            )
        )
    )


def _fits_in_memory(layers: list[Any]) -> bool:
    layers = [getattr(layer, "base_layer", layer) for layer in layers]
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
        _product_dtype(layer).itemsize * layer.in_features * layer.out_features
        for layer in layers
    )


def product_dtype(model: Any) -> torch.dtype:
    """The type in which a model's frozen weights are multiplied.

    Its 4-bit layers know it; the output layer, which is not quantised, follows them.
    """
    for layer in model.modules():
        if _is_nf4(layer):
            return _product_dtype(layer)
    return model.dtype


def _product_dtype(layer: Any) -> torch.dtype:
    import torch

    if type(layer) is torch.nn.Linear:
        return layer.weight.dtype
    return layer.compute_dtype or torch.float32


def dequantize(layer: Any) -> torch.Tensor:
    """A 4-bit layer's weight in the type it computes in, shape (out, in)."""
    return _whole(layer).to(_product_dtype(layer))


def _whole(layer: Any) -> torch.Tensor:
    """A copy of a layer's weight, as exact as it is."""
    from bitsandbytes.functional import dequantize_4bit

    if not _is_nf4(layer):
        return layer.weight.detach().clone()
    return dequantize_4bit(layer.weight.data, layer.weight.quant_state)


def _forward(layer: Any, dtype: torch.dtype | None) -> Product:
    """The layer's product with a copy of its weight, of `dtype` or of its own type."""
    adapter = lora_adapter(layer)
    base = adapter.base if adapter else layer
    dtype = dtype or _product_dtype(base)
    weight = adapter.add_to(_whole(base)) if adapter else _whole(base)
    weight = weight.to(dtype)
    bias = None if base.bias is None else base.bias.detach().to(dtype)
    product = (
        _reordered_product(weight, bias)
        if _can_reorder(weight)
        else _plain_product(weight, bias)
    )

    def forward(inputs: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return product(inputs.to(dtype)).to(inputs.dtype)

    forward.laid_out = True
    return forward


def _reordered_product(weight: torch.Tensor, bias: torch.Tensor | None) -> Product:
    import torch

    reordered = torch.ops.mkldnn._reorder_linear_weight(weight, LAYOUT_ROWS)
    product = torch.ops.mkldnn._linear_pointwise
    return lambda inputs: product(inputs, reordered, bias, "none", [], "")


def _plain_product(weight: torch.Tensor, bias: torch.Tensor | None) -> Product:
    import torch

    return lambda inputs: torch.nn.functional.linear(inputs, weight, bias)
