"""Whether a step is finished: the one answer of the command line and of notebooks.

A finished step is *stale* when its parameters, what it reads, the model, a file or
the kit are others than when it ran, or when its files are not as it wrote them. It
is *behind* when a step further up has been run since, with another outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from phi_kit import __version__

from . import yaml12
from .errors import PhiKitError, RunError
from .files import digest_json
from .finished_run import RunFolder
from .outcome_params import ADDED_SINCE, NO_OUTCOME
from .params import StepParams
from .paths import runs_root
from .replay_mode import replayed_ledger


class StepState(NamedTuple):
    """Where a step stands.

    Attributes:
        kind: `finished`, `stale` or `missing`.
        since: when it finished.
        why: it is stale.
    """

    kind: str
    since: str = ""
    why: str = ""


def run_folder_path(params: StepParams) -> Path:
    """The run folder these parameters write to."""
    return RunFolder.of(
        params.study, params.STEP, domain=getattr(params, "domain", "")
    ).path


def fingerprint(params: StepParams, inputs: Mapping[str, str] | None = None) -> str:
    """What a step's outcome depends on, in 16 hex digits.

    Parameters, the outputs it reads, the model's weights, the seed files'
    content and the kit's version. The study's name is only a place, and what an
    endpoint may spend changes no answer.

    Args:
        params: of the step.
        inputs: the outcomes of what it reads, by name; those of its own study's
            run folders if they are not given.

    Raises:
        RunError: what it reads has not finished, or a file cannot be read.
        ModelError: there is no such model.
    """
    if inputs is None:
        inputs = params.require_upstream()
    try:
        outside = params.external_digests()
    except OSError as error:
        raise RunError(
            f"what {params.STEP} reads cannot be read: {error.strerror}",
            where=yaml12.shown(str(error.filename)),
            todo="look at the paths that the study names",
        ) from error
    return digest_json(
        {
            "step": params.STEP.folder,
            "kit": __version__,
            "params": params.deciding(),
            "inputs": inputs,
            "outside": outside,
        }
    )


def up_to_date(params: StepParams) -> bool:
    """Whether the finished run folder is what these parameters would give."""
    return RunFolder(run_folder_path(params)).finished and not stale_reason(params)


def unusable(folder: RunFolder) -> str:
    """Why the result in a finished run folder is of no use; empty if it is whole.

    A replayed step has no adapters: for an ordinary run it is of none.
    """
    try:
        manifest, _ = folder.manifest, folder.outcome
    except RunError as error:
        return error.what
    if manifest["replayed"] and not replayed_ledger():
        return "a replay wrote it, not a model"
    if not manifest["checksum"]:
        return "an earlier version of the kit wrote it"
    return folder.damage


def stale_reason(params: StepParams, folder: RunFolder | None = None) -> str:
    """Why a finished run folder is not what these parameters would give now.

    Args:
        params: of the step.
        folder: another study's; the step's own if none is given.

    Returns:
        One line; empty if the folder is just that.
    """
    folder = folder or RunFolder(run_folder_path(params))
    if why := unusable(folder):
        return why
    try:
        if folder.manifest["fingerprint"] != fingerprint(params):
            return _difference(params, folder.manifest)
    except PhiKitError as error:  # what it reads or the model
        return error.what
    return ""


def _difference(params: StepParams, manifest: dict[str, Any]) -> str:
    if changed := changes(params, manifest["params"]):
        return "; ".join(
            f"{name} is {now!r}, was {then!r}" for name, now, then in changed
        )
    now, then = params.require_upstream(), manifest["inputs"]
    other = [name for name, mark in now.items() if then.get(name) != mark]
    if other:
        return f"{', '.join(other)} came out otherwise since"
    return "the model, a file that it reads or the kit is another"


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def changes(params: StepParams, before: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """What decides the outcome and is another: its name, as it is, as it was."""
    now = params.model_dump(mode="json", exclude=set(NO_OUTCOME))
    before = ADDED_SINCE | before
    return [
        (name, value, before.get(name))
        for name, value in now.items()
        if before.get(name) != value
    ]


def outdated_upstream(params: StepParams) -> str:
    """What further up makes a step's result one of yesterday; empty if nothing.

    Only what has been run counts: a step that a study file wants otherwise may come
    out as before once it is.
    """
    root = runs_root() / params.study
    for name, folder in params.upstream().items():
        if (why := _changed_since(folder, root)) and folder.finished:
            return f"{name} is not up to date: {why}"
    return ""


def _changed_since(folder: RunFolder, root: Path) -> str:
    """Which step, from what a folder reads upwards, came out otherwise since."""
    try:
        for name, mark in folder.manifest["inputs"].items():
            above = RunFolder(root / name)
            if not above.finished:
                return f"{name} is gone"
            if above.outcome != mark:
                return f"{name} came out otherwise since"
            if why := _changed_since(above, root):
                return why
    except RunError as error:
        return error.what
    return ""


def step_state(params: StepParams) -> StepState:
    """Where a step stands, what lies further up included."""
    folder = RunFolder(run_folder_path(params))
    if not folder.finished:
        return StepState("missing")
    try:
        since = folder.manifest["finished"]
    except RunError as error:
        return StepState("stale", why=error.what)
    why = stale_reason(params) or outdated_upstream(params)
    return StepState("stale" if why else "finished", since, why)
