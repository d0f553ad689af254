"""A LoRA layer as one operation; on a CPU its frozen weight is dequantised once.

Peft computes a layer in six steps and makes an array of its output's size in four
of them; between the activations that are kept, their holes take half as much memory
again. In place it is one array. Beside a model in bf16 peft computes the adapter's
part in float32 and keeps a float32 copy of every input; here that part is computed in
the type of the activations, and the adapter's weights and their gradients stay in
float32. Only products with the frozen weight are made in the type that the weight is
multiplied in: on a CPU with bf16 units they are in bf16, all else in float32.

Every product with an NF4 weight first turns it back into floats, forward and backward,
for every micro-batch: the same numbers each time. Where memory allows they are made
once and only read. The 4-bit weights stay what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from phi_kit.inference.local.decoding_weights import (
    LoraAdapter,
    dequantize,
    float_bytes,
    lora_adapter,
    nf4_layers,
    product_dtype,
)

if TYPE_CHECKING:
    import torch


Weight = Callable[[], "torch.Tensor"]  # gives a frozen weight, shape (out, in)


def dequantized_bytes(model: Any) -> int:
    """Memory that the float copies of a model's frozen weights take."""
    taken, head = float_bytes(nf4_layers(model)), _rounded_head(model)
    if head is not None:
        taken += product_dtype(model).itemsize * head.weight.numel()
    return taken


def _rounded_head(model: Any) -> Any:
    """The output layer where it is multiplied in a shorter type than it has."""
    import torch

    head = getattr(model, "get_output_embeddings", lambda: None)()
    if type(head) is not torch.nn.Linear:
        return None
    longer = head.weight.dtype.itemsize > product_dtype(model).itemsize
    return head if longer else None


@contextmanager
def fused_lora(model: Any, *, keep_floats: bool) -> Iterator[None]:
    """Let the LoRA layers of a model compute in one go.

    Args:
        model: PEFT-wrapped.
        keep_floats: keep the weights as floats rather than make them each time, which
            gives the same numbers; and the output layer's, which is not quantised, in
            the type that the others are multiplied in.
    """
    adapters = {layer: lora_adapter(layer) for layer in model.modules()}
    layers = {layer: adapter for layer, adapter in adapters.items() if adapter}
    head = _rounded_head(model) if keep_floats else None
    try:
        for layer, adapter in layers.items():
            layer.forward = _forward(adapter, keep_floats=keep_floats)
        if head is not None:
            head.forward = _head_product(head, product_dtype(model))
        yield
    finally:
        for layer in (*layers, *([] if head is None else [head])):
            vars(layer).pop("forward", None)


def _head_product(head: Any, dtype: torch.dtype) -> Callable[..., torch.Tensor]:
    import torch

    weight = head.weight.detach().to(dtype)
    bias = None if head.bias is None else head.bias.detach().to(dtype)

    def forward(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(x.to(dtype), weight, bias).to(x.dtype)

    return forward


def _weight(base: Any, *, keep_floats: bool) -> Weight:
    if type(base).__name__ != "Linear4bit":
        return lambda: base.weight
    if not keep_floats:
        return lambda: dequantize(base)
    kept = dequantize(base)
    return lambda: kept


def _forward(adapter: LoraAdapter, *, keep_floats: bool) -> Callable[..., Any]:
    weight = _weight(adapter.base, keep_floats=keep_floats)
    bias, low, high = adapter.base.bias, adapter.low, adapter.high

    def forward(x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return _operation()(x, weight, bias, low.weight, high.weight, adapter.scale)

    return forward


@cache
def _operation() -> Callable[..., torch.Tensor]:
    """`x W' + bias + scale (x A') B'` for frozen `W`, with its gradients.

    Computed in the type of `x`, but for the products with `W`, which are made in the
    type of `W`; `A` and `B` may have a longer one.
    """
    import torch

    class LoraLinear(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight, bias, a, b, scale):
            flat = x.reshape(-1, x.shape[-1])
            low = flat @ a.T.to(x.dtype)
            frozen = weight()
            bias = None if bias is None else bias.to(frozen.dtype)
            out = torch.nn.functional.linear(flat.to(frozen.dtype), frozen, bias)
            out = out.to(x.dtype).addmm_(low, b.T.to(x.dtype), alpha=scale)
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
                frozen = ctx.weight()
                of_x = (slope.to(frozen.dtype) @ frozen).to(dtype)
                of_x = of_x.addmm_(back, a.to(dtype)).view(ctx.shape)
            of_a, of_b = back.T @ flat, (slope.T @ low).mul_(ctx.scale)
            return of_x, None, None, of_a.to(a.dtype), of_b.to(b.dtype), None

    return LoraLinear.apply
