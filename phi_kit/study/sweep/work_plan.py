"""The notebooks of a sweep: each piece of work once, whoever needs it.

A piece's key is a step's fingerprint with the keys of what it reads in the place of
their outcomes, so that it is known before anything has run: the notebook, its
parameters but for what changes no outcome (the study's name, what an endpoint may
spend, how many requests it serves at once), the weights, the files' content and the
kit's version. Equal keys are one notebook.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from phi_kit.core.finished_run import RunFolder
from phi_kit.core.outcome_params import NO_OUTCOME
from phi_kit.core.step_state import fingerprint
from phi_kit.core.step_table import Step
from phi_kit.study.config import Unit

from .finished_results import FinishedResults
from .sweep_variant import Variant


@dataclass
class WorkItem:
    """A notebook to execute once, and everybody who needs its result.

    Attributes:
        key: what it is.
        reads: the keys of what it reads, by `domain/step`.
        units: by the name of each variant that needs it; the first may run it.
    """

    key: str
    reads: Mapping[str, str]
    units: dict[str, Unit] = field(default_factory=dict)

    @property
    def step(self) -> Step:
        """Of the method."""
        return next(iter(self.units.values())).params.STEP

    @property
    def title(self) -> str:
        """`03 filter_edge math`."""
        return next(iter(self.units.values())).title


def plan_work(variants: Iterable[Variant]) -> dict[str, WorkItem]:
    """The notebooks of some variants by their keys, what is read before its readers.

    Raises:
        RunError: a file that a study names cannot be read.
        ModelError: there is no such model.
    """
    items: dict[str, WorkItem] = {}
    known: dict[tuple, str] = {}
    for variant in variants:
        keys: dict[str, str] = {}
        for unit in variant.units:
            reads = {name: keys[name] for name in unit.params.upstream()}
            said = unit.params.model_dump_json(exclude=set(NO_OUTCOME))
            same = (unit.step, said, *reads.values())
            if same not in known:  # weights and files are looked at once
                known[same] = fingerprint(unit.params, reads)
            key = known[same]
            keys[place_in_study(unit)] = key
            item = items.setdefault(key, WorkItem(key, reads))
            item.units[variant.name] = unit
    return items


def join_work(items: dict[str, WorkItem], more: Mapping[str, WorkItem]) -> None:
    """Add notebooks to others; who needs the same one shares it."""
    for key, item in more.items():
        items.setdefault(key, item).units |= item.units


def place_in_study(unit: Unit) -> str:
    """Where a unit lies in its study's folder, as later steps name it."""
    return f"{unit.domain}/{unit.params.STEP}".lstrip("/")


def finished_items(
    items: Mapping[str, WorkItem], results: FinishedResults
) -> dict[str, RunFolder]:
    """The items that need not run, with the folders that hold their results.

    Only results of the same inputs count, from the first step downwards.
    """
    found: dict[str, RunFolder] = {}
    for key, item in items.items():
        if all(read in found for read in item.reads.values()):
            inputs = {name: found[read].outcome for name, read in item.reads.items()}
            unit = next(iter(item.units.values()))
            if folder := results.find(fingerprint(unit.params, inputs)):
                found[key] = folder
    return found
