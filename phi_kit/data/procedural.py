"""Items made on the spot by reasoning-gym: offline, plenty, with their answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from phi_kit.core.rng import label_seed

from .records import Seed

# More than anyone draws. Some tasks lay out all of their items at the start, so
# a billion would cost minutes and gigabytes.
ENOUGH = 10**6


@dataclass(frozen=True)
class Family:
    """One kind of item at one difficulty, made by a reasoning-gym task.

    Args:
        name: how a study file names it.
        level: difficulty inside the domain, 1 the easiest.
        task: name of the reasoning-gym task.
        config: the task's own settings.
        facts: keys of an item's metadata that transforms need.
        usual: whether it is in when a study names no families.
    """

    name: str
    level: int
    task: str
    config: Mapping[str, Any] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    usual: bool = True


def items(domain: str, family: Family, *, rng_seed: int, split: str) -> Iterator[Seed]:
    """A million items of a family, the same ones for the same seed and split.

    Splits are named by hashed labels: neighbouring reasoning-gym seeds share
    items (42 and 43 share 496 of 497). Small families do repeat themselves;
    whoever draws removes duplicates.
    """
    import reasoning_gym

    start = label_seed(rng_seed, "items", domain, family.name, split)
    task = reasoning_gym.create_dataset(
        family.task, seed=start, size=ENOUGH, **family.config
    )
    for index in range(ENOUGH):
        entry = task[index]
        meta = {key: entry["metadata"][key] for key in family.facts}
        yield Seed(
            domain=domain,
            prompt=entry["question"].strip(),
            answer=str(entry["answer"]),
            family=family.name,
            level=family.level,
            source=f"reasoning-gym/{family.task}",
            licence="Apache-2.0",
            extra=json.dumps(meta),
        )
