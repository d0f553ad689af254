"""Measurements, side by side in one run, written to benchmarks.json."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
from benchmark_file import BenchmarkFile

from phi_kit.inference import completion
from phi_kit.inference.local.model import LocalModel
from phi_kit.models.product_rates import product_rates

Record = Callable[..., None]


@pytest.fixture(scope="session")
def student() -> LocalModel:
    """The embedded model in NF4, loaded once."""
    return completion.load("smollm2-135m")


@pytest.fixture(scope="session")
def in_float32() -> LocalModel:
    """The same with every product in float32, whatever the CPU has."""
    return completion.load("smollm2-135m", compute="float32")


needs_bf16 = pytest.mark.skipif(
    not product_rates().bf16_pays, reason="bf16 is no faster on this CPU"
)


@pytest.fixture(scope="session")
def record() -> Record:
    """Keep a figure in benchmarks.json."""
    return BenchmarkFile().add


def ratio(
    ours: Callable[[], float], theirs: Callable[[], float], *, pairs: int
) -> float:
    """Median over pairs of `ours() / theirs()`, run in turn after a warm-up.

    In turn, because a shared machine's speed drifts: a ratio of neighbours
    holds where two separate timings would not.
    """
    ours(), theirs()
    return statistics.median(ours() / theirs() for _ in range(pairs))


def per_second(work: Callable[[], int]) -> float:
    """Units of work per second; `work` returns how many it did."""
    started = time.perf_counter()
    return work() / (time.perf_counter() - started)


def gemm_rate(size: int = 2048) -> float:
    """The machine's float32 matrix products, in operations per second."""
    import torch

    one, other = torch.randn(size, size), torch.randn(size, size)
    began = time.perf_counter()
    for _ in range(4):
        one @ other
    return 4 * 2 * size**3 / (time.perf_counter() - began)
