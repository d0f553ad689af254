"""Which of several responses that may be trained on a row teaches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Prefer = Literal["shortest", "first", "closest"]
# Of which responses a student with weights says how likely they are: of those that may
# be trained on, of every finished one within the limit, or of none.
Score = Literal["usable", "every", "none"]
# Why a response that may be trained on is not: right, and yet not chosen.
AGAIN, SPARE = "the same again", "another is preferred"

# Each gives what responses are sorted by, the smallest first; equals stay in order.
_ORDER: dict[Prefer, Callable[[Any], float]] = {
    "shortest": lambda row: row.tokens,
    "first": lambda row: 0,
    "closest": lambda row: math.inf if math.isnan(row.logprob) else -row.logprob,
}


def ranked(
    candidates: pd.DataFrame, sources: Sequence[str], *, prefer: Prefer, keep: int
) -> pd.DataFrame:
    """The candidates with their rank, and which of them are kept.

    Those of an earlier source come first; within a source `prefer` decides: `shortest`
    by tokens, `first` by attempt, `closest` by log-probability under the student, where
    one without any comes last. Only responses of the first source that has any are
    kept, so that a seed is taught one way.

    Args:
        candidates: with `seed_id`, `source`, `text`, `tokens`, `logprob`, `reason`,
            those of a seed in the order of their attempts.
        sources: names of the sources, the preferred one first.
        prefer: see above.
        keep: of a seed, at most.

    Returns:
        The table with `kept` and `rank`: 1 for the seed's best, 0 for what may not be
        trained on or says the same again. Those that are not kept have a reason.
    """
    rank, reasons = [0] * len(candidates), list(candidates.reason)
    kept = [False] * len(candidates)
    place_of = {name: place for place, name in enumerate(sources)}
    by_seed: dict[str, list[tuple[int, Any]]] = {}
    for place, row in enumerate(candidates.itertuples()):
        if not row.reason:
            by_seed.setdefault(row.seed_id, []).append((place, row))
    for usable in by_seed.values():
        usable.sort(key=lambda one: (place_of[one[1].source], _ORDER[prefer](one[1])))
        first, seen = usable[0][1].source, set()
        for place, row in usable:
            if row.text in seen:
                reasons[place] = AGAIN
                continue
            seen.add(row.text)
            rank[place] = len(seen)
            kept[place] = len(seen) <= keep and row.source == first
            reasons[place] = "" if kept[place] else SPARE
    types = {"reason": candidates.reason.dtype, "kept": bool, "rank": int}
    return candidates.assign(reason=reasons, kept=kept, rank=rank).astype(types)


def best_of(candidates: pd.DataFrame, source: str, *, keep: int = 1) -> pd.DataFrame:
    """The best responses of one source, whatever was kept of the others.

    Args:
        candidates: as `ranked` returns them.
        source: its name.
        keep: of a seed, at most.
    """
    mine = candidates[(candidates.source == source) & (candidates["rank"] > 0)]
    return mine.sort_values("rank", kind="stable").groupby("seed_id").head(keep)
