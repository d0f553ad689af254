"""Study files: one YAML file is one study.

It has the common keys (`study`, `rng_seed`, `model`, ...), keys such as `style` that
shape the whole study though one step alone has them, `domains`, and a section per
step, named like the step's module. Under `domains` a domain may override such keys
and sections, or be defined. Every fault of a file is reported at once, with its line.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from phi_kit.core.errors import StudyError, did_you_mean
from phi_kit.core.paths import display_path, project_root, resolve_from_root
from phi_kit.core.yaml12 import shown as printable

from .study_draft import StudyDraft, Unit
from .yaml_lines import FileFault, Source, read

MOST_SHOWN = 100  # faults of one file


@dataclass(frozen=True)
class Study:
    """A checked study file.

    Attributes:
        name: of its folder.
        path: of the file.
        starts_from: the study whose finished steps it takes over; empty for none.
    """

    name: str
    path: Path
    _units: tuple[Unit, ...]
    starts_from: str = ""

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
    study, faults = check(read(path), path, sets)
    raise_faults(path, faults)
    return study


def check(
    source: Source, path: Path, sets: Sequence[str] = (), *, variant: str = ""
) -> tuple[Study, list[FileFault]]:
    """A study with its faults; where there are any, it has no units.

    Args:
        source: what the file holds.
        path: of the file.
        sets: changes on top, as in `load`.
        variant: of a sweep, `SWEEP/VARIANT`: what the study is called then.
    """
    source = replace(source, faults=[*source.faults])
    if not source.values:
        return Study("", path, ()), source.faults
    draft = StudyDraft(source, path.stem, variant=variant)
    for text in sets:
        draft.change(text)
    units = draft.checked_units()  # which may refuse the name
    return Study(draft.name, path, units, draft.starts_from), source.faults


def raise_faults(path: Path, faults: Sequence[FileFault]) -> None:
    """Raise if a file has faults, all of them in one message.

    Raises:
        StudyError: it has.
    """
    listed = sorted(set(faults))
    if not listed:
        return
    count = f"{len(listed)} fault{'s' * (len(listed) > 1)}"
    lines = "\n".join(str(fault) for fault in listed[:MOST_SHOWN])
    if len(listed) > MOST_SHOWN:
        lines += f"\n  … and {len(listed) - MOST_SHOWN:,} more"
    raise StudyError(f"{display_path(path)} has {count}; nothing was started\n{lines}")


def find(path: str | Path, *, folder: str = "params", what: str = "study") -> Path:
    """The file meant by a path or by a bare name such as `quickstart`.

    Args:
        path: what a user gave.
        folder: of the project, where bare names are looked for.
        what: it is a file of.

    Raises:
        StudyError: there is none.
    """
    place = project_root() / folder
    text = str(path)
    name = Path(text).name
    known = [place / name, place / f"{name}.yaml"] if name == text else []
    # A path that no disk can have is one where no file is.
    with suppress(OSError, RuntimeError, ValueError):
        for file in (Path(text).expanduser(), resolve_from_root(text), *known):
            if file.is_file():
                return file.resolve()
    names = [file.stem for file in place.glob("*.yaml")]
    raise StudyError(
        f"there is no {what} file '{printable(text)}'"
        f"{did_you_mean(Path(text).stem, names)}",
        where=display_path(place),
    )


def name_of(study: str) -> str:
    """The name of a study that is given by its name or by its file.

    Raises:
        StudyError: it is a file that is missing or has faults.
    """
    return load(study).name if study.endswith((".yaml", ".yml")) else study
