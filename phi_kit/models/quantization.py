"""NF4: the 4-bit weights that every model is loaded in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def nf4_config(dtype: torch.dtype) -> Any:
    """4-bit NormalFloat with double quantisation (QLoRA, arXiv 2305.14314)."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def keep_layout(model: Any) -> None:
    """Let nothing but loading change how 4-bit weights lie in memory.

    On a CPU with AVX-512 bf16 units bitsandbytes (0.49 and later) turns a layer's
    weights into another order in its first forward pass outside training, rounds
    their constants to bf16 and computes in bf16, whatever the layer's type is.
    Nothing that reads the weights afterwards understands that order.

    Args:
        model: with its weights quantised.
    """
    from bitsandbytes.nn import Linear4bit

    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            layer.support_avx512bf16_for_cpu = False
