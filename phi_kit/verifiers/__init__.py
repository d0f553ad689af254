"""Verifiers: is a response right, wrong or unknown, and why."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from phi_kit.core.errors import StudyError, did_you_mean

from .base import Verdict, Verifier, guarded

__all__ = ["MODEL_VERIFIERS", "Verdict", "Verifier", "by_model", "get", "names"]

# The name that a study file uses, and the module whose `verify` it is.
MODULES = {
    "numeric": "math.numeric",
    "math": "math.verifier",
    "choice": "choice",
    "exact": "exact",
    "contains": "contains",
    "puzzle": "puzzle",
    "code": "code.verifier",
    "refusal": "refusal",
    "judge": "llm_judge",
    "quantity": "quantity",
    "instructions": "instruction_following",
}
# The verifiers that can ask a model; `judge` cannot do without one.
MODEL_VERIFIERS = ("judge", "refusal")


def names() -> tuple[str, ...]:
    """Every verifier."""
    return tuple(MODULES)


def get(name: str) -> Verifier:
    """The verifier of that name, guarded; its module is imported only now.

    Raises:
        StudyError: there is none.
    """
    if name not in MODULES:
        raise StudyError(
            f"there is no verifier '{name}'{did_you_mean(name, names())}",
            todo="name one of them as the domain's verifier",
        )
    return guarded(import_module(f"{__name__}.{MODULES[name]}").verify)


def by_model(name: str, model: str, complete: Callable[[str], str]) -> Verifier:
    """The verifier of that name, one of `MODEL_VERIFIERS`, which asks a model.

    Args:
        name: the verifier.
        model: as a study file names it, for messages.
        complete: from a prompt to the model's reply.
    """
    module = import_module(f"{__name__}.{MODULES[name]}")
    return module.verifier_by_model(model, complete)
