"""Verifiers: is this response right? Three answers, each with its reason."""

from __future__ import annotations

from importlib import import_module

from phi_kit.core.errors import StudyError, did_you_mean

from .base import Verdict, Verifier, guarded

__all__ = ["Verdict", "Verifier", "get", "names"]

# The name that a study file uses, and the module whose `verify` it is.
MODULES = {
    "numeric": "numeric",
    "math": "math.verifier",
    "choice": "choice",
    "exact": "exact",
    "contains": "contains",
    "puzzle": "puzzle",
    "code": "code.verifier",
    "refusal": "refusal",
    "judge": "llm_judge",
    "quantity": "quantity",
}


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
