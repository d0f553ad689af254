"""Responses that a data set brings itself: its own worked solutions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from phi_kit.core.answer_style import Style
from phi_kit.core.thinking import answered
from phi_kit.data.records import Seed
from phi_kit.data.solutions import clean_solution

from .response import Response
from .written_style import as_written, closing_mark, marked


@dataclass(frozen=True)
class SolutionSource:
    """The solution that stands in a seed, in the style of the study.

    A solution that marks its answer keeps what it marks, right or wrong; one that
    marks none gets the seed's gold.

    Args:
        style: of the study; a bare answer has no steps, so `answer` gets none.
    """

    name: ClassVar[str] = "source"

    style: Style

    def offer(self, seeds: Sequence[Seed]) -> Iterator[Response]:
        """One response at most for each seed."""
        for seed in seeds if self.style != "answer" else ():
            text = clean_solution(seed.solution)
            if not text:
                continue
            written = as_written(text, self.style)
            if not closing_mark(answered(written)):
                written = as_written(marked(text, seed.answer), self.style)
            yield Response(seed.id, self.name, "", 0, written, 0)
