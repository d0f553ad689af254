"""The domains: what can be asked, and how each answer is checked.

The kit's own are modules of this package. Other packages add theirs by an
entry point of the group `phi_kit.domains`: its name is the domain's, and it
loads a `Domain` or a module with a `DOMAIN`. A study file defines one under
`domains:` (see `custom`); step 1 writes it into its card, and later steps
read it from there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pydantic import ValidationInfo

from phi_kit.core.errors import PhiKitError, StudyError, did_you_mean
from phi_kit.core.step_run import RunFolder
from phi_kit.verifiers.any_of import accepting

from .base import Domain

if TYPE_CHECKING:
    from phi_kit.core.params import StepParams

GROUP = "phi_kit.domains"
CARD = "01_pick_domain"
OWN = ("math", "coding", "puzzles", "stem", "safety")


def _added() -> dict[str, EntryPoint]:
    # The kit's own names cannot be taken over by installing something.
    found = _points(tuple(sys.path))
    return {point.name: point for point in found if point.name not in _own()}


@cache
def _points(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    # Reading every package's metadata takes 20 ms; only the path changes it.
    return tuple(entry_points(group=GROUP))


@cache
def _own() -> tuple[str, ...]:
    return tuple(name for name in OWN if find_spec(f"{__name__}.{name}"))


def names() -> tuple[str, ...]:
    """Every domain a study may name without defining it."""
    return (*_own(), *sorted(_added()))


def get(name: str) -> Domain:
    """The domain of that name.

    Raises:
        StudyError: there is none, or the package that adds it is broken.
    """
    if name in _own():
        return import_module(f"{__name__}.{name}").DOMAIN
    added = _added()
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


def of(params: StepParams, name: str = "") -> Domain:
    """The domain a step works on: the study's own, or one known by name.

    Its instruction is the study's, where step 1 was given one.

    Args:
        params: of the step; step 1 carries a study's own domain in `custom`,
            later steps find it in the manifest of step 1.
        name: which of several domains; without it `params.domain`.

    Raises:
        StudyError: nothing of that name is defined or known.
    """
    from phi_kit.inference import completion

    from . import custom

    name = name or params.domain
    definition = getattr(params, "custom", None) or _written(params.study, name)
    if definition is None:
        found = get(name)
    else:
        model = definition.judge_model
        judge = completion.judge_function(model, params) if model else None
        found = custom.build(name, definition, complete=judge)
    if hasattr(params, "instruction"):  # step 1 itself
        said = params.instruction
    else:
        said = _card(params.study, name).get("instruction")
    return replace(
        found,
        verifier=accepting(found.verifier),
        instruction=said or found.instruction,
    )


def _card(study: str, name: str) -> dict[str, Any]:
    """The parameters that step 1 of a study ran with; empty before it has."""
    card = RunFolder.of(study, CARD, domain=name)
    return card.manifest["params"] if card.finished else {}


def _written(study: str, name: str) -> Any:
    """The definition in the study's card of that domain, or `None`."""
    from . import custom

    written = _card(study, name).get("custom")
    return custom.Definition.model_validate(written) if written else None


def _is_defined(name: str, info: ValidationInfo) -> bool:
    """Whether the study file being read, or its step 1, defines the domain."""
    if info.context and name in info.context.get("domains", ()):
        return True
    study = info.data.get("study")
    try:
        return bool(study) and _written(study, name) is not None
    except (PhiKitError, ValueError, KeyError):
        return False


def known(name: str, info: ValidationInfo) -> str:
    """The name, if a domain has it or the study defines it. A pydantic validator.

    Raises:
        ValueError: no domain has it; the nearest name is offered.
    """
    if name not in names() and not _is_defined(name, info):
        raise ValueError(f"there is no domain '{name}'{did_you_mean(name, names())}")
    return name


def all_known(given: list[str], info: ValidationInfo) -> list[str]:
    """The names, if they are domains and none stands twice. A validator.

    Raises:
        ValueError: one is unknown or repeated.
    """
    if len(set(given)) < len(given):
        raise ValueError("a domain stands twice")
    return [known(name, info) for name in given]


def listed() -> Iterable[tuple[str, Domain | PhiKitError]]:
    """Every domain, or why it cannot be loaded; a broken package breaks no list."""
    for name in names():
        try:
            yield name, get(name)
        except PhiKitError as error:
            yield name, error
