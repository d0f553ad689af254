"""Worked examples in the prompt: what base gains from them without any training.

A gain of training has to beat this one, which costs nothing: a tiny model may learn
as much from examples in its prompt as from a training run on them (arXiv 2606.06920).
The examples are training rows, so that they are as far from the held-out items. Where
long ones do not fit into a model's context beside the answer, fewer are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.models.chat_template import Examples

if TYPE_CHECKING:
    import pandas as pd

    from phi_kit.domains.base import Domain
    from phi_kit.inference.types import Sampler

FEW_SHOT = "few-shot base"  # stands among the arms, untrained
# Why base is not asked with examples where not even one of them fits.
NO_ROOM = "no worked example fits into the model's context"
# By family: questions with the responses that answer them.
FamilyExamples = Mapping[str, tuple[tuple[str, str], ...]]


def shown_to(seed: Seed, examples: FamilyExamples | None) -> Examples:
    """The examples that a seed's question comes after; its own is none of them."""
    if not examples:
        return ()
    pairs = examples.get(_group(seed, examples), ())
    return tuple(pair for pair in pairs if pair[0] != seed.prompt)


def _group(seed: Seed, examples: FamilyExamples) -> str:
    """Whose examples a seed is shown."""
    return seed.family if seed.family in examples else ""


def mean_shown(seeds: Sequence[Seed], examples: FamilyExamples) -> float:
    """How many examples a question comes after, on average."""
    return sum(len(shown_to(seed, examples)) for seed in seeds) / len(seeds)


def fitted(
    examples: FamilyExamples,
    student: Sampler,
    domain: Domain,
    seeds: Sequence[Seed],
    *,
    max_tokens: int,
) -> FamilyExamples:
    """The examples that fit into the student's context, the longest left out first.

    A family is shown the same ones before each of its questions. How long the context
    is stands in the model's config; an endpoint does not show it.

    Args:
        examples: by family.
        student: who is asked.
        domain: says how.
        seeds: the questions.
        max_tokens: of an answer, which has to fit as well.
    """
    room = _context(student)
    found, crowded = dict(examples), list(seeds) if room else []
    while crowded:
        prompts = [
            domain.asked(seed).rendered(student.render, shown_to(seed, found))
            for seed in crowded
        ]
        tokens = student.tokenizer(prompts, add_special_tokens=False).input_ids
        crowded = [
            seed
            for seed, ids in zip(crowded, tokens, strict=True)
            if len(ids) + max_tokens > room and shown_to(seed, found)
        ]
        for group in {_group(seed, found) for seed in crowded}:
            longest = max(found[group], key=lambda pair: len(pair[0]) + len(pair[1]))
            found[group] = tuple(pair for pair in found[group] if pair != longest)
    return found


def _context(student: Sampler) -> int | None:
    """Tokens that a model was made for; `None` where it does not say."""
    if (model := getattr(student, "model", None)) is None:
        return None
    config = model.config.get_text_config()
    return getattr(config, "max_position_embeddings", None)


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
