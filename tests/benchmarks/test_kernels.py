"""What do kernels cost before the first line of work in their notebooks?"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import time

import pytest
from started_kernel import started

from phi_kit.study import config
from phi_kit.study.notebook.kernel import kernel_environment
from phi_kit.study.notebook.warm_kernels import PRELOAD, WarmKernels

from .conftest import ratio

pytestmark = [
    pytest.mark.bench,
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="kernels are forked on Linux"
    ),
]


def start(warm: WarmKernels | None) -> float:
    """Seconds till a kernel has imported what the steps use."""

    async def ready() -> float:
        began = time.perf_counter()
        async with started(warm) as kernel:
            assert await kernel.run(f"import {', '.join(PRELOAD)}") == ""
            return time.perf_counter() - began

    return asyncio.run(ready())


def test_kernel_start(record):
    notebooks = len(config.load("quickstart").units())
    said: list[str] = []
    cold: list[float] = []

    def cold_start() -> float:
        cold.append(start(None))
        return cold[-1]

    cold_start()  # the files are in memory from here on
    with kernel_environment(), contextlib.closing(WarmKernels(said.append)) as warm:
        together = sum(start(warm) for _ in range(notebooks))
        figure = ratio(cold_start, lambda: start(warm), pairs=5)
    assert said == []
    each = statistics.median(cold[1:])
    record(
        "kernel_start_quickstart",
        together,
        unit="s",
        n=notebooks,
        what=f"the {notebooks} kernels of the quickstart's notebooks, one after the "
        "other, each till all that steps use is imported, the template they are "
        f"forked from included; one that starts cold takes {each:.1f} s",
    )
    record(
        "kernel_start_cold_vs_warm",
        figure,
        unit="times as long",
        n=5,
        what="a kernel that starts cold against one forked from a template, till all "
        "that steps use is imported, in turn",
    )
    assert together <= 15
    assert figure >= 4
