"""Weights and tokenizer of a model folder: NF4, and the machine's dtypes."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from phi_kit.core import dependency_warnings
from phi_kit.core.errors import ModelError

from .product_rates import product_rates
from .quantization import keep_layout, nf4_config
from .quantized_cache import load_quantized

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from phi_kit.core.params import Compute


def device() -> str:
    """`cuda` where there is one, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def compute_dtype(compute: Compute = "auto") -> torch.dtype:
    """What a model computes in: bf16 on a GPU that has it; float32 elsewhere.

    Args:
        compute: `float32` to have it everywhere.
    """
    import torch

    if compute == "auto" and device() == "cuda" and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    return torch.float32


def product_dtype(compute: Compute = "auto") -> torch.dtype:
    """What frozen 4-bit weights are multiplied in.

    On a CPU bf16 where it is measured to be faster (`product_rates`), and the output
    layer's with them. Nothing else is in bf16 there: activations, attention, sums,
    adapters, loss and optimiser stay in float32.
    """
    import torch

    if compute == "auto" and device() == "cpu" and product_rates().bf16_pays:
        return torch.bfloat16
    return compute_dtype(compute)


def precision(*, four_bit: bool, compute: Compute = "auto") -> str:
    """The name of a precision, as identities of loaded models end: `nf4-float32`."""
    dtype = _name(compute_dtype(compute))
    if not four_bit:
        return dtype
    products = _name(product_dtype(compute))
    return f"nf4-{dtype}{f'-{products}-products' * (products != dtype)}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def load_model(
    name: str, folder: Path, *, four_bit: bool, compute: Compute = "auto"
) -> PreTrainedModel:
    """The weights of a folder, ready to sample.

    Args:
        name: of the model, for messages.
        folder: in Hugging Face format.
        four_bit: quantise to NF4; else the compute dtype's.
        compute: `float32` to compute in nothing else.

    Raises:
        ModelError: it is no causal language model.
    """
    prepare_libraries()
    from transformers import AutoModelForCausalLM

    dtype, products = compute_dtype(compute), product_dtype(compute)
    try:
        load = partial(
            AutoModelForCausalLM.from_pretrained, dtype=dtype, device_map=device()
        )
        if four_bit and device() == "cpu":
            model = load_quantized(folder, load, dtype=dtype, products=products)
        else:
            config = nf4_config(products) if four_bit else None
            model = load(folder, quantization_config=config)
    except (OSError, ValueError, KeyError) as error:
        raise _cannot_load(name, folder, error) from error
    if four_bit:
        keep_layout(model)
        _release_file(model)
    return model.eval()


def load_tokenizer(name: str, folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder, with its chat template.

    Args:
        name: of the model, for messages.
        folder: in Hugging Face format.

    Raises:
        ModelError: it is missing, or has no chat template.
    """
    prepare_libraries()
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise _cannot_load(name, folder, error) from error
    if tokenizer.chat_template is None:
        raise ModelError(
            f"{name} has no chat template",
            where=str(folder),
            todo="use an instruct model: the kit trains and asks in chat turns",
        )
    if tokenizer.pad_token_id is None:
        # Any will do: the kit masks by position, never by what the PAD token is.
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


# How often a waiting OpenMP thread looks again before it sleeps: some 50 microseconds.
# On two idle cores 0, 1,000, 3,000, 10,000 and 300,000 (the library's default) trained
# 234, 287, 348, 358 and 313 tokens/s and sampled 234, 313, 397, 406 and 381; beside a
# program that kept one core busy they trained 189, 168, 133, 77 and 83.
SPINS = "3000"


def prepare_libraries() -> None:
    """Settings that take effect before torch and transformers are imported."""
    # OpenMP threads spin for milliseconds while they wait, by default: with any other
    # program on the machine that makes sampling several times slower. Asleep at once
    # they lose a third of an idle machine's speed. An explicit setting is left alone.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    dependency_warnings.silence_dependencies()
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # on stderr it leaves a red strip in a notebook


def prepare_loading() -> None:
    """What the first model would wait for: a table of transformers' (.2 s).

    It holds names alone, no tensor: a process may be forked afterwards.
    """
    with suppress(ImportError):
        from transformers.conversion_mapping import get_checkpoint_conversion_mapping

        get_checkpoint_conversion_mapping("llama")


def _cannot_load(name: str, folder: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{name} cannot be loaded: {error}",
        where=str(folder),
        todo="give a folder or id of a causal language model in Hugging Face format",
    )


def _release_file(model: PreTrainedModel) -> None:
    """Copy the weights out of the file that they were read from.

    A single tensor that still lies in the mapped file keeps all of it mapped: for
    the embedded model 538 MB, of which 113 MB are read.
    """
    import torch

    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.device.type == "cpu":
                tensor.data = tensor.data.clone()
                state = getattr(tensor, "quant_state", None)
                for part in (state, getattr(state, "state2", None)):
                    if part is not None:  # scales, and the scales of those
                        part.absmax, part.code = part.absmax.clone(), part.code.clone()
