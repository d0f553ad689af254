"""The gate that gives rows what they teach, and looks at what models told again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from phi_kit.data.dropped_rows import Reason
from phi_kit.evaluation.ask import training_rows
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.scoring import mean_logprobs
from phi_kit.responses.choose import AGAIN
from phi_kit.responses.response import Response
from phi_kit.responses.study_sources import StudySources

from .asked_rows import NOT_ASKED
from .gates import Gate, MixRow, Passed
from .teacher_transforms import BRIDGE

if TYPE_CHECKING:
    import pandas as pd

NO_RIGHT = "no right response"


def answering(
    sources: StudySources,
    taught: Collection[tuple[str, str]],
    *,
    save: Callable[[pd.DataFrame], None],
) -> Gate:
    """The gate that gives rows their responses; one that nobody answers right goes.

    Args:
        sources: of the study.
        taught: what the organic rows teach: ids of seeds with their responses.
        save: takes the table of every response that was made.
    """

    def gate(rows: Sequence[MixRow]) -> Passed:
        table = sources.collect([one.seed for one in rows if not one.completion]).table
        save(table)
        texts = table[table.kept].groupby("seed_id").text.agg(list)
        why = table[~table.kept].groupby("seed_id").reason.last()
        kept, dropped, seen = [], [], set(taught)
        for row in rows:
            if row.completion:
                told, reason = _retold(sources, row, seen)
                if reason is None:
                    kept.append(told)
                else:
                    dropped.append((row, reason))
                continue
            found = texts.get(row.seed.id, [])
            kept += [replace(row, completion=text) for text in found]
            if not found:
                reason = _unanswered(sources, why.get(row.seed.id))
                dropped.append((replace(row, completion=row.seed.answer), reason))
        return kept, dropped

    return gate


def _retold(
    sources: StudySources, row: MixRow, seen: set[tuple[str, str]]
) -> tuple[MixRow, str | None]:
    """A response told again, as a row would teach it, or why it does not go on."""
    response = Response(row.seed.id, row.by, "", 0, row.completion, 0)
    found = sources.checks(row.seed, response)
    if not found.usable:
        detail = f"{found.reason} {found.detail}".strip()
        return row, Reason(NO_RIGHT, detail=detail)
    if (row.seed.id, found.text) in seen:
        return row, AGAIN
    seen.add((row.seed.id, found.text))
    return replace(row, completion=found.text), None


def _unanswered(sources: StudySources, why: str | None) -> Reason:
    """Why a row has no response: none was right, or nobody could be asked any more."""
    if why is None and "teacher" in sources.names and sources.config.teacher_budget:
        return NOT_ASKED
    return Reason(NO_RIGHT, detail=why or "")


def likelier(sources: StudySources, taught: dict[str, str]) -> Gate:
    """The gate on `bridge`: the student finds the new solution likelier than the old.

    Args:
        sources: of the study; the student scores.
        taught: by the id of a seed, the response that it was made from.
    """

    def gate(rows: Sequence[MixRow]) -> Passed:
        bridges = [row for row in rows if row.by == BRIDGE]
        if not bridges:
            return list(rows), []
        if not isinstance(sources.student, LocalModel):
            blind = Reason("not scored", detail="the student shows no weights")
            return [r for r in rows if r.by != BRIDGE], [(r, blind) for r in bridges]
        pairs = [(row.seed, row.completion) for row in bridges]
        pairs += [(row.seed, taught[row.seed.id]) for row in bridges]
        asked = training_rows(sources.student, sources.domain, pairs)
        texts = [(one.prompt, one.completion) for one in asked]
        scores = mean_logprobs(sources.student, texts, label="scoring bridges")
        new, old = scores[: len(bridges)], scores[len(bridges) :]
        why = {
            id(row): Reason(
                "no likelier than before", detail=f"{b:.3f} before, {a:.3f}"
            )
            for row, a, b in zip(bridges, new, old, strict=True)
            if not a > b
        }
        kept = [row for row in rows if id(row) not in why]
        return kept, [(row, why[id(row)]) for row in rows if id(row) in why]

    return gate
