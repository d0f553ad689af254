"""The card; or, while tests are written, a CPU that stands in for one.

With PHI_KIT_GPU_REHEARSAL set all that needs no CUDA runs on the CPU, with tiny models
instead of large ones: the paths are walked, and the figures mean nothing.
"""

from __future__ import annotations

import gc
import os

import pytest
import torch

REHEARSAL = bool(os.environ.get("PHI_KIT_GPU_REHEARSAL"))
DEVICE = "cpu" if REHEARSAL else "cuda"

needs_card = pytest.mark.skipif(REHEARSAL, reason="a CPU cannot stand in for it")


def name() -> str:
    """Of the card."""
    return "no card: a rehearsal" if REHEARSAL else torch.cuda.get_device_name()


def settle() -> None:
    """Wait until the card has done what it was told."""
    if not REHEARSAL:
        torch.cuda.synchronize()


def free_memory() -> None:
    """Give back what nothing holds any more, and forget the peak."""
    gc.collect()
    if not REHEARSAL:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> tuple[int, int]:
    """Bytes that torch allocated at most, and held at most; a CPU has no such count."""
    if REHEARSAL:
        return 0, 0
    return torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
