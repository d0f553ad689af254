"""Do the made rows help? A domain's organic rows alone, against its whole mix.

Both see as many trained tokens, so that a gain is what other rows are worth, not more
training: the organic rows are seen more often instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from phi_kit.stats.comparison import paired_gain

from .additivity import ItemScores

if TYPE_CHECKING:
    from phi_kit.training.qlora import TrainingResult


def organic_name(domain: str) -> str:
    """The adapter of a domain's organic rows alone."""
    return f"{domain}-organic"


def clashing_names(domains: Sequence[str]) -> list[str]:
    """Domains that are called as another one's adapter of organic rows would be."""
    return [name for name in map(organic_name, domains) if name in domains]


def mix_over_organic(
    items: ItemScores,
    trained: Mapping[str, TrainingResult],
    domains: Sequence[str],
    *,
    rng_seed: int,
) -> list[dict[str, Any]]:
    """Per domain: the adapter of its mix against that of its organic rows alone.

    Args:
        items: one accuracy per dev item, by adapter and domain.
        trained: the adapters' training runs, by name.
        domains: those without such a pair are left out.
        rng_seed: the resampling is repeatable.

    Returns:
        Rows with both accuracies, the paired gain of the mix with its interval and
        verdict, and how many rows and trained tokens each adapter saw.
    """
    rows = []
    for name in domains:
        alone = organic_name(name)
        if (alone, name) not in items:
            continue
        organic, mix = items[alone, name], items[name, name]
        rows.append(
            {
                "domain": name,
                "organic": sum(organic) / len(organic),
                "mix": sum(mix) / len(mix),
                **paired_gain(organic, mix, rng_seed=rng_seed).as_dict(),
                "organic_rows": trained[alone].rows,
                "mix_rows": trained[name].rows,
                "organic_tokens": trained[alone].trained_tokens,
                "mix_tokens": trained[name].trained_tokens,
            }
        )
    return rows
