"""What every variant of a sweep set, cost and came to, read from its run folders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phi_kit.core import step_table
from phi_kit.core.errors import RunError, StudyError, did_you_mean
from phi_kit.core.finished_run import MANIFEST, RunFolder, parse_manifest
from phi_kit.core.paths import SWEEP_STATE, display_path, runs_root
from phi_kit.core.step_run import NOTEBOOK
from phi_kit.core.yaml12 import shown as printable
from phi_kit.study.side_by_side import ItemScores, Measured, measurements
from phi_kit.study.sweep.sweep_state import Failure, SweepState, read_state

_FOLDERS = {step.folder for step in step_table.STEPS}


@dataclass(frozen=True)
class VariantResult:
    """One variant.

    Attributes:
        name: its folder in the sweep's.
        kind: `finished`, `failed`, `in flight` or `waiting`.
        sets: what it sets, by the parameter's path.
        seconds: all its finished steps took, those that it shares included.
        tokens: that models wrote for these steps, whoever asked for them.
        notebook: of its last finished step, from the sweep's folder; may be empty.
        failure: where and why it failed.
        scores: the accuracy of each held-out item, by what was measured.
    """

    name: str
    kind: str
    sets: Mapping[str, Any]
    seconds: float = 0.0
    tokens: int = 0
    notebook: str = ""
    failure: Failure | None = None
    scores: Mapping[Measured, ItemScores] = field(default_factory=dict)


def variant_results(sweep: str) -> list[VariantResult]:
    """All variants of a sweep, in its own order.

    A variant whose files cannot be read counts as failed, with the reason.

    Args:
        sweep: its name.

    Raises:
        StudyError: there is no such sweep.
    """
    state = _state(sweep)
    manifests = _Manifests()
    kinds = state.variant_states()
    return [
        _variant(state, name, kinds[name].kind, manifests) for name in state.variants
    ]


def _state(sweep: str) -> SweepState:
    state = read_state(sweep)
    if not state.variants:
        others = [path.parent.name for path in runs_root().glob(f"*/{SWEEP_STATE}")]
        name = printable(sweep)
        raise StudyError(
            f"there is no run of a sweep '{name}'{did_you_mean(sweep, others)}",
            where=display_path(runs_root()),
            todo=f"run it first: phi-kit sweep params/sweeps/{name}.yaml",
        )
    return state


class _Manifests:
    """Manifests of steps; one that variants share is one file and is read once."""

    def __init__(self) -> None:
        self._read: dict[tuple[int, int], Mapping[str, Any]] = {}

    def of(self, path: Path) -> Mapping[str, Any]:
        """A manifest.

        Raises:
            RunError: it cannot be read.
        """
        try:
            found = path.stat()
            key = found.st_dev, found.st_ino
            if key not in self._read:
                self._read[key] = parse_manifest(path.read_text(encoding="utf-8"))
            return self._read[key]
        except (OSError, ValueError) as error:
            raise RunError(
                f"a manifest cannot be read: {error}", where=display_path(path)
            ) from error


def _variant(
    state: SweepState, name: str, kind: str, manifests: _Manifests
) -> VariantResult:
    sets = dict(_setting(text) for text in state.variants[name])
    failure = state.failures.get(name)
    study = f"{state.name}/{name}"
    try:
        paths = list(_step_manifests(runs_root() / study))
        steps = [manifests.of(path) for path in paths]
        scores = measurements(study)
    except RunError as error:
        failure = Failure("", "reading its files", error.what)
        return VariantResult(name, "failed", sets, failure=failure)
    asked = [step["samples"] or {} for step in steps]
    return VariantResult(
        name,
        kind,
        sets,
        sum(step["seconds"] for step in steps),
        sum(one.get("paid_tokens") or 0 for one in asked),
        _last_notebook(paths),
        failure,
        scores,
    )


def _setting(text: str) -> tuple[str, Any]:
    """`probe_sft.rank=4` as its path and its value."""
    path, _, value = text.partition("=")
    try:
        return path, json.loads(value)
    except ValueError:
        return path, value


def _step_manifests(folder: Path) -> Iterator[Path]:
    """Of finished steps, in the order of the method."""
    found = [*folder.glob(f"*/{MANIFEST}"), *folder.glob(f"*/*/{MANIFEST}")]
    steps = [path for path in found if path.parent.name in _FOLDERS]
    yield from sorted(steps, key=lambda path: (path.parent.name, path))


def _last_notebook(manifests: list[Path]) -> str:
    for path in reversed(manifests):
        notebook = path.with_name(NOTEBOOK)
        if notebook.is_file():
            root = runs_root()
            return "/".join(notebook.relative_to(root).parts[1:])
    return ""


def item_families(sweep: str, variant: str, what: Measured) -> dict[str, str]:
    """The family of each item that was asked, by its id; empty where it is not known.

    Args:
        sweep: its name.
        variant: one that was measured.
        what: that was measured.
    """
    step, name = (
        (step_table.BENCHMARK, "samples")
        if what.split == "test"
        else (step_table.PICK_DOMAIN, "rows")
    )
    folder = RunFolder.of(f"{sweep}/{variant}", step, domain=what.domain)
    try:
        rows = folder.table(name)
    except RunError:
        return {}
    ids = rows["seed_id" if what.split == "test" else "id"]
    return dict(zip(ids, rows["family"], strict=True)) if "family" in rows else {}
