"""A sweep, checked: its variants, each a study of its own name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from phi_kit.core.errors import StudyError, did_you_mean
from phi_kit.core.folder_names import BESIDE_DOMAINS, study_fault
from phi_kit.core.params import fault_in_words
from phi_kit.core.yaml12 import shown as printable
from phi_kit.study import config
from phi_kit.study.config import Unit
from phi_kit.study.runner import units_between
from phi_kit.study.yaml_lines import (
    ON_COMMAND_LINE,
    FileFault,
    Keys,
    Source,
    dotted,
    read,
)

from .race_plan import RaceSettings, race_fault
from .sweep_file import (
    OF_VARIANT,
    OWN_PATHS,
    Combination,
    Setting,
    SweepFile,
    SweepLimits,
    as_set,
    combinations,
    plain_path,
)
from .sweep_variant import Variant
from .variant_names import short_labels, variant_names

FOLDER = "params/sweeps"


@dataclass(frozen=True)
class Sweep:
    """A checked sweep file.

    Attributes:
        name: of its folder in `runs/`.
        path: of the file.
        base: the study file that its variants change.
        workers: notebooks at once.
        limits: what it may not exceed.
        variants: in the file's order; no two change the same.
        repeated: how many combinations came twice.
        race: how its variants are raced, if they are.
        labels: the parameter that each label in variants' names means.
    """

    name: str
    path: Path
    base: Path
    workers: int
    limits: SweepLimits
    variants: tuple[Variant, ...]
    repeated: int = 0
    race: RaceSettings | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def is_sweep(path: str | Path) -> bool:
    """Whether a path or a bare name means a sweep file, not a study file."""
    try:
        found = config.find(path)
    except StudyError:
        try:
            found = find(path)
        except StudyError:
            return False
    return "base" in read(found).values


def find(path: str | Path) -> Path:
    """The sweep file meant by a path or by a bare name such as `bands`.

    Raises:
        StudyError: there is none.
    """
    return config.find(path, folder=FOLDER, what="sweep")


def load(path: str | Path) -> Sweep:
    """Read and check a sweep file, and the study of every variant.

    Args:
        path: the file; a bare name is looked for in `params/sweeps/`.

    Raises:
        StudyError: there is no such file, or it or its base study has faults; all
            faults of a file are listed.
    """
    path = find(path)
    draft = _SweepDraft(read(path), path)
    sweep = draft.sweep()
    config.raise_faults(path, draft.source.faults)
    return sweep


class _SweepDraft:
    """A sweep file before its variants are checked; it notes every fault."""

    def __init__(self, source: Source, path: Path):
        self.source, self.path = source, path

    def _fault(self, keys: Keys, text: str) -> None:
        """A fault at a key, or at the nearest one around it that the file has."""
        while len(keys) > 1 and keys not in self.source.lines:
            keys = keys[:-1]
        line = self.source.line(keys)
        self.source.faults.append(FileFault(line, f"{dotted(keys)}: {text}"))

    def sweep(self) -> Sweep:
        """The sweep; what is wrong with it stands among the source's faults."""
        nothing = Sweep("", self.path, self.path, 1, SweepLimits(), ())
        if not self.source.values:
            return nothing
        try:
            file = SweepFile.model_validate(self.source.values)
        except ValidationError as error:
            for fault in error.errors():
                worded = fault_in_words(fault, SweepFile)
                self._fault(tuple(map(str, worded.place)), worded.words)
            return nothing
        name, base = file.sweep or self.path.stem, self._base(file)
        if fault := study_fault(name):
            self._fault(("sweep",), f"{printable(repr(name))} {fault}")
        found = list(combinations(file)) if self._within(file) else []
        self._check_paths(file)
        if base is None or self.source.faults:
            return nothing
        unlike = _unlike(found)
        labels = short_labels({path for one in unlike for path in one.settings})
        variants = tuple(self._variants(file, name, base, unlike))
        ready = file.race and not self.source.faults
        if ready and (fault := race_fault(file.race, variants)):
            self._fault(("race",), fault)
        return Sweep(
            name,
            self.path,
            base,
            file.workers,
            file.limits,
            variants,
            repeated=len(found) - len(unlike),
            race=file.race,
            labels={label: path for path, label in labels.items()},
        )

    def _base(self, file: SweepFile) -> Path | None:
        """The base study's file, itself without faults."""
        try:
            base = config.find(file.base)
        except StudyError as error:
            self._fault(("base",), error.what)
            return None
        config.load(base)
        return base

    def _within(self, file: SweepFile) -> bool:
        """Whether the file has variants, and no more of them than it may."""
        sizes = [len(values) for values in file.grid.values()]
        sizes += [len(file.variants) or 1, len(file.rng_seeds) or 1]
        sizes.append(file.random.draws if file.random else 1)
        many = 1
        for size in sizes:
            many *= size
        if not (file.grid or file.variants or file.random or file.rng_seeds):
            self.source.faults.append(
                FileFault(1, "nothing varies: give grid, variants, random or rng_seeds")
            )
        elif many > file.limits.variants:
            self._fault(
                ("limits", "variants"),
                f"the file gives {many:,} variants, and {file.limits.variants:,} are "
                "the limit; raise it, or vary less",
            )
            return False
        return True

    def _check_paths(self, file: SweepFile) -> None:
        """Note paths that are the sweep's own, or that two parts vary."""
        over = file.random.over if file.random else {}
        places: dict[str, list[Keys]] = {}
        for path in file.grid:
            places.setdefault(plain_path(path), []).append(("grid", path))
        for path in over:
            places.setdefault(plain_path(path), []).append(("random", "over", path))
        listed: dict[str, Keys] = {}
        for number, entry in enumerate(file.variants):
            for path in entry.keys() - set(OF_VARIANT):
                listed.setdefault(plain_path(path), ("variants", str(number), path))
        for path, keys in listed.items():
            places.setdefault(path, []).append(keys)
        if file.rng_seeds:
            places.setdefault("rng_seed", []).append(("rng_seeds",))
        for path, keys in places.items():
            if len(keys) > 1:
                parts = " and in ".join(dotted(key[:1]) for key in keys)
                self._fault(keys[-1], f"{path} varies in {parts}; once is enough")
        own = [(path, ("sets", path)) for path in file.sets]
        for path, keys in [*own, *((path, keys[0]) for path, keys in places.items())]:
            if plain_path(path) in OWN_PATHS:
                self._fault(keys, f"{path} is for the sweep to say; leave it out")
        for number, entry in enumerate(file.variants):
            name = entry.get("name", "")
            fault = study_fault(name) if name != "" else ""
            if name in BESIDE_DOMAINS:
                fault = "is the kit's own file in the sweep's folder"
            if fault:
                keys = ("variants", str(number), "name")
                self._fault(keys, f"{printable(repr(name))} {fault}")

    def _variants(
        self, file: SweepFile, name: str, base: Path, found: Sequence[Combination]
    ) -> Iterator[Variant]:
        """Every combination as a study; faults are noted at what it sets."""
        source = read(base)
        settings = [
            {path: setting.value for path, setting in one.settings.items()}
            for one in found
        ]
        names = variant_names([one.name for one in found], settings)
        for one, own, called in zip(found, settings, names, strict=True):
            values = {plain_path(path): value for path, value in file.sets.items()}
            sets = tuple(as_set(path, value) for path, value in (values | own).items())
            study, faults = config.check(source, base, sets, variant=f"{name}/{called}")
            for fault in faults:
                self._note(fault, file, one, called)
            if not faults:
                yield Variant(called, sets, study, self._units(file, one, study))

    def _units(
        self, file: SweepFile, one: Combination, study: config.Study
    ) -> tuple[Unit, ...]:
        to = one.to or Setting(file.to, ("to",))
        try:
            return units_up_to(study, None if to.value is None else str(to.value))
        except StudyError as error:
            self._fault(to.keys, error.what)
            return ()

    def _note(
        self, fault: FileFault, file: SweepFile, one: Combination, variant: str
    ) -> None:
        """A fault of a variant's study, at the setting that it speaks of.

        Where two settings do not go together, the study's fault stands at a line of
        the base study: then it is said of the variant.
        """
        keys = {path: setting.keys for path, setting in one.settings.items()}
        keys |= {
            plain: ("sets", path)
            for path in file.sets
            if (plain := plain_path(path)) not in keys
        }
        place, colon, words = fault.text.partition(": ")
        if fault.line == ON_COMMAND_LINE and place in keys and colon:
            self._fault(keys[place], words)
            return
        named = [p for p in keys if _speaks_of(fault.text, p)] or list(keys)[:1]
        at = keys[named[0]] if named else ("base",)
        self._fault(at, f"{fault.text}, in the variant '{variant}'")


def units_up_to(study: config.Study, last: str | None) -> tuple[Unit, ...]:
    """A variant's notebooks; a sweep runs nothing twice, whatever its base study says.

    Raises:
        StudyError: there is no such step.
    """
    units = units_between(study, first=None, last=last)
    once = {"redo": False}
    return tuple(u._replace(params=u.params.model_copy(update=once)) for u in units)


def _speaks_of(text: str, path: str) -> bool:
    """Whether a fault's text names a parameter."""
    return bool(re.search(rf"\b{re.escape(path.rpartition('.')[2])}\b", text))


def _unlike(found: Sequence[Combination]) -> list[Combination]:
    """Combinations without those that set what an earlier one sets."""
    unlike: dict[tuple[str, Any], Combination] = {}
    for one in found:
        sets = {path: setting.value for path, setting in one.settings.items()}
        unlike.setdefault((_canonical(sets), one.to and one.to.value), one)
    return list(unlike.values())


def _canonical(sets: Mapping[str, Any]) -> str:
    return "\n".join(sorted(as_set(path, value) for path, value in sets.items()))


def chosen(sweep: Sweep, names: Sequence[str]) -> list[Variant]:
    """The variants of these names; all of them if there are none.

    Args:
        sweep: the sweep.
        names: of variants; `*` and `?` stand for any letters.

    Raises:
        StudyError: a name fits no variant.
    """
    known = [variant.name for variant in sweep.variants]
    for name in names:
        if not any(fnmatchcase(one, name) for one in known):
            raise StudyError(
                f"the sweep '{sweep.name}' has no variant '{printable(name)}'"
                f"{did_you_mean(name, known)}"
            )
    return [
        variant
        for variant in sweep.variants
        if not names or any(fnmatchcase(variant.name, name) for name in names)
    ]
