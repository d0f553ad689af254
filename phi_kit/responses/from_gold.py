"""Responses that are the gold answer alone, as bare answers are trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from phi_kit.core.answer_style import Style
from phi_kit.data.records import Seed

from .response import Response

GOLD = "answer"


@dataclass(frozen=True)
class GoldSource:
    """The gold answer, in the style `answer`; the other styles get none.

    Args:
        style: of the study.
    """

    name: ClassVar[str] = GOLD

    style: Style

    def offer(self, seeds: Sequence[Seed]) -> Iterator[Response]:
        """One response for each seed that has a gold answer."""
        for seed in seeds if self.style == "answer" else ():
            if seed.answer:
                yield Response(seed.id, self.name, "", 0, seed.answer, 0)
