"""A LoRA layer as one operation on a CPU, its frozen weight turned to floats once.

Peft computes a layer in six steps and makes an array of its output's size in four
of them; between the activations that are kept, their holes take half as much memory
again. In place it is one array.

Every product with an NF4 weight first turns it back into float32, forward and
backward, for every micro-batch: the same numbers each time. Where memory allows they
are made once and only read. The 4-bit weights stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from phi_kit.inference.local.cpu_weights import dequantize, float_bytes, nf4_layers

if TYPE_CHECKING:
    import torch


def dequantized_bytes(model: Any) -> int:
    """Memory that the float32 copies of a model's 4-bit weights take."""
    return float_bytes(nf4_layers(model))


@contextmanager
def fused_lora(model: Any, *, keep_floats: bool) -> Iterator[None]:
    """Let the LoRA layers of a model compute in one go.

    Args:
        model: PEFT-wrapped, on the CPU.
        keep_floats: keep the float32 weights rather than make them each time;
            the numbers are the same.
    """
    from peft.tuners.lora import LoraLayer

    layers = [m for m in model.modules() if isinstance(m, LoraLayer) and _plain(m)]
    try:
        for layer in layers:
            layer.forward = _forward(
                layer, _weight(layer.base_layer, keep_floats=keep_floats)
            )
        yield
    finally:
        for layer in layers:
            vars(layer).pop("forward", None)


def _plain(layer: Any) -> bool:
    """Whether it is what the operation below computes: nothing but `A` and `B`."""
    import torch

    if not isinstance(layer.base_layer, torch.nn.Linear):
        return False
    (name,) = layer.active_adapters
    return layer.lora_B[name].bias is None and not layer.use_dora[name]


def _weight(base: Any, *, keep_floats: bool) -> Callable[[], torch.Tensor]:
    if type(base).__name__ != "Linear4bit":
        return lambda: base.weight

    def dequantized() -> torch.Tensor:
        return dequantize(base).float()

    if not keep_floats:
        return dequantized
    weight = dequantized()
    return lambda: weight


def _forward(layer: Any, weight: Callable[[], torch.Tensor]) -> Callable[..., Any]:
    (name,) = layer.active_adapters
    low, high = layer.lora_A[name], layer.lora_B[name]
    scale, bias = layer.scaling[name], layer.base_layer.bias

    def forward(x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        if "forward" in vars(layer.base_layer):  # laid out for decoding
            return type(layer).forward(layer, x)
        return _operation()(x, weight, bias, low.weight, high.weight, scale)

    return forward


@cache
def _operation() -> Callable[..., torch.Tensor]:
    """`x W' + bias + scale (x A') B'` for frozen `W`, with its gradients."""
    import torch

    class LoraLinear(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight, bias, a, b, scale):
            flat = x.reshape(-1, x.shape[-1])
            low = flat @ a.T
            out = torch.nn.functional.linear(flat, weight(), bias)
            out.addmm_(low, b.T, alpha=scale)
            ctx.save_for_backward(flat, low, a, b)
            ctx.weight, ctx.scale, ctx.shape = weight, scale, x.shape
            return out.view(*x.shape[:-1], -1)

        @staticmethod
        def backward(ctx, slope):
            flat, low, a, b = ctx.saved_tensors
            slope = slope.reshape(-1, slope.shape[-1])
            back, of_x = (slope @ b).mul_(ctx.scale), None
            if ctx.needs_input_grad[0]:
                of_x = (slope @ ctx.weight()).addmm_(back, a).view(ctx.shape)
            of_b = (slope.T @ low).mul_(ctx.scale)
            return of_x, None, None, back.T @ flat, of_b, None

    return LoraLinear.apply
