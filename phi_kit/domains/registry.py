"""Every domain that has a name: the kit's own, and those that packages add.

The kit's own are modules of this package. Other packages add theirs by an
entry point of the group `phi_kit.domains`: its name is the domain's, and it
loads a `Domain` or a module with a `DOMAIN`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from phi_kit.core.errors import PhiKitError, StudyError, did_you_mean

from .base import Domain

GROUP = "phi_kit.domains"
OWN = ("math", "coding", "puzzles", "stem", "safety")


def _added_by_packages() -> dict[str, EntryPoint]:
    # The kit's own names cannot be taken over by installing something.
    found = _entry_points(tuple(sys.path))
    return {point.name: point for point in found if point.name not in OWN}


@cache
def _entry_points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    # Reading every package's metadata takes 20 ms; only the path changes it.
    return tuple(entry_points(group=GROUP))


def names() -> tuple[str, ...]:
    """Every domain a study may name without defining it."""
    return (*OWN, *sorted(_added_by_packages()))


def get(name: str) -> Domain:
    """The domain of that name.

    Raises:
        StudyError: there is none, or the package that adds it is broken.
    """
    if name in OWN:
        return import_module(f"{__package__}.{name}").DOMAIN
    added = _added_by_packages()
    if name not in added:
        raise StudyError(f"there is no domain '{name}'{did_you_mean(name, names())}")
    return _load(added[name])


def _load(point: EntryPoint) -> Domain:
    package = point.dist.name if point.dist else point.module
    try:
        found: Any = point.load()
    except Exception as error:  # a foreign package may fail in any way
        raise StudyError(
            f"the domain '{point.name}' cannot be loaded: "
            f"{type(error).__name__}: {error}",
            where=f"entry point {point.value} of the package {package}",
            todo="update or remove that package, or leave the domain out",
        ) from error
    found = getattr(found, "DOMAIN", found)
    if not isinstance(found, Domain) or found.name != point.name:
        raise StudyError(
            f"the entry point '{point.name}' is no domain of that name",
            where=f"entry point {point.value} of the package {package}",
            todo="it should load a phi_kit.domains.base.Domain with that name, or a "
            "module with one as DOMAIN",
        )
    return found


def listed() -> Iterable[tuple[str, Domain | PhiKitError]]:
    """Every domain, or why it cannot be loaded; a broken package breaks no list."""
    for name in names():
        try:
            yield name, get(name)
        except PhiKitError as error:
            yield name, error
