"""The seven steps, one module per notebook: `Params` and `run`.

A step reads finished run folders and writes one; steps never import steps.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

STEPS = (
    "pick_domain",
    "collect_seeds",
    "filter_edge",
    "probe_sft",
    "synthesize",
    "expand_domains",
    "benchmark",
)


def load(name: str) -> ModuleType:
    """The module of a step; imported only when it is used."""
    return import_module(f"{__name__}.{name}")
