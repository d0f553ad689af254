"""The domain that a step works on: a known one, or one that its study defines.

A study file defines a domain under `domains:` (see `custom`), or gives a known one
another instruction. Step 1 keeps both in its card, and the parameters of a step hand
them on (`StepParams.domain_card`).
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import ValidationInfo

from phi_kit.core.errors import did_you_mean
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_table import PICK_DOMAIN
from phi_kit.inference import completion
from phi_kit.verifiers.base import accept_any_gold

from . import custom, registry
from .base import Domain


def of(params: StepParams, name: str = "") -> Domain:
    """The domain a step works on, in the study's style.

    An instruction of the study's own stands in place of the style's.

    Args:
        params: of the step; they know what step 1 was given.
        name: which of several domains; without it `params.domain`.

    Raises:
        StudyError: nothing of that name is defined or known.
    """
    name = name or params.domain
    card = params.domain_card(name)
    own = card.get("instruction")
    if given := card.get("custom"):
        definition = custom.Definition.model_validate(given)
        judge_model = definition.judge_model
        judge = completion.judge_function(judge_model, params) if judge_model else None
        domain = custom.build(name, definition, complete=judge)
        own = own or definition.instruction
    else:
        domain = registry.get(name)
    # A card of a kit that knew no styles asked for the bare answer.
    style = card.get("style", "answer")
    domain = replace(domain, verifier=accept_any_gold(domain.verifier))
    if own:
        return replace(domain, style=style, instruction=own)
    return domain.in_style(style)


def known(name: str, info: ValidationInfo) -> str:
    """The name, if a domain has it or the study defines it. A pydantic validator.

    Raises:
        ValueError: no domain has it; the nearest name is offered.
    """
    names = registry.names()
    if name not in names and not _is_defined(name, info):
        raise ValueError(f"there is no domain '{name}'{did_you_mean(name, names)}")
    return name


def all_known(given: list[str], info: ValidationInfo) -> list[str]:
    """The names, if they are domains and none stands twice. A validator.

    Raises:
        ValueError: one is unknown or repeated.
    """
    if len(set(given)) < len(given):
        raise ValueError("a domain stands twice")
    return [known(name, info) for name in given]


def _is_defined(name: str, info: ValidationInfo) -> bool:
    """Whether the study file being read, or its finished step 1, has the domain."""
    if info.context and name in info.context.get("domains", ()):
        return True
    study = info.data.get("study")
    return bool(study) and RunFolder.of(study, PICK_DOMAIN, domain=name).finished
