"""The mix of a frozen set: organic rows, made ones, and the student's own solutions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from phi_kit.core.answer_style import Style
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.rng import rng
from phi_kit.data.dropped_rows import Reason
from phi_kit.data.records import Seed, to_frame
from phi_kit.responses.choose import AGAIN
from phi_kit.training.arms import OWN
from phi_kit.verifiers.worked_steps import first_false_step

from .gates import MixRow, Passed, numbered, row_by_row

if TYPE_CHECKING:
    import pandas as pd


class MixParams(Protocol):
    """What shapes a mix.

    Attributes:
        domain: whose rows they are.
        rng_seed: of the choice among candidates.
        organic_share: at least this part of the mix is organic.
    """

    domain: str
    rng_seed: int
    organic_share: float


def own_solutions(
    edge: RunFolder, seeds: list[Seed], style: Style, *, wrong: bool = False
) -> Iterator[MixRow]:
    """The student's own right answer to each of these seeds, as far as it has one.

    In a style with steps it is the best of those that passed step 3's checks. Among
    bare answers it is the shortest right and finished one, and it may show steps: it
    was asked for none, and what it shows is its own.

    Args:
        edge: step 3.
        seeds: of the organic rows.
        style: of the study.
        wrong: its first finished answer instead, right or not, for a comparison.
    """
    if wrong:
        samples = edge.table("samples")
        best = samples[samples.finish == "stop"].sort_values("sample")
    elif style == "answer":
        samples = edge.table("samples")
        right = samples[(samples.verdict == "right") & (samples.finish == "stop")]
        best = right.sort_values(["tokens", "sample"])
    else:
        responses = edge.table("responses")
        best = responses[responses[OWN]].sort_values("rank", kind="stable")
    text = best.groupby("seed_id").text.first()
    for seed in seeds:
        if seed.id in text.index:
            parented = replace(seed, parent=seed.id, source="student")
            yield MixRow(parented, text[seed.id], "self", "own solution")


def solution_fault(own: MixRow, taught: Collection[tuple[str, str]]) -> str | None:
    """Why the student's own solution is not trained on, if so.

    Args:
        own: the solution.
        taught: what the organic rows teach: ids of seeds with their responses.
    """
    if own.completion == own.seed.answer:
        return "same as the gold"
    if (own.seed.id, own.completion) in taught:
        return AGAIN
    # The verifier read its answer only; the steps before it are taught as well.
    if wrong := first_false_step(own.completion, prompt=own.seed.prompt):
        return Reason("a step does not hold", detail=wrong)
    return None


def own_fault(taught: Collection[tuple[str, str]], row: MixRow) -> str | None:
    """`solution_fault`, for a gate that other rows go through as well."""
    return solution_fault(row, taught) if row.kind == "self" else None


def within_share(
    organic: list[tuple[Seed, str]],
    params: MixParams,
    rows: Sequence[MixRow],
    *,
    kept: Sequence[MixRow] = (),
    part: float = 1.0,
) -> Passed:
    """The gate that keeps the organic share; see `balance`."""
    fits = balance(list(rows), organic, params, kept=kept, part=part)
    chosen = {id(row) for row in fits}
    over = Reason("over the share")
    return row_by_row(lambda row: None if id(row) in chosen else over)(rows)


def balance(
    candidates: list[MixRow],
    organic: list[tuple[Seed, str]],
    params: MixParams,
    *,
    kept: Sequence[MixRow] = (),
    part: float = 1.0,
) -> list[MixRow]:
    """A part of the candidates, so that the organic share is kept.

    They are drawn at random, rare answers first: a mix in which one answer holds
    most of the rows teaches to say it.

    Args:
        candidates: made rows.
        organic: seeds with their responses.
        params: of the mix.
        kept: made rows that are in the mix already.
        part: of the room for made rows, those that are kept included.
    """
    room = int(len(organic) / params.organic_share) - len(organic)
    room = max(0, int(room * part) - len(kept))
    order = rng(params.rng_seed, "mix", params.domain).permutation(len(candidates))
    seen = Counter(seed.answer for seed, _ in organic)
    seen.update(row.seed.answer for row in kept)
    ranks = {}
    for index in order:
        answer = candidates[index].seed.answer
        ranks[int(index)] = seen[answer]
        seen[answer] += 1
    chosen = sorted(ranks, key=ranks.__getitem__)[:room]
    return [candidates[index] for index in sorted(chosen)]


def mix_table(organic: list[tuple[Seed, str]], made: list[MixRow]) -> pd.DataFrame:
    """The rows of the mix with `row_id`, `completion`, `kind` and `by`."""
    rows = numbered(MixRow(seed, text, "organic", "") for seed, text in organic) + made
    return to_frame(
        (row.seed for row in rows),
        row_id=[row.id for row in rows],
        completion=[row.completion for row in rows],
        kind=[row.kind for row in rows],
        by=[row.by for row in rows],
    )
