"""What is known of a frozen set, for its card and for `croissant.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from phi_kit.domains.base import Domain

from .known_transforms import transforms_of

if TYPE_CHECKING:
    import pandas as pd


class SourceOfRows(NamedTuple):
    """Where organic rows, and the seeds of the others, came from."""

    rows: int
    licence: str


@dataclass(frozen=True)
class FrozenFacts:
    """The particulars of a frozen set.

    Args:
        study: its name.
        domain: whose rows they are.
        style: of the responses.
        digest: the set's hash, whatever the order of its rows.
        counts: rows by kind: organic, synthetic, self.
        sources: organic sources by name.
        made_by: by transform, rows tried and kept.
        dropped: rows by reason.
        models: by role, the name of each model that had a part in it.
        writers: by transform, the role of the model whose words its rows are.
        gates: by gate, rows that came in and that went on.
        wrong: whether wrong responses may be among its rows.
    """

    study: str
    domain: str
    style: str
    digest: str
    counts: Mapping[str, int]
    sources: Mapping[str, SourceOfRows]
    made_by: Mapping[str, tuple[int, int]]
    dropped: Mapping[str, int]
    models: Mapping[str, str]
    writers: Mapping[str, str] = field(default_factory=dict)
    gates: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    wrong: bool = False

    @classmethod
    def of(
        cls,
        rows: pd.DataFrame,
        result: Mapping[str, Any],
        *,
        params: Any,
        domain: Domain,
        models: Mapping[str, str],
        dropped: Counter[str],
    ) -> FrozenFacts:
        """What is known of a set that is about to be frozen.

        Args:
            rows: of the set.
            result: what step 5 found: `transforms`, `mix`, `gates`, `frozen`.
            params: of step 5.
            domain: in the study's style.
            models: by role, those that had a part in it.
            dropped: rows by reason.
        """
        organic = rows[rows.kind == "organic"].groupby("source")
        every = transforms_of(domain).values()
        asked = {one.name: one.needs for one in every if one.needs != "nothing"}
        return cls(
            study=params.study,
            domain=params.domain,
            style=domain.style,
            digest=result["frozen"],
            counts=result["mix"],
            sources={
                name: SourceOfRows(len(part), ", ".join(sorted({*part.licence} - {""})))
                for name, part in organic
            },
            made_by={
                one["transform"]: (one["tried"], one["kept"])
                for one in result["transforms"]
            },
            dropped=dict(dropped.most_common()),
            models={role: _shown(name) for role, name in models.items()},
            writers={"own solution": "student", **asked},
            gates=result["gates"],
            wrong=params.gate == "off",
        )

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{self.study}-{self.domain}"

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(self.counts.values())

    @property
    def summary(self) -> str:
        """One sentence on what it is."""
        kinds = ", ".join(f"{n} {kind}" for kind, n in self.counts.items() if n)
        wrong = " Wrong responses are among them: it is made for a comparison."
        return (
            f"{self.rows} rows ({kinds}) for supervised fine-tuning on {self.domain}, "
            f"in the style '{self.style}', frozen by phi_kit.{wrong * self.wrong}"
        )

    @property
    def licences(self) -> list[str]:
        """The licences that its rows are bound by."""
        known = {one.licence or "unknown" for one in self.sources.values()}
        return sorted(known) or ["unknown"]


def _shown(model: str) -> str:
    """A model's name; of a folder its last part, for a card goes to other machines."""
    return Path(model).name if Path(model).is_absolute() else model
