"""The gate that gives rows what they teach, and looks at what models told again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from phi_kit.data.dropped_rows import Reason
from phi_kit.evaluation.ask import training_rows
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.scoring import mean_logprobs
from phi_kit.responses.checks import FALSE_STEP, WRONG
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
    wrong: bool = False,
) -> Gate:
    """The gate that gives rows their responses; one that nobody answers right goes.

    Args:
        sources: of the study.
        taught: what the organic rows teach: ids of seeds with their responses.
        save: takes the table of every response that was made.
        wrong: a row that nobody answers right keeps a wrong answer, for a comparison.
    """

    def gate(rows: Sequence[MixRow]) -> Passed:
        table = sources.collect([one.seed for one in rows if not one.completion]).table
        save(table)
        taken = table.kept | (wrong_traces(table, sources) if wrong else False)
        texts = table[taken].groupby("seed_id").text.agg(list)
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


def wrong_traces(table: pd.DataFrame, sources: StudySources) -> pd.Series:
    """Which responses stand in where no right one was found: the first of each seed.

    Args:
        table: every response that was made.
        sources: of the study.
    """
    found = ~table.seed_id.isin(set(table.seed_id[table.kept]))
    for place in found.index[found]:
        row = table.loc[place]
        found[place] = _only_wrong(sources, row.reason, row.tokens, row.text)
    return found & ~table.seed_id.where(found).duplicated()


def own_trace_fault(
    sources: StudySources, taught: Collection[tuple[str, str]], row: MixRow
) -> str | None:
    """Why the student's own answer, right or wrong, is no text to train on."""
    if row.kind != "self":
        return None
    if (row.seed.id, row.completion) in taught:
        return AGAIN
    found = sources.checks(
        row.seed, Response(row.seed.id, row.by, "", 0, row.completion, 0)
    )
    if found.usable or _only_wrong(sources, found.reason, found.tokens, found.text):
        return None
    return Reason(found.reason, detail=found.detail)


def _only_wrong(sources: StudySources, reason: str, tokens: int, text: str) -> bool:
    """Whether a response is refused for what it says alone.

    What is too long or holds a sealed item may not be trained on, wrong or right.
    """
    if reason not in (WRONG, FALSE_STEP) or not sources.checks.fits(tokens):
        return False
    return not (sources.sealed and sources.sealed(text))


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
