"""The one shape of a response, whatever source it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from phi_kit.data.records import Seed


@dataclass(frozen=True)
class Response:
    """A candidate for what a row teaches.

    Args:
        seed_id: of the seed that it answers.
        source: the name of the source that offers it.
        model: who wrote it; empty where no model did.
        attempt: its number among those of this source for this seed, from 0.
        text: as it was written, a thought in its tags.
        tokens: that its model drew; 0 where no model did.
        finish: as in `Completion`.
        cost: money, where the price is known.
        logprob: mean log-probability of its tokens under the model that wrote it,
            where the sampler knows it.
    """

    seed_id: str
    source: str
    model: str
    attempt: int
    text: str
    tokens: int
    finish: str = "stop"
    cost: float | None = None
    logprob: float | None = None


class ResponseSource(Protocol):
    """Something that offers responses to seeds."""

    name: str

    def offer(self, seeds: Sequence[Seed]) -> Iterator[Response]:
        """Responses to some of these seeds, in any order."""
