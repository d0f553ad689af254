"""Sweep files: a base study, and what its variants change.

    base: quickstart                 # a study file
    to: probe_sft                    # the last step; all of them without it
    sets: {domains: [math]}          # of every variant
    grid:
      filter_edge.band_low: [0.1, 0.2]
      filter_edge.band_high: [0.5, 0.75]

Paths of parameters are those of `--set`. `grid` crosses its values, `variants` lists
combinations (each may have a `name` and a `to` of its own), `random` draws them,
`rng_seeds` repeats everything; several of these are crossed with each other. As in a
study file every fault is reported, with its line.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from phi_kit.core.params import Strict
from phi_kit.core.rng import rng
from phi_kit.study.study_draft import START
from phi_kit.study.yaml_lines import Keys

from .race_plan import RaceSettings

# Where a variant lies, what it starts from and what is run is for the sweep to say.
OWN_PATHS = ("study", START, "redo")
OF_VARIANT = ("name", "to")  # what a listed variant may say beside parameters
_DIGITS = 3  # of a number that is drawn: a name has room for so many


class DrawnNumber(Strict):
    """A number to draw, evenly between two ends or their logarithms.

    Args:
        low: the lower end.
        high: the upper end; whole numbers are drawn if both ends are whole.
        log: evenly by the logarithm.
    """

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low should be below high")
        if self.log and self.low <= 0:
            raise ValueError("low should be above 0 where log is true")
        return self

    def at(self, share: float) -> int | float:
        """The number at a share between 0 and 1 of the way."""
        low, high = self.low, self.high
        whole = isinstance(low, int) and isinstance(high, int)
        if whole:
            high += 1
        if self.log:
            number = math.exp((1 - share) * math.log(low) + share * math.log(high))
        else:
            number = (1 - share) * low + share * high
        if whole:
            return min(int(number), self.high)
        # Rounding may step over an end.
        return min(max(float(f"{number:.{_DIGITS}g}"), self.low), self.high)


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "number"


Values = Annotated[list[Any], Field(min_length=1)]
Pool = Annotated[
    Annotated[Values, Tag("list")] | Annotated[DrawnNumber, Tag("number")],
    Discriminator(_kind),
]


class RandomDraws(Strict):
    """Combinations to draw.

    Args:
        draws: how many; more of them leave the first as they are.
        rng_seed: of the draws.
        over: what each parameter is drawn from: values, or `{low, high, log}`.
    """

    draws: int = Field(ge=1)
    rng_seed: int = Field(7, ge=0)
    over: Annotated[dict[str, Pool], Field(min_length=1)]

    def drawn(self, number: int, path: str) -> tuple[Any, int | None]:
        """A parameter's value in a draw, and its place where it is one of a list."""
        # By a name of its own: adding a parameter shifts no other one.
        share, pool = rng(self.rng_seed, "draw", number, path).random(), self.over[path]
        if isinstance(pool, DrawnNumber):
            return pool.at(share), None
        place = int(share * len(pool))
        return pool[place], place


class SweepLimits(Strict):
    """What a sweep may not exceed.

    Args:
        variants: how many there may be; a file that gives more starts nothing.
        hours: after so many no further notebook is begun.
    """

    variants: int = Field(1000, ge=1)
    hours: float | None = Field(None, gt=0)


class SweepFile(Strict):
    """What a sweep file may hold."""

    sweep: str = ""  # its folder in `runs/`; the file's name if there is none
    base: str = Field(min_length=1)
    to: str | int | None = None
    workers: int = Field(1, ge=1)  # notebooks at once; more than two run on Ray
    limits: SweepLimits = SweepLimits()
    race: RaceSettings | None = None
    sets: dict[str, Any] = Field({})
    grid: dict[str, Values] = Field({})
    variants: list[dict[str, Any]] = Field([])
    random: RandomDraws | None = None
    rng_seeds: list[int] = Field([])

    @field_validator("race", mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        """`race: true` is a race with everything as usual."""
        return {True: {}, False: None}[given] if isinstance(given, bool) else given


class Setting(NamedTuple):
    """A value that a variant sets, and the sweep file's keys that it stands under."""

    value: Any
    keys: Keys


class Combination(NamedTuple):
    """What a variant sets beside `sets`, and what the file says of it by itself.

    Attributes:
        name: that the file gives it.
        settings: by the parameter's path.
        to: its last step, where that is not the sweep's.
    """

    name: str
    settings: dict[str, Setting]
    to: Setting | None = None


def combinations(file: SweepFile) -> Iterator[Combination]:
    """Everything that is crossed, in the file's order."""
    listed = [_listed(number, entry) for number, entry in enumerate(file.variants)] or [
        Combination("", {})
    ]
    parts = itertools.product(
        listed, list(_grid(file)), list(_draws(file)), list(_rng_seeds(file))
    )
    for first, *others in parts:
        settings = dict(first.settings)
        for other in others:
            settings |= other
        yield first._replace(settings=settings)


def plain_path(path: str) -> str:
    """A parameter's path in lower case: `filter_edge.SAMPLES` is `….samples`."""
    parts = [part.strip() for part in path.split(".")]
    return ".".join(part.lower() if part.isupper() else part for part in parts)


def as_set(path: str, value: Any) -> str:
    """A setting as a `--set` takes it; JSON is YAML."""
    return f"{path}={json.dumps(value, ensure_ascii=False)}"


def _listed(number: int, entry: Mapping[str, Any]) -> Combination:
    keys = ("variants", str(number))
    settings = {
        plain_path(path): Setting(value, (*keys, path))
        for path, value in entry.items()
        if path not in OF_VARIANT
    }
    to = Setting(entry["to"], (*keys, "to")) if "to" in entry else None
    return Combination(entry.get("name", ""), settings, to)


def _grid(file: SweepFile) -> Iterator[dict[str, Setting]]:
    axes = [
        [
            (plain_path(path), Setting(value, ("grid", path, str(place))))
            for place, value in enumerate(values)
        ]
        for path, values in file.grid.items()
    ]
    yield from map(dict, itertools.product(*axes))


def _draws(file: SweepFile) -> Iterator[dict[str, Setting]]:
    if file.random is None:
        yield {}
        return
    for number in range(file.random.draws):
        drawn = {}
        for path in file.random.over:
            value, place = file.random.drawn(number, path)
            keys = ("random", "over", path, *([] if place is None else [str(place)]))
            drawn[plain_path(path)] = Setting(value, keys)
        yield drawn


def _rng_seeds(file: SweepFile) -> Iterator[dict[str, Setting]]:
    for place, seed in enumerate(file.rng_seeds):
        yield {"rng_seed": Setting(seed, ("rng_seeds", str(place)))}
    if not file.rng_seeds:
        yield {}
