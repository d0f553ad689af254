"""Study files: one YAML file is one study.

It has the common keys `study`, `rng_seed`, `model` and `domains`, and a section
per step, named like the step's module. Under `domains` a domain may override
sections. Every fault of a file is reported at once, with its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from phi_kit.core.errors import StudyError, did_you_mean
from phi_kit.core.paths import from_root, project_root, shown
from phi_kit.core.yaml12 import shown as printable

from .reader import Reader, Unit
from .yaml_lines import read

MOST_SHOWN = 100  # faults of one file


@dataclass(frozen=True)
class Study:
    """A checked study file."""

    name: str
    path: Path
    _units: tuple[Unit, ...]

    def units(self) -> tuple[Unit, ...]:
        """Every notebook in order: domain by domain, then the study's own steps."""
        return self._units


def load(path: str | Path, sets: Sequence[str] = ()) -> Study:
    """Read and check a study file.

    Args:
        path: the file; a bare name is looked for in `params/`.
        sets: changes on top, `filter_edge.SAMPLES=8`,
            `math.filter_edge.samples=8` or `rng_seed=3`, values as YAML.

    Raises:
        StudyError: there is no such file, or it has faults; all are listed.
    """
    path = find(path)
    source = read(path)
    reader = Reader(source)
    if source.values:
        reader.read_file(path.stem)
        for text in sets:
            reader.read_set(text)
    units = tuple(reader.units()) if source.values else ()
    faults = sorted(set(source.faults))
    if faults:
        count = f"{len(faults)} fault{'s' * (len(faults) > 1)}"
        listed = "\n".join(str(fault) for fault in faults[:MOST_SHOWN])
        if len(faults) > MOST_SHOWN:
            listed += f"\n  … and {len(faults) - MOST_SHOWN:,} more"
        raise StudyError(f"{shown(path)} has {count}; nothing was started\n{listed}")
    return Study(reader.name, path, units)


def find(path: str | Path) -> Path:
    """The study file meant by a path or by a bare name such as `quickstart`.

    Raises:
        StudyError: there is none.
    """
    folder = project_root() / "params"
    text = str(path)
    name = Path(text).name
    near = [folder / name, folder / f"{name}.yaml"] if name == text else []
    # A path no disk can have, or a home nobody has, is one where no file is.
    with suppress(OSError, RuntimeError, ValueError):
        for place in (Path(text).expanduser(), from_root(text), *near):
            if place.is_file():
                return place.resolve()
    known = [file.stem for file in folder.glob("*.yaml")]
    raise StudyError(
        f"there is no study file '{printable(text)}'"
        f"{did_you_mean(Path(text).stem, known)}",
        where=shown(folder),
    )
