"""Whether an error means that memory ran out: every library says it in its own way."""

from __future__ import annotations

# By torch's allocator on a CPU, by the driver, and by cuBLAS and cuDNN, which find no
# room for a workspace.
_MESSAGES = (
    "can't allocate memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on a GPU or on a CPU."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and any(m in text for m in _MESSAGES)
