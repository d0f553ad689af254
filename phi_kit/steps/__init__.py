"""The seven steps, one module per notebook: `Params` and `run`.

A step reads finished run folders and writes one; steps never import steps. Their
order, and what each reads, stand in `core.step_table`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from phi_kit.core.step_table import STEPS, Step

__all__ = ["STEPS", "load"]


def load(step: Step) -> ModuleType:
    """The module of a step; imported only when it is used."""
    return import_module(f"{__name__}.{step.name}")
