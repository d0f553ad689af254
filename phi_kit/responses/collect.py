"""The responses to the seeds of a domain: the sources asked in order of preference.

A source is asked about the seeds that those before it gave no response that may be
trained on. Everything that was offered is in the table, what may not be trained on with
its reason: kept and dropped together are what was made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phi_kit.core.errors import StudyError
from phi_kit.data.records import Seed
from phi_kit.evaluation.ask import training_rows
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.scoring import mean_logprobs

from .checks import CheckedResponse, ResponseChecks
from .choose import Prefer, Score, ranked
from .from_student import STUDENT
from .response import ResponseSource

if TYPE_CHECKING:
    import pandas as pd

# The columns of the table, and what they hold where there are no rows.
COLUMNS = {
    "seed_id": str, "source": str, "model": str, "attempt": int, "text": str,
    "tokens": int, "drawn": int, "finish": str, "cost": float, "logprob": float,
    "verdict": str, "reason": str, "detail": str, "kept": bool, "rank": int,
}  # fmt: skip


@dataclass(frozen=True)
class CollectedResponses:
    """What the sources offered, and what is kept of it.

    Attributes:
        table: a row for each candidate, in the seeds' order: `seed_id`, `source`,
            `model`, `attempt`, `text` as a row would teach it, `tokens` of it and the
            end of its turn as the student counts them, `drawn` (tokens that its model
            drew), `finish`, `cost`, `logprob` (mean under the student, NaN where
            unknown), `verdict`, `reason` (empty if kept; see `checks.REASONS`,
            `choose.AGAIN`, `choose.SPARE`), `detail`, `kept` and `rank`.
        without: ids of the seeds that have no response to train on.
        summary: for a manifest: `made`, `kept`, `dropped` by reason, the same by
            `sources`, `without`.
    """

    table: pd.DataFrame
    without: list[str]
    summary: dict[str, Any]


def collect(
    sources: Sequence[ResponseSource],
    seeds: Sequence[Seed],
    checks: ResponseChecks,
    *,
    prefer: Prefer = "shortest",
    keep: int = 1,
    score: Score = "usable",
) -> CollectedResponses:
    """Ask the sources for responses, look at each, and choose.

    Args:
        sources: in order of preference; each of another name.
        seeds: to be answered.
        checks: why a response may not be trained on.
        prefer: which of several; see `choose.ranked`.
        keep: of a seed, at most.
        score: see `choose.Score`; a sample of the student's own brings that along in
            any case.

    Raises:
        StudyError: two sources have one name.
        RunError: a model cannot answer, or the ledger fails.
    """
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise StudyError(f"a source of responses stands twice: {', '.join(names)}")
    by_id = {seed.id: seed for seed in seeds}
    lacking = set(by_id)
    found: list[CheckedResponse] = []
    for source in sources:
        for response in source.offer([s for s in by_id.values() if s.id in lacking]):
            candidate = checks(by_id[response.seed_id], response)
            found.append(candidate)
            if candidate.usable:
                lacking.discard(response.seed_id)
    order = {seed_id: place for place, seed_id in enumerate(by_id)}
    found.sort(key=lambda one: order[one.response.seed_id])
    table = candidate_table(found)
    table = table.assign(logprob=_logprobs(found, by_id, checks, score))
    table = ranked(table, names, prefer=prefer, keep=keep)
    without = [seed_id for seed_id in by_id if seed_id in lacking]
    return CollectedResponses(table, without, _summary(table, names, without))


def _logprobs(
    found: Sequence[CheckedResponse],
    seeds: Mapping[str, Seed],
    checks: ResponseChecks,
    score: Score,
) -> list[float]:
    """Each response's mean log-probability under the student, NaN where unknown."""
    logprobs, asked = [math.nan] * len(found), []
    for place, one in enumerate(found):
        told = one.response
        own = told.source == STUDENT and told.model == checks.student.name
        if own and told.logprob is not None and one.text == told.text:
            logprobs[place] = told.logprob
        elif _wanted(one, checks, score):
            asked.append(place)
    if not asked or not isinstance(checks.student, LocalModel):
        return logprobs
    pairs = [(seeds[found[at].response.seed_id], found[at].text) for at in asked]
    rows = training_rows(checks.student, checks.domain, pairs)
    texts = [(row.prompt, row.completion) for row in rows]
    scores = mean_logprobs(checks.student, texts, label="scoring responses")
    for place, value in zip(asked, scores, strict=True):
        logprobs[place] = value
    return logprobs


def _wanted(one: CheckedResponse, checks: ResponseChecks, score: Score) -> bool:
    """Whether a response is to be scored."""
    if score != "every":
        return score == "usable" and one.usable
    finished = one.response.finish == "stop" and bool(one.text.strip())
    return finished and checks.fits(one.tokens)


def candidate_table(candidates: Sequence[CheckedResponse]) -> pd.DataFrame:
    """Candidates as a table, before any is chosen."""
    import pandas as pd

    rows = []
    for one in candidates:
        told = one.response
        rows.append(
            {
                "seed_id": told.seed_id,
                "source": told.source,
                "model": told.model,
                "attempt": told.attempt,
                "text": one.text,
                "tokens": one.tokens,
                "drawn": told.tokens,
                "finish": told.finish,
                "cost": math.nan if told.cost is None else told.cost,
                "logprob": math.nan,
                "verdict": one.verdict.value,
                "reason": one.reason,
                "detail": one.detail,
                "kept": False,
                "rank": 0,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _summary(
    table: pd.DataFrame, names: Sequence[str], without: Sequence[str]
) -> dict[str, Any]:
    whole = _counts(table)
    sources = {name: _counts(table[table.source == name]) for name in names}
    return {**whole, "sources": sources, "without": len(without)}


def _counts(table: pd.DataFrame) -> dict[str, Any]:
    dropped = table.reason[~table.kept].value_counts().sort_index()
    return {
        "made": len(table),
        "kept": int(table.kept.sum()),
        "dropped": {reason: int(n) for reason, n in dropped.items()},
    }
