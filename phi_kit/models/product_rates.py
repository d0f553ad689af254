"""Does this CPU multiply bf16 matrices faster than float32 ones? Measured once.

Servers have had bf16 units since 2020 (AVX-512) and 2023 (AMX); what they gain depends
on the shapes. So a tenth of a second of products as decoding and training make them
decides, conversions included, and the answer is remembered for the machine: another
answer the next time would mean other samples.
"""

from __future__ import annotations

import itertools
import json
import math
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from phi_kit.core.errors import RunError
from phi_kit.core.files import digest_json, write_atomic

from .model_dir import cache_folder

if TYPE_CHECKING:
    import torch

# How much faster bf16 must be to be worth its rounding (kit default). With AVX-512 bf16
# units (AMD EPYC, 2022) it is about twice as fast; without units it is slower.
WORTHWHILE = 1.2
# Rows, inputs and outputs: of a decoding step, of a training step's micro-batch.
_DECODING, _TRAINING = (64, 576, 1536), (384, 576, 1536)
_TURNS = 8  # of either type; the fastest counts, as others share the machine
# Lines of Linux' description of a processor that name what it can do.
_KIND = {"vendor_id", "cpu family", "model", "model name", "flags"}
_KIND |= {"CPU implementer", "CPU part", "Features"}  # of an ARM processor


class ProductRates(NamedTuple):
    """Billions of operations per second of one core's time.

    Attributes:
        float32: of float32 products.
        bf16: of products in bf16 with float32 inputs and outputs; 0 where PyTorch has
            none that are made for this CPU.
    """

    float32: float
    bf16: float

    @property
    def bf16_pays(self) -> bool:
        """Whether frozen weights are to be multiplied in bf16."""
        return self.bf16 >= WORTHWHILE * self.float32


@lru_cache(maxsize=1)
def product_rates() -> ProductRates:
    """The rates of this machine's CPU, as they were first measured."""
    kind = _kind_of_machine()
    file = cache_folder().parent / f"product_rates_{digest_json(kind)}.json"
    try:
        return ProductRates(**json.loads(file.read_text())["rates"])
    except (OSError, ValueError, KeyError, TypeError):
        rates = measure()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, json.dumps({"rates": rates._asdict(), **kind}, indent=1))
    except (OSError, RunError):
        pass  # nowhere to remember it: the next process measures again
    return rates


def known_rates() -> dict[str, float]:
    """The rates that decided in this process; empty where nothing was to decide."""
    if not product_rates.cache_info().currsize:
        return {}
    return dict(product_rates()._asdict())


def measure() -> ProductRates:
    """Measure the rates in about a tenth of a second."""
    import torch

    types = [torch.float32]
    if torch.backends.mkldnn.is_available() and (
        torch.ops.mkldnn._is_mkldnn_bf16_supported()
    ):
        types.append(torch.bfloat16)
    products = {dtype: _products(dtype) for dtype in types}
    fastest = {dtype: [math.inf] * len(products[dtype]) for dtype in types}
    with _one_thread():
        for turn, dtype in itertools.product(range(_TURNS), types):
            # Emulated bf16 takes many times as long. (The first turn warms up.)
            if turn > 1 and sum(fastest[dtype]) > 2 * sum(fastest[torch.float32]):
                continue
            for number, product in enumerate(products[dtype]):
                began = time.thread_time()
                product()
                spent = time.thread_time() - began
                fastest[dtype][number] = min(fastest[dtype][number], spent)
    count = 2 * (math.prod(_DECODING) + math.prod(_TRAINING)) / 1e9
    rates = {dtype: round(count / sum(spent), 1) for dtype, spent in fastest.items()}
    return ProductRates(rates[torch.float32], rates.get(torch.bfloat16, 0.0))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute in this thread alone: its own time is no matter of who else computes."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _products(dtype: torch.dtype) -> list[Callable[[], torch.Tensor]]:
    """Products in a type, as decoding and training make them, of float32 inputs."""
    import torch

    rows, inputs, outputs = _DECODING
    few, many = torch.ones(rows, inputs), torch.ones(_TRAINING[0], inputs)
    weight = torch.ones(outputs, inputs, dtype=dtype)

    def training() -> torch.Tensor:
        return torch.nn.functional.linear(many.to(dtype), weight).float()

    if not torch.backends.mkldnn.is_available():
        return [training]
    layout = torch.ops.mkldnn._reorder_linear_weight(weight, rows)

    def decoding() -> torch.Tensor:
        product = torch.ops.mkldnn._linear_pointwise
        return product(few.to(dtype), layout, None, "none", [], "").float()

    return [decoding, training]


def _kind_of_machine() -> dict[str, Any]:
    """What the rates may depend on, the same in every process."""
    import torch

    return {"cpu": _processor(), "torch": torch.__version__}


def _processor() -> dict[str, str]:
    """What names a kind of processor."""
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0]
    except OSError:
        return {"machine": platform.machine(), "processor": platform.processor()}
    lines = (line.partition(":") for line in first.splitlines())
    named = {name.strip(): value.strip() for name, _, value in lines}
    return {name: named[name] for name in sorted(_KIND & set(named))}
