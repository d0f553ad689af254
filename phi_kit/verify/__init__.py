"""Verifiers: is this response right? Three answers, each with its reason."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from phi_kit.core.errors import StudyError, did_you_mean

from .base import Verdict, Verifier, guarded

__all__ = ["Verdict", "Verifier", "get", "names"]

# A verifier is the `verify` of the module of its name.
_NAMES = (
    *("numeric", "math", "choice", "exact", "contains"),
    *("puzzle", "code", "refusal", "judge", "quantity"),
)


def names() -> tuple[str, ...]:
    """Every verifier this installation has."""
    return tuple(name for name in _NAMES if find_spec(f"{__name__}.{name}"))


def get(name: str) -> Verifier:
    """The verifier of that name, guarded; its module is imported only now.

    Raises:
        StudyError: there is none.
    """
    if name not in names():
        raise StudyError(
            f"there is no verifier '{name}'{did_you_mean(name, names())}",
            todo="name one of them as the domain's verifier",
        )
    return guarded(import_module(f"{__name__}.{name}").verify)
