"""How much memory a training step takes, how much is free, and what fits.

The bytes of one token are measured on the model itself: whatever autograd keeps of
a short forward pass, layer by layer.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from phi_kit.inference.local.decoding_weights import unused_bytes
from phi_kit.models.loading import device

from .encoding import EncodedRow
from .packing import hidden_states, pack, to_device
from .row_attention import MAX_PADDING
from .training_config import TrainingConfig

# Tokens of a micro-batch beyond which matrix products gain no more speed and only
# memory grows (kit default, measured on CPU cores; a GPU wants more).
MICRO_BATCH_TOKENS = {"cpu": 512, "cuda": 8192}
# Share of the free memory to use: other programs need some, allocators waste some.
USABLE_SHARE = 0.6
BYTES_PER_TRAINED_WEIGHT = 16  # bytes: float32 weight, gradient and Adam's two moments


@dataclass(frozen=True)
class MicroBatching:
    """How a step is cut so that it fits.

    Attributes:
        tokens: of a micro-batch at most; a single row may be longer.
        checkpointing: activations are computed again in the backward pass.
        padded: rows are padded rather than laid end to end.
        per_token: bytes autograd keeps of a token.
    """

    tokens: int
    checkpointing: bool = False
    padded: bool = False
    per_token: int = 0

    def smaller(self, parts: Sequence[Sequence[EncodedRow]]) -> Self | None:
        """The next smaller micro-batching, `None` when there is none.

        Args:
            parts: the micro-batches of the step that did not fit.
        """
        several = [sum(len(r.ids) for r in part) for part in parts if len(part) > 1]
        if several:
            return replace(self, tokens=max(several) // 2)
        return None if self.checkpointing else replace(self, checkpointing=True)


def fit_micro_batches(
    model: Any,
    config: TrainingConfig,
    *,
    longest: int,
    padded: bool,
    room: Callable[[], int] | None = None,
) -> MicroBatching:
    """Choose the size of micro-batches, and whether activations are kept.

    Splitting costs little, computing twice costs a third: checkpointing is
    switched on only where not even the longest row fits without.

    Args:
        model: PEFT-wrapped, in training mode.
        config: says whether checkpointing is a matter of need at all.
        longest: tokens of the longest row.
        padded: the layout.
        room: bytes that are free; measured where not given.
    """
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    left = max(
        0,
        int(USABLE_SHARE * (room or free_bytes)()) - BYTES_PER_TRAINED_WEIGHT * trained,
    )
    per_token = activation_bytes(model)
    wanted = config.gradient_checkpointing
    needed = wanted == "on" or (wanted == "auto" and per_token * longest > left)
    if needed:
        per_token = checkpointed_bytes(model, per_token)
    tokens = max(1, min(MICRO_BATCH_TOKENS[device()], left // max(1, per_token)))
    return MicroBatching(max(tokens, longest), needed, padded, per_token)


def activation_bytes(model: Any, *, tokens: int = 16) -> int:
    """Bytes that autograd keeps per token of a forward pass, head left out."""
    import torch

    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    saved: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        # Without its graph: a node that holds its own output is never freed.
        return tensor.detach()

    # Two rows of so unequal lengths that attention pads as much as it ever does.
    longest = round(tokens * MAX_PADDING / 2)
    rows = [list(range(n)) for n in (longest, tokens - longest)]
    batch = to_device(pack([EncodedRow(ids, ids) for ids in rows]), model.device)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        states = hidden_states(model, batch)  # alive: its graph holds what is counted
    total = sum(saved.values())
    del states
    return total // tokens


def checkpointed_bytes(model: Any, per_token: int) -> int:
    """Bytes per token with checkpointing: every layer's input, and one in full.

    Args:
        model: PEFT-wrapped.
        per_token: bytes per token without.
    """
    config = model.config.get_text_config()
    layers = max(1, getattr(config, "num_hidden_layers", 1))
    return layers * config.hidden_size * model.dtype.itemsize + per_token // layers


def set_checkpointing(model: Any, wanted: bool) -> None:
    """Compute activations again in the backward pass, or keep them."""
    inner = model.get_base_model()
    _return_freed_blocks(wanted)
    # transformers 5.0 to 5.17 know it by its older name only.
    kind = (
        "activation"
        if hasattr(inner, "activation_checkpointing_enable")
        else "gradient"
    )
    getattr(inner, f"{kind}_checkpointing_{'enable' if wanted else 'disable'}")()


def free_bytes() -> int:
    """Bytes that can still be allocated where the model is."""
    import torch

    if device() == "cuda":
        return unused_bytes(torch.device("cuda"))
    import psutil

    return min(psutil.virtual_memory().available, _container())


def _container() -> int:
    """Bytes that a container's limit leaves (cgroup v2, then v1); huge without one."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            most, now = (
                int(Path("/sys/fs/cgroup", name).read_text()) for name in (limit, used)
            )
        except (OSError, ValueError):  # not there, or "max"
            continue
        return max(0, most - now)
    return 1 << 60


def used_mb() -> float:
    """MB in use: the GPU's peak since it was last reset, else the process's own."""
    import torch

    if device() == "cuda":
        return torch.cuda.max_memory_allocated() / 1e6
    import psutil

    return psutil.Process().memory_info().rss / 1e6


def release() -> None:
    """Return unreferenced memory to the GPU and to the system.

    On a GPU this restarts the peak that `used_mb` reads.
    """
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    _trim()


def _return_freed_blocks(wanted: bool) -> None:
    """Let glibc give large blocks back as soon as they are freed, or not.

    It keeps them for the next one, and long rows leave it with holes that take more
    than what is in use: 916 tokens at a time took 2.4 GB in all, and 1.8 GB so.
    """
    import ctypes

    try:
        # M_MMAP_THRESHOLD; 32 MB is the most that it grows to by itself.
        ctypes.CDLL(None).mallopt(-3, (1 if wanted else 32) << 20)
    except (OSError, AttributeError):  # not glibc
        return


def _trim() -> None:
    import ctypes

    try:
        # glibc keeps freed blocks; a kernel that lives on should not.
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
