"""What of a study need not run: its finished steps, and those that it takes over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from phi_kit.core.errors import PhiKitError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.step_state import fingerprint, run_folder_path, unusable
from phi_kit.study.config import Study, Unit

from .workload import UnitKey


class FinishedUnit(NamedTuple):
    """A unit that need not run again.

    Attributes:
        seconds: it took.
        kept: rows, if it keeps any.
        study: where its result is taken over from; empty if it is the study's own.
    """

    seconds: float
    kept: int | None
    study: str = ""

    @classmethod
    def of(cls, folder: RunFolder, *, study: str = "") -> FinishedUnit:
        """From the run folder of a finished step."""
        manifest = folder.manifest
        kept = (manifest["flow"] or {}).get("kept")
        return cls(float(manifest["seconds"]), kept, study)


def finished_units(study: Study) -> dict[UnitKey, FinishedUnit]:
    """The units that a run of this study would not execute.

    A result counts only on top of the results that it was made from: what reads a
    step that is run again may come out otherwise.
    """
    done: dict[UnitKey, FinishedUnit] = {}
    found: dict[str, RunFolder] = {}  # by where it lies in the study
    for unit in study.units():
        reads = unit.params.upstream()
        if unit.params.redo or not all(name in found for name in reads):
            continue
        inputs = {name: found[name].outcome for name in reads}
        for name in filter(None, (study.name, study.starts_from)):
            own = run_folder_path(unit.params)
            folder = RunFolder.of(name, unit.params.STEP, domain=unit.domain)
            if _is_result(folder, unit, inputs):
                place = f"{unit.domain}/{unit.params.STEP}".lstrip("/")
                found[place] = folder
                other = "" if folder.path == own else name
                done[unit.step, unit.domain] = FinishedUnit.of(folder, study=other)
                break
    return done


def _is_result(folder: RunFolder, unit: Unit, inputs: Mapping[str, str]) -> bool:
    """Whether a folder holds what the unit would come to, given what it reads."""
    if not folder.finished or unusable(folder):
        return False
    try:
        return folder.manifest["fingerprint"] == fingerprint(unit.params, inputs)
    except PhiKitError:  # a file or the model is gone: running it will say so
        return False
