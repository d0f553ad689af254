"""Worked examples in the prompt: what base gains from them without any training.

A gain of training has to beat this one, which costs nothing: a tiny model may learn
as much from examples in its prompt as from a training run on them (arXiv 2606.06920).
The examples are training rows, so that they are as far from the held-out items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.models.chat_template import Examples

if TYPE_CHECKING:
    import pandas as pd

FEW_SHOT = "few-shot base"  # stands among the arms, untrained
# By family: questions with the responses that answer them.
FamilyExamples = Mapping[str, tuple[tuple[str, str], ...]]


def shown_to(seed: Seed, examples: FamilyExamples | None) -> Examples:
    """The examples that a seed's question comes after; its own is none of them."""
    if not examples:
        return ()
    pairs = examples.get(seed.family, examples.get("", ()))
    return tuple(pair for pair in pairs if pair[0] != seed.prompt)


def choose_examples(
    pool: pd.DataFrame, responses: pd.DataFrame, *, k: int, rng_seed: int
) -> FamilyExamples:
    """The examples that items of each family are asked with.

    They are of the item's own family where that has enough, the strongest choice;
    what is lacking comes from the domain's other rows.

    Args:
        pool: rows of the edge filter.
        responses: its candidates; the kept ones are shown.
        k: examples of each family, at most.
        rng_seed: names the draw.

    Returns:
        By family; under the empty name what items of any other family get.
    """
    texts = responses[responses.kept].sort_values("rank", kind="stable")
    text = texts.groupby("seed_id").text.first()
    rows = pool[(pool.tier != "suspect") & pool.id.isin(text.index)]
    order = rng(rng_seed, "few-shot examples").permutation(len(rows))
    drawn = rows.iloc[order]
    return {
        family: tuple(
            (row.prompt, text[row.id])
            # Stable, so that the family's own come first, in the order drawn.
            for row in drawn.sort_values(
                "family", key=lambda column: column != family, kind="stable"
            )
            .head(k)
            .itertuples()
        )
        for family in ("", *rows.family.unique())
    }
