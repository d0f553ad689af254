"""The one shape of a transform: a seed in, rows made from it out.

A row is a seed too: its prompt, an answer that was computed and not guessed, the
worked solution where the transform brings one, and its parent. What a transform
cannot rewrite it leaves alone and makes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from phi_kit.data.records import Seed

# A seed and the study's seed of chance in, rows out.
Rewrite = Callable[[Seed, int], list[Seed]]
# What a model is asked about a seed; `None` where there is nothing to ask.
Asks = Callable[[Seed], "str | None"]
# The rows that a model's reply gives, or in a few words why it gives none.
Reads = Callable[[Seed, str], "list[Seed] | str"]
Needs = Literal["nothing", "teacher", "student"]
SOURCE = "transform/"  # what the source of a made row begins with


def _makes_nothing(seed: Seed, rng_seed: int) -> list[Seed]:
    return []


def _asks_nothing(seed: Seed) -> None:
    return None


@dataclass(frozen=True)
class Transform:
    """A way to make rows of a seed.

    Args:
        name: how a study file names it.
        rewrite: makes the rows offline.
        domain: whose seeds it is for; empty for those of any domain.
        about: what it does, in a few words.
        asks: what a model is asked, where it needs one; `rewrite` is not called.
        reads: what rows the model's reply gives.
        who: is asked then, the study's teacher or the student itself.
        usual: whether it is in where a study names no transforms.
    """

    name: str
    rewrite: Rewrite = _makes_nothing
    domain: str = ""
    about: str = ""
    asks: Asks = _asks_nothing
    reads: Reads | None = None
    who: Literal["teacher", "student"] = "teacher"
    usual: bool = True

    @property
    def needs(self) -> Needs:
        """What it takes: `nothing`, or a model."""
        return self.who if self.reads else "nothing"

    def __call__(self, seed: Seed, rng_seed: int) -> list[Seed]:
        """The rows made offline of a seed; none where it does not fit."""
        return list(self.rewrite(seed, rng_seed))


def made_row(
    seed: Seed,
    name: str,
    *,
    prompt: str,
    answer: object,
    solution: str = "",
    keep_facts: bool = False,
    **facts: Any,
) -> Seed:
    """A row that a transform makes of a seed.

    Args:
        seed: its parent.
        name: of the transform.
        prompt: what it asks.
        answer: its gold.
        solution: worked, where the transform brings it; the parent's would be of
            another question.
        keep_facts: whether it keeps what the parent's verifier needs.
        facts: what its own verifier needs.
    """
    kept = seed.facts if keep_facts else {}
    return replace(
        seed,
        prompt=prompt,
        answer=str(answer),
        source=f"{SOURCE}{name}",
        parent=seed.id,
        solution=solution,
        extra=json.dumps({**kept, **facts, "transform": name}),
    )
