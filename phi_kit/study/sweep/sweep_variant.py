"""One variant of a sweep."""

from __future__ import annotations

from dataclasses import dataclass

from phi_kit.study.config import Study, Unit


@dataclass(frozen=True)
class Variant:
    """One study of a sweep.

    Attributes:
        name: of its folder in the sweep's.
        sets: what it changes, as `--set` takes it; `sets` of the sweep included.
        study: the base study with these changes.
        units: its notebooks, up to the sweep's last step.
    """

    name: str
    sets: tuple[str, ...]
    study: Study
    units: tuple[Unit, ...]
