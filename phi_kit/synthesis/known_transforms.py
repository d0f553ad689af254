"""Every transform that has a name: a domain's own, the kit's, those of packages.

Other packages add theirs by an entry point of the group `phi_kit.transforms`: its
name is the transform's, and it loads a `Transform`. A study's own domain names those
that it takes: `domains: {mine: {transforms: [math.backward, paraphrase]}}`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from phi_kit import domains
from phi_kit.core.errors import StudyError, did_you_mean
from phi_kit.domains.base import Domain
from phi_kit.domains.registry import OWN
from phi_kit.domains.transform import Transform

from . import (
    instances,
    number_transforms,
    program_transforms,
    request_twins,
    science_transforms,
    teacher_transforms,
)

GROUP = "phi_kit.transforms"
KIT: tuple[Transform, ...] = (
    *number_transforms.TRANSFORMS,
    *program_transforms.TRANSFORMS,
    *science_transforms.TRANSFORMS,
    *request_twins.TRANSFORMS,
    *instances.TRANSFORMS,
    *teacher_transforms.TRANSFORMS,
)


def transforms_of(domain: Domain) -> dict[str, Transform]:
    """All transforms that rows of a domain may be made by, by their names.

    Raises:
        StudyError: one that the domain names does not exist, or a package's cannot
            be loaded.
    """
    kit = {one.name: one for one in KIT if _fits(one, domain.name)}
    added = {one.name: one for one in _added() if _fits(one, domain.name)}
    named = {name: _named(name) for name in domain.named_transforms}
    return {**domain.transforms, **kit, **added, **named}


def _fits(transform: Transform, domain: str) -> bool:
    # The kit's own instances are of its own families.
    if transform.rewrite is instances.same_family:
        return domain in OWN
    return transform.domain in ("", domain)


def chosen(domain: Domain, names: Sequence[str] = ()) -> list[Transform]:
    """The transforms of these names; without names the usual ones.

    Raises:
        StudyError: the domain has none of such a name.
    """
    known = transforms_of(domain)
    for name in names:
        if name not in known:
            raise StudyError(
                f"{domain.name} has no transform '{name}'{did_you_mean(name, known)}",
                todo="name transforms that `phi-kit domains` shows, or leave the list "
                "empty for the usual ones",
            )
    own = set(domain.named_transforms)
    return [
        one
        for name, one in known.items()
        if (name in names if names else one.usual or name in own)
    ]


def require_known(names: Iterable[str]) -> None:
    """Refuse names of transforms that a domain of a study's own cannot take.

    Raises:
        StudyError: there is none of such a name.
    """
    for name in names:
        _named(name)


def _named(name: str) -> Transform:
    """The transform that a study file names: `math.backward`, `paraphrase`."""
    known = _all_by_name()
    if name not in known:
        raise StudyError(
            f"there is no transform '{name}'{did_you_mean(name, known)}",
            todo="name one as DOMAIN.NAME, such as math.backward",
        )
    return known[name]


def _all_by_name() -> Mapping[str, Transform]:
    own = [one for name in OWN for one in domains.get(name).transforms.values()]
    every = [*own, *KIT, *_added()]
    full = {
        f"{one.domain}.{one.name}" if one.domain else one.name: one for one in every
    }
    # What stands in no other domain needs no more than its name.
    counts: dict[str, int] = {}
    for one in every:
        counts[one.name] = counts.get(one.name, 0) + 1
    return full | {one.name: one for one in every if counts[one.name] == 1}


def _added() -> list[Transform]:
    return [_load(point) for point in _entry_points(tuple(sys.path))]


@cache
def _entry_points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    # Reading every package's metadata takes 20 ms; only the path changes it.
    return tuple(entry_points(group=GROUP))


def _load(point: EntryPoint) -> Transform:
    package = point.dist.name if point.dist else point.module
    where = f"entry point {point.value} of the package {package}"
    try:
        found: Any = point.load()
    except Exception as error:  # a foreign package may fail in any way
        raise StudyError(
            f"the transform '{point.name}' cannot be loaded: "
            f"{type(error).__name__}: {error}",
            where=where,
            todo="update or remove that package",
        ) from error
    if not isinstance(found, Transform) or found.name != point.name:
        raise StudyError(
            f"the entry point '{point.name}' is no transform of that name",
            where=where,
            todo="it should load a phi_kit.domains.transform.Transform of that name",
        )
    return found
