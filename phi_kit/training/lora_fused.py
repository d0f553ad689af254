"""A LoRA layer as one operation; on a CPU its frozen weight is dequantised once.

Peft computes a layer in six steps and makes an array of its output's size in four
of them; between the activations that are kept, their holes take half as much memory
again. In place it is one array. Beside a model in bf16 peft computes the adapter's
part in float32 and keeps a float32 copy of every input; here both parts are computed
in the model's type, and the adapter's weights and their gradients stay in float32.

Every product with an NF4 weight first turns it back into float32, forward and
backward, for every micro-batch: the same numbers each time. Where memory allows they
are made once and only read. The 4-bit weights stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from phi_kit.inference.local.decoding_weights import dequantize, float_bytes, nf4_layers

if TYPE_CHECKING:
    import torch


# Gives a frozen weight in the type that is asked for.
Weight = Callable[["torch.dtype"], "torch.Tensor"]


def dequantized_bytes(model: Any) -> int:
    """Memory that the float copies of a model's 4-bit weights take."""
    return float_bytes(nf4_layers(model))


@contextmanager
def fused_lora(model: Any, *, keep_floats: bool) -> Iterator[None]:
    """Let the LoRA layers of a model compute in one go.

    Args:
        model: PEFT-wrapped.
        keep_floats: keep the weights as floats rather than make them each time;
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


def _weight(base: Any, *, keep_floats: bool) -> Weight:
    if type(base).__name__ != "Linear4bit":
        return base.weight.to
    if not keep_floats:
        return lambda dtype: dequantize(base).to(dtype)
    return dequantize(base).to


def _forward(layer: Any, weight: Weight) -> Callable[..., Any]:
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
    """`x W' + bias + scale (x A') B'` for frozen `W`, with its gradients.

    Computed in the type of `x`; `A` and `B` may have a longer one.
    """
    import torch

    class LoraLinear(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight, bias, a, b, scale):
            flat = x.reshape(-1, x.shape[-1])
            low = flat @ a.T.to(x.dtype)
            bias = None if bias is None else bias.to(x.dtype)
            out = torch.nn.functional.linear(flat, weight(x.dtype), bias)
            out.addmm_(low, b.T.to(x.dtype), alpha=scale)
            ctx.save_for_backward(flat, low, a, b)
            ctx.weight, ctx.scale, ctx.shape = weight, scale, x.shape
            return out.view(*x.shape[:-1], -1)

        @staticmethod
        def backward(ctx, slope):
            flat, low, a, b = ctx.saved_tensors
            slope = slope.reshape(-1, slope.shape[-1])
            dtype, of_x = slope.dtype, None
            back = (slope @ b.to(dtype)).mul_(ctx.scale)
            if ctx.needs_input_grad[0]:
                of_x = slope @ ctx.weight(dtype)
                of_x = of_x.addmm_(back, a.to(dtype)).view(ctx.shape)
            of_a, of_b = back.T @ flat, (slope.T @ low).mul_(ctx.scale)
            return of_x, None, None, of_a.to(a.dtype), of_b.to(b.dtype), None

    return LoraLinear.apply
