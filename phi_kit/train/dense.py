"""4-bit weights as float32 for the time of a training run.

Every product with an NF4 weight first turns it back into floats, forward and
backward, for every micro-batch. On a CPU these are the same float32 numbers
each time: made once, they are only read. The 4-bit weights stay where they are;
nothing is quantised again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def extra_bytes(model: Any) -> int:
    """Memory that the float32 copies of a model's 4-bit weights take."""
    return sum(4 * _numbers(module) for _, module in _quantised(model))


@contextmanager
def dense(model: Any) -> Iterator[None]:
    """Plain linear layers in place of the 4-bit ones; afterwards these again."""
    import torch
    from bitsandbytes.functional import dequantize_4bit

    found = _quantised(model)
    try:
        for name, module in found:
            weight = dequantize_4bit(module.weight.data, module.weight.quant_state)
            plain = torch.nn.Linear(
                module.in_features,
                module.out_features,
                bias=module.bias is not None,
                device="meta",
            )
            plain.weight = torch.nn.Parameter(
                weight.to(torch.float32), requires_grad=False
            )
            if module.bias is not None:
                plain.bias = module.bias
            model.set_submodule(name, plain.train(module.training))
        yield
    finally:
        for name, module in found:
            model.set_submodule(name, module)


def _quantised(model: Any) -> list[tuple[str, Any]]:
    try:
        from bitsandbytes.nn import Linear4bit
    except ImportError:  # then nothing here is 4-bit
        return []
    named = model.named_modules()
    return [(name, one) for name, one in named if isinstance(one, Linear4bit)]


def _numbers(module: Any) -> int:
    return module.in_features * module.out_features
