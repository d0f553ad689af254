"""Data order: which rows each optimiser step sees, fixed before the first one.

A plain list of steps makes three things simple: a run carries on where it was
stopped, arms of different sizes see equally many trained tokens, and the rows of a
weighted source are repeated as its weight says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from phi_kit.core.rng import label_seed, rng

from .encoding import EncodedRow


def step_order(
    rows: Sequence[EncodedRow],
    *,
    batch: int,
    epochs: Sequence[float],
    rng_seed: int,
    budget: int | None = None,
    phases: Sequence[int] | None = None,
) -> list[list[int]]:
    """Indices into `rows` of every optimiser step.

    Args:
        rows: what can be trained on.
        batch: rows per step; the last one of an epoch may hold fewer.
        epochs: how often each row is seen. Of rows with 1.5 a random half
            comes twice.
        rng_seed: names the order.
        budget: trained tokens to see in all. Epochs are then repeated, or cut,
            until the next row would not come closer to it.
        phases: when each row is seen: all of an earlier phase, each as often as its
            epochs say, before any of a later one. All at once if not given.

    Raises:
        ValueError: both a budget and phases are given.
    """
    if phases is not None:
        if budget is not None:
            raise ValueError("a budget would cut the last phases off")
        return [
            step
            for phase in sorted(set(phases))
            for step in step_order(
                rows,
                batch=batch,
                epochs=np.where(np.asarray(phases) == phase, epochs, 0.0),
                rng_seed=label_seed(rng_seed, "phase", phase),
            )
        ]
    passes = _passes(np.asarray(epochs, float), rng_seed, for_ever=budget is not None)
    if budget is not None:
        passes = _up_to(passes, [row.trained for row in rows], budget)
    return [
        order[start : start + batch].tolist()
        for order in passes
        for start in range(0, len(order), batch)
    ]


def _passes(
    epochs: np.ndarray, rng_seed: int, *, for_ever: bool
) -> Iterator[np.ndarray]:
    """Shuffled passes, each over the rows whose epochs are not used up."""
    number, rounds = 0, int(np.ceil(epochs.max(initial=0)))
    while rounds and (for_ever or number < rounds):
        wanted = _in_pass(epochs, number % rounds, rng(rng_seed, "share", number))
        yield rng(rng_seed, "order", number).permutation(wanted)
        number += 1


def _in_pass(epochs: np.ndarray, number: int, draw: np.random.Generator) -> np.ndarray:
    whole_rows = np.flatnonzero(epochs >= number + 1)
    parts = [whole_rows]
    for share in np.unique(epochs[(epochs > number) & (epochs < number + 1)]):
        some = np.flatnonzero(epochs == share)
        parts.append(draw.permutation(some)[: round((share - number) * len(some))])
    return np.sort(np.concatenate(parts))


def _up_to(
    passes: Iterator[np.ndarray], trained: Sequence[int], budget: int
) -> Iterator[np.ndarray]:
    """Passes until the next row would not come closer to the budget."""
    spent = 0
    for order in passes:
        sizes = np.cumsum([trained[i] for i in order])
        if not len(order) or spent + sizes[-1] <= 0:
            return
        if spent + sizes[-1] < budget:
            spent += int(sizes[-1])
            yield order
            continue
        # One more row only if that comes closer.
        cut = int(np.argmin(np.abs(spent + np.concatenate([[0], sizes]) - budget)))
        if cut or not spent:
            yield order[: max(cut, 1)]
        return


def phases_in_turn(sizes: Sequence[int], *, replay: float, rng_seed: int) -> list[int]:
    """When each row is seen where one part follows another.

    Each row is seen in one phase only, so that the arm sees as many tokens as one
    that mixes all parts.

    Args:
        sizes: rows of each part, in their order.
        replay: share of a part's rows that is held back and spread over the later
            phases, so that what was learnt first is seen again.
        rng_seed: names the choice.
    """
    phases = []
    for place, size in enumerate(sizes):
        later = range(place + 1, len(sizes))
        own = [place] * size
        draw = rng(rng_seed, "replay", place)
        back = draw.permutation(size)[: round(replay * size)] if later else []
        for number, row in enumerate(back):
            own[row] = later[number % len(later)]
        phases += own
    return phases


def micro_batches(
    rows: Sequence[EncodedRow], *, tokens: int, padded: bool
) -> list[list[EncodedRow]]:
    """Split the rows of one step into parts of at most `tokens`, but at least a row.

    Rows of similar length come together, so that padding, if any, is small. The
    gradient is the whole step's either way.
    """
    parts: list[list[EncodedRow]] = []
    for row in sorted(rows, key=lambda row: -len(row.ids)):
        last = parts[-1] if parts else []
        # Sorted downwards: the first row of a part is its widest.
        width = len(last[0].ids) if last else 0
        size = width * len(last) if padded else sum(len(r.ids) for r in last)
        more = width if padded else len(row.ids)
        if last and size + more <= tokens:
            last.append(row)
        else:
            parts.append([row])
    return parts


def count_tokens(
    rows: Sequence[EncodedRow], steps: Sequence[Sequence[int]]
) -> tuple[int, int]:
    """Tokens and trained tokens of a list of steps."""
    every = [rows[i] for i in chain.from_iterable(steps)]
    return sum(len(row.ids) for row in every), sum(row.trained for row in every)
