"""Responses that are correct by construction: worked by a family or a transform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from phi_kit.core.answer_style import Style
from phi_kit.data.records import Seed
from phi_kit.domains.transform import SOURCE as TRANSFORMED
from phi_kit.domains.worked import Form, worked

from .response import Response
from .written_style import as_written


@dataclass(frozen=True)
class WorkedSource:
    """The worked solution of a seed's family, or the one its transform brings.

    Args:
        style: of the study; a bare answer has no steps, so `answer` gets none.
        form: `short`, better for small models, or `long`.
    """

    name: ClassVar[str] = "worked"

    style: Style
    form: Form = "short"

    def offer(self, seeds: Sequence[Seed]) -> Iterator[Response]:
        """One response at most for each seed."""
        for seed in seeds if self.style != "answer" else ():
            own = seed.solution if seed.source.startswith(TRANSFORMED) else ""
            if text := own or worked(seed, self.form):
                written = as_written(text, self.style)
                yield Response(seed.id, self.name, "", 0, written, 0)
