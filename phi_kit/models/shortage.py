"""Whether an error means that memory ran out: every library says it in its own way."""

from __future__ import annotations

# Of torch's allocator on a CPU, of the driver, and of cuBLAS, which finds no room for
# its workspace.
_WORDS = (
    "can't allocate memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on a GPU or on a CPU."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and any(words in said for words in _WORDS)
