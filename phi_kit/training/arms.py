"""Arms: the same training on differently chosen rows, so a gain has a cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from phi_kit.core.errors import StudyError, did_you_mean
from phi_kit.core.params import Strict
from phi_kit.core.rng import rng

from .encoding import TrainingRow, encode
from .training_config import TrainingConfig

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.inference.local.model import LocalModel

Arm = Literal[
    *("random", "unfiltered", "teachable", "teachable+frontier"),
    *("sometimes", "never", "gap", "own"),
]
OWN: Arm = "own"
# What makes a seed teachable; see `selection.tiers.assign_by_response`.
TeachableRule = Literal["gap", "band"]


def rows_of_arm(pool: pd.DataFrame, arm: str) -> pd.DataFrame:
    """The pool's rows that an arm trains on; each has a checked response.

    Args:
        pool: rows of the edge filter: `tier`, `place`, the counts `responses` and
            `own_responses`, and the masks `control` and `unfiltered`.
        arm: `teachable` rows; those and the `frontier`; what the student solves
            `sometimes`, what it `never` solves, or both, the `gap`; a `random`
            control of equal size; the pool `unfiltered`, as it came; or what the
            student solved by its `own` means, whatever its tier.
    """
    place = pool.place.where(pool.tier != "suspect", "")
    masks = {
        "random": lambda: pool.control,
        "unfiltered": lambda: pool.unfiltered,
        "teachable": lambda: pool.tier == "teachable",
        "teachable+frontier": lambda: pool.tier.isin(["teachable", "frontier"]),
        "sometimes": lambda: place == "inside",
        "never": lambda: place == "below",
        "gap": lambda: place.isin(["below", "inside"]),
        OWN: lambda: pool.own_responses > 0,
    }
    usable = pool.responses > 0 if arm != OWN else pool.own_responses > 0
    return pool[masks[arm]() & usable]


def responses_of_arm(
    pool: pd.DataFrame, responses: pd.DataFrame, arm: str
) -> list[tuple[str, str]]:
    """What an arm trains on: a seed's id and the text of a response, in pool order.

    Args:
        pool: rows of the edge filter.
        responses: its candidates; those marked `kept`, or `own` for the arm of the
            student's own responses, are trained on, by their `rank`.
        arm: whose rows.
    """
    chosen = responses[responses[OWN if arm == OWN else "kept"]]
    texts = chosen.sort_values("rank", kind="stable").groupby("seed_id").text.agg(list)
    return [(name, text) for name in rows_of_arm(pool, arm).id for text in texts[name]]


def random_subset(rows: Sequence[Any], share: float, *, rng_seed: int) -> list[Any]:
    """A random share of the rows; a smaller share lies within a larger one."""
    order = rng(rng_seed, "dose").permutation(len(rows))
    chosen = sorted(order[: max(1, round(share * len(rows)))])
    return [rows[i] for i in chosen]


def epochs_of(
    seeds: Sequence[Any], config: TrainingConfig, *, names: Sequence[str] | None = None
) -> list[float]:
    """How often each seed is trained on: its family's or source's weight.

    Args:
        seeds: with `family` and `source`.
        config: its `weights` are epochs by name, its `epochs` hold for the rest.
        names: what may be weighted at all; the seeds' own names if not given.

    Raises:
        StudyError: a weight's name is no family and no source.
    """
    known_names = {name for seed in seeds for name in (seed.family, seed.source)}
    known_names = set(names) if names is not None else known_names
    for name in config.weights:
        if known_names and name not in known_names:
            raise StudyError(
                f"weights: '{name}' is no family or source of these rows"
                f"{did_you_mean(name, known_names)}"
            )
    weights = config.weights
    return [
        float(weights.get(seed.family, weights.get(seed.source, config.epochs)))
        for seed in seeds
    ]


def trained_tokens(
    student: LocalModel,
    rows: Sequence[TrainingRow],
    epochs: Sequence[float],
    *,
    most: int,
) -> int:
    """Trained tokens of a whole run: what other arms get as their budget.

    Args:
        student: its tokenizer counts.
        rows: rendered.
        epochs: how often each is seen.
        most: tokens of a row; longer ones are left out.
    """
    encoded = [encode(student, row) for row in rows]
    return round(
        sum(
            often * row.trained
            for row, often in zip(encoded, epochs, strict=True)
            if len(row.ids) <= most
        )
    )


class GridSearch(Strict):
    """A small grid of configs, tried on one arm and compared on dev accuracy.

    The arm is the random control unless another is named: a config tuned on the
    teachable rows would favour them in the comparison that follows.
    """

    learning_rate: list[float] = Field([])
    rank: list[int] = Field([])
    weights: list[dict[str, float]] = Field([])
    arm: Arm = "random"

    def __bool__(self) -> bool:
        """Whether the grid has any values."""
        return bool(self.learning_rate or self.rank or self.weights)

    def configs(self, own: TrainingConfig) -> Iterator[TrainingConfig]:
        """Every combination; what is not searched keeps the value in `own`."""
        grid: Mapping[str, Sequence[Any]] = {
            name: getattr(self, name) or [getattr(own, name)]
            for name in ("learning_rate", "rank", "weights")
        }
        for values in product(*grid.values()):
            yield own.with_(**dict(zip(grid, values, strict=True)))
