"""Which items are held out: families in equal parts, no prompt twice.

A small family may not have its share. Then the others give more, in turn, so that
the number of items is the one asked for wherever it can be had; what ran out and
who stood in is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from phi_kit.core.rng import label_seed

from .generators import Family, generate_items
from .records import Seed, normalise_prompt

# Shares of the items that `split_by_hash` holds out (kit default).
HASH_SHARES = {"dev": (0.0, 0.2), "test": (0.2, 0.4)}
HeldOut = dict[str, list[Seed]]
# A family has run out when this many draws per item asked of it brought nothing new.
DRAWS_EACH = 50


def split_by_hash(text: str, *labels: object, rng_seed: int) -> str:
    """The one split that a text may ever be drawn for: dev, test or train.

    Args:
        text: what is asked, in its normal form.
        labels: tell apart what is hashed for different ends.
        rng_seed: of the study, or a fixed one.
    """
    share = label_seed(rng_seed, *labels, text) / 2**63
    for name, (low, high) in HASH_SHARES.items():
        if low <= share < high:
            return name
    return "train"


def draw_held_out(
    domain: str,
    families: Sequence[Family],
    *,
    wanted: Mapping[str, int],
    rng_seed: int,
) -> HeldOut:
    """The items of each split, by family.

    Args:
        domain: whose items they are.
        families: where they come from.
        wanted: how many by split; earlier splits draw first.
        rng_seed: the study's.
    """
    seen: set[str] = set()
    return {
        split: _fill_shares(
            [
                (_unseen_items(domain, family, seen, split, share, rng_seed), share)
                for family, share in zip(families, _shares(n, families), strict=True)
            ]
        )
        for split, n in wanted.items()
    }


def _shares(n: int, families: Sequence[Family]) -> list[int]:
    return [
        (n + len(families) - 1 - place) // len(families)
        for place in range(len(families))
    ]


def _fill_shares(sources: Sequence[tuple[Iterator[Seed], int]]) -> list[Seed]:
    found = [list(islice(stream, share)) for stream, share in sources]
    missing = sum(share for _, share in sources) - sum(map(len, found))
    going = list(range(len(sources)))
    while missing and going:
        for place in tuple(going):
            item = next(sources[place][0], None) if missing else None
            if item:
                found[place].append(item)
                missing -= 1
            elif missing:
                going.remove(place)
    return [item for part in found for item in part]


def _unseen_items(
    domain: str, family: Family, seen: set[str], split: str, share: int, rng_seed: int
) -> Iterator[Seed]:
    """Items of a family that no split has yet, until it has run out."""
    misses = 0
    for item in generate_items(domain, family, rng_seed=rng_seed, split=split):
        if normalise_prompt(item.prompt) in seen:
            misses += 1
            if misses >= DRAWS_EACH * max(share, 1):
                return
        else:
            misses = 0
            seen.add(normalise_prompt(item.prompt))
            yield item


def family_counts(
    held_out: HeldOut, families: Sequence[Family]
) -> dict[str, dict[str, int]]:
    """How many items of each family a split has, by split."""
    found = {name: Counter(item.family for item in p) for name, p in held_out.items()}
    return {
        split: {family.name: count[family.name] for family in families}
        for split, count in found.items()
    }


def shortfall(
    held_out: HeldOut, families: Sequence[Family], *, wanted: Mapping[str, int]
) -> str:
    """Which families had less than their share, and which gave more; else nothing."""
    return " ".join(
        line
        for split, count in family_counts(held_out, families).items()
        if (line := _shortfall_line(split, count, _shares(wanted[split], families)))
    )


def _shortfall_line(split: str, count: Mapping[str, int], shares: Sequence[int]) -> str:
    own = list(zip(count.items(), shares, strict=True))
    short = [f"{name} {n} of {share}" for (name, n), share in own if n < share]
    more = [f"{name} {n - share}" for (name, n), share in own if n > share]
    if not short:
        return ""
    missing = sum(shares) - sum(count.values())
    said = f"{split}: too few different items in {', '.join(short)}"
    said += f"; more came from {', '.join(more)}" if more else ""
    return f"{said}; {missing} are missing." if missing else f"{said}."
