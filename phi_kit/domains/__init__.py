"""The domains: what can be asked, and how each answer is checked."""

from __future__ import annotations

from importlib import import_module

from phi_kit.core.errors import StudyError, did_you_mean

from .base import Domain

_NAMES = ("math", "puzzles")


def names() -> tuple[str, ...]:
    """Every domain a study may name."""
    return _NAMES


def get(name: str) -> Domain:
    """The domain of that name.

    Raises:
        StudyError: there is none.
    """
    if name not in _NAMES:
        raise StudyError(f"there is no domain '{name}'{did_you_mean(name, _NAMES)}")
    return import_module(f"{__name__}.{name}").DOMAIN


def known(name: str) -> str:
    """The name, if a domain has it. A pydantic validator.

    Raises:
        ValueError: no domain has it; the nearest name is offered.
    """
    if name not in _NAMES:
        raise ValueError(f"there is no domain '{name}'{did_you_mean(name, _NAMES)}")
    return name


def all_known(names: list[str]) -> list[str]:
    """The names, if they are domains and none stands twice. A validator.

    Raises:
        ValueError: one is unknown or repeated.
    """
    if len(set(names)) < len(names):
        raise ValueError("a domain stands twice")
    return [known(name) for name in names]
