"""Where a row comes from, and what has come from a source: the family tree of rows.

A frozen row names its parent, the parent its source. The tree is read from the run
folders of a study, so that it needs neither a model nor the network.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from phi_kit.core.errors import DataError, did_you_mean
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.paths import display_path, runs_root
from phi_kit.core.step_table import COLLECT_SEEDS, FILTER_EDGE, SYNTHESIZE

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 160  # characters of a text in a tree
_SHORTEST = 4  # characters of an id that a person may give
_OWN = "student"  # the source of a row whose response the student wrote


class UnknownRowError(DataError):
    """No row has the id that was asked for."""


@dataclass(frozen=True)
class Ancestry:
    """One row and what stands above it, the source last.

    Attributes:
        lines: what each says, the row itself first; deeper ones are its ancestors.
    """

    lines: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        told = []
        for depth, (name, text) in enumerate(self.lines):
            indent = f"{'   ' * (depth - 1)}└─ " if depth else ""
            told.append(f"{indent}{name}: {text}")
        return "\n".join(told)

    # IPython asks for these two.
    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


@dataclass(frozen=True)
class Lineage:
    """The rows of one domain of a study, kept and dropped, with their ancestors.

    Args:
        frozen: the rows of step 5.
        dropped: what its gates refused.
        seeds: the rows of step 2 or 3, which the made ones come from.
        responses: of step 5, which say who wrote what a row teaches.
    """

    frozen: pd.DataFrame
    dropped: pd.DataFrame
    seeds: pd.DataFrame
    responses: pd.DataFrame | None = None

    @classmethod
    def of(cls, study: str, domain: str) -> Lineage:
        """The lineage of a domain of a finished study.

        Args:
            study: its name.
            domain: one of its domains.

        Raises:
            RunError: step 3 or 5 has not finished, or was changed since.
        """
        made = RunFolder.of(study, SYNTHESIZE, domain=domain)
        edge = RunFolder.of(study, FILTER_EDGE, domain=domain)
        collected = RunFolder.of(study, COLLECT_SEEDS, domain=domain)
        seeds = collected.table() if collected.finished else edge.table()
        has = "responses.parquet" in made.manifest["files"]
        responses = made.table("responses") if has else None
        return cls(made.table(), made.table("dropped"), seeds, responses)

    @cached_property
    def _above(self) -> Mapping[str, Any]:
        """Every row that may be an ancestor, by its seed's id."""
        found = {}
        for table in (self.dropped, self.frozen, self.seeds):
            for row in table.itertuples():
                if getattr(row, "source", "") != _OWN:
                    found[row.id] = row
        return found

    def why(self, name: str) -> Ancestry:
        """Where a row comes from, up to its source.

        Args:
            name: its row id or its seed's id, or the beginning of either.

        Raises:
            DataError: no row has it, or several do.
        """
        row, fate = self._row(name)
        lines = [(getattr(row, "row_id", row.id), _text(row)), *self._facts(row, fate)]
        seen = {row.id} if row.source != _OWN else set()
        parent = row.parent
        while parent and parent not in seen:
            seen.add(parent)
            above = self._above.get(parent)
            if above is None:
                lines.append((f"parent {parent}", "not among this study's rows"))
                break
            lines.append((f"from {parent}", _text(above)))
            row, parent = above, above.parent
        licence = f", licence {row.licence}" if row.licence else ""
        lines.append(("source", f"{row.source or 'unknown'}{licence}"))
        return Ancestry(tuple(lines))

    def _facts(self, row: Any, fate: str) -> Iterator[tuple[str, str]]:
        yield "kind", f"{getattr(row, 'kind', '') or 'made'}; {fate}"
        if getattr(row, "by", ""):
            yield "made by", row.by
        if writer := self._writer(row):
            yield "response", writer

    def _writer(self, row: Any) -> str:
        """Who wrote what a row teaches, and what the verifier said of it."""
        if self.responses is None or not getattr(row, "completion", ""):
            return ""
        same = self.responses[
            (self.responses.seed_id == row.id) & (self.responses.text == row.completion)
        ]
        if same.empty:
            return ""
        first = same.iloc[0]
        model = f" {first.model}" if first.model else ""
        return f"{first.source}{model}, {first.verdict} by the verifier"

    def _row(self, name: str) -> tuple[Any, str]:
        found = []
        for table, fate in ((self.frozen, "kept"), (self.dropped, "dropped")):
            for row in table.itertuples():
                ids = (getattr(row, "row_id", ""), row.id)
                if name in ids or (
                    len(name) >= _SHORTEST and any(one.startswith(name) for one in ids)
                ):
                    why = getattr(row, "reason", "")
                    detail = getattr(row, "detail", "")
                    told = f"{fate}: {why}" if why else fate
                    found.append((row, f"{told} ({detail})" if detail else told))
        exact = [one for one in found if name == getattr(one[0], "row_id", "")]
        found = exact or found
        if not found:
            near = did_you_mean(name, [row.id for row in self.frozen.itertuples()][:50])
            raise UnknownRowError(
                f"no row of step 5 has the id '{name}'{near if name else ''}",
                todo="take one from the column row_id of the frozen set, or of dropped",
            )
        if len({getattr(one[0], "row_id", one[0].id) for one in found}) > 1 and (
            len({one[0].id for one in found}) > 1
        ):
            raise DataError(f"{len(found)} rows have ids that begin with '{name}'")
        return found[0]

    def descendants(self, name: str) -> pd.DataFrame:
        """All rows made of a seed, directly or not: kept ones and dropped ones.

        Args:
            name: the seed's id, or the name of a source for all of its seeds.

        Returns:
            A table with `row_id`, `id`, `parent`, `by`, `fate`, `prompt`, `answer`.
        """
        import pandas as pd

        roots = set(self.seeds.id[self.seeds.source == name]) or {name}
        rows = [
            (row, fate)
            for table, fate in ((self.frozen, "kept"), (self.dropped, "dropped"))
            for row in table.itertuples()
        ]
        below = _below(roots, [(row.id, row.parent) for row, _ in rows])
        told = [
            {
                "row_id": getattr(row, "row_id", row.id),
                "id": row.id,
                "parent": row.parent,
                "by": getattr(row, "by", ""),
                "fate": getattr(row, "reason", "") or fate,
                "prompt": row.prompt,
                "answer": row.answer,
            }
            for row, fate in rows
            if row.id in below or row.id in roots or row.parent in roots
        ]
        names = ["row_id", "id", "parent", "by", "fate", "prompt", "answer"]
        return pd.DataFrame(told, columns=names)


def _below(roots: set[str], pairs: Sequence[tuple[str, str]]) -> set[str]:
    """Ids of all that come from the roots, children of children included."""
    below: set[str] = set()
    grown = True
    while grown:
        more = {
            own for own, parent in pairs if parent in roots | below and own != parent
        }
        grown = not more <= below
        below |= more
    return below


def _text(row: Any) -> str:
    """What a row asks and answers, in a line."""
    prompt = " ".join(row.prompt.split())
    shown = prompt if len(prompt) <= _SHOWN else f"{prompt[: _SHOWN - 1]}…"
    answer = " ".join(str(row.answer).split())
    return f"{shown} -> {answer if len(answer) <= _SHOWN else answer[:_SHOWN]}"


def _every(study: str) -> Iterator[tuple[str, Lineage]]:
    """The lineage of each domain whose step 5 has finished, by study and domain."""
    for path in sorted(runs_root().glob(f"{study or '*'}/*/{SYNTHESIZE.folder}")):
        if RunFolder(path).finished:
            own, domain = path.parts[-3:-1]
            yield f"{own}/{domain}", Lineage.of(own, domain)


def why_anywhere(name: str, *, study: str = "") -> tuple[str, Ancestry]:
    """The tree of a row, and the study and domain that it stands in.

    Args:
        name: of a row; see `Lineage.why`.
        study: the only one to look at.

    Raises:
        DataError: no finished study has such a row, or several rows fit.
    """
    missing = None
    for where, lineage in _every(study):
        try:
            return where, lineage.why(name)
        except UnknownRowError as error:
            missing = error
    raise missing or DataError(
        "no step 5 has finished, so there is no row to ask about",
        where=display_path(runs_root() / study),
    )


def descendants_anywhere(
    name: str, *, study: str = ""
) -> Iterator[tuple[str, pd.DataFrame]]:
    """What came of a seed or a source, by study and domain.

    Args:
        name: of a seed, or of a source.
        study: the only one to look at.

    Raises:
        DataError: nothing did.
    """
    found = False
    for where, lineage in _every(study):
        table = lineage.descendants(name)
        if len(table):
            found = True
            yield where, table
    if not found:
        raise DataError(f"no finished study has rows that come from '{name}'")
