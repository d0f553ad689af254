"""Does the seal keep up? 100,000 rows against 5,000 sealed items, streaming."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from phi_kit.data.records import Seed
from phi_kit.data.sealed_splits import Seal

pytestmark = pytest.mark.bench

ITEMS, ROWS, PLANTED = 5_000, 100_000, 1_000
VOCABULARY = [
    a + b + c
    for a in ("br", "cl", "d", "fl", "gr", "h", "k", "l", "m", "st")
    for b in ("a", "e", "i", "o", "u", "ai", "ee", "ou")
    for c in ("nd", "rt", "st", "ck", "m", "ll", "ve", "sh", "per", "ton")
]
# Words as natural text has them: few frequent, many rare.
SHARES = [1 / (rank + 3) for rank in range(len(VOCABULARY))]
FRAME = "Read the problem with care and give only the final number as your answer: "


def prose(draw: random.Random) -> str:
    said = draw.choices(VOCABULARY, SHARES, k=draw.randint(20, 70))
    for _ in range(3):
        said[draw.randrange(len(said))] = str(draw.randint(2, 9999))
    return FRAME * draw.randint(0, 1) + " ".join(said) + "?"


def rows(items: list[Seed], n: int) -> Iterator[tuple[str, str]]:
    """Prompts and, for a planted one, the id of the item whose words it holds."""
    draw = random.Random(2)
    for place in range(n):
        prompt = prose(draw)
        if place % (ROWS // PLANTED):
            yield prompt, ""
        else:
            item = draw.choice(items)
            parts = item.prompt.removeprefix(FRAME).split()
            start = draw.randrange(len(parts) - 10)
            yield f"{prompt} {' '.join(parts[start : start + 10])} and so on", item.id


def compare(seal: Seal, items: list[Seed], n: int) -> tuple[int, int, int]:
    found = false = planted = 0
    for prompt, item in rows(items, n):
        hit = seal.hit(prompt)
        planted += bool(item)
        found += bool(item and hit and hit.item == item)
        false += bool(hit and not item)
    return planted, found, false


def test_seal_rows_per_second(record):
    draw = random.Random(1)
    items = [Seed("math", prose(draw), "1", family="bench") for _ in range(ITEMS)]
    started = time.perf_counter()
    seal = Seal(items)
    built = time.perf_counter() - started
    planted, found, false = compare(seal, items, ROWS)
    spent = time.perf_counter() - started
    # What making the rows costs is not the seal's.
    alone = time.perf_counter()
    assert sum(1 for _ in rows(items, ROWS)) == ROWS
    spent -= time.perf_counter() - alone
    what = f"{ROWS:,} rows of 20-90 words against {ITEMS:,} sealed items, one core, "
    record(
        "seal_rows_per_second",
        ROWS / spent,
        unit="rows per second",
        n=ROWS,
        what=f"{what}{built:.1f} s to build included; {found} of {planted} planted "
        f"spans of 10 words found with their item, {false} false hits",
    )
    assert (found, false) == (planted, 0)
    assert spent < 300


def test_seal_memory(record):
    draw = random.Random(1)
    items = [Seed("math", prose(draw), "1", family="bench") for _ in range(ITEMS)]
    tracemalloc.start()
    seal = Seal(items)
    built, _ = tracemalloc.get_traced_memory()
    compare(seal, items, 2_000)
    tracemalloc.reset_peak()
    compare(seal, items, 8_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    record(
        "seal_peak_megabytes",
        peak / 1e6,
        unit="MB allocated by Python",
        n=ITEMS,
        what=f"peak over 8,000 streamed rows against {ITEMS:,} sealed items; the "
        f"index alone is {built / 1e6:.0f} MB and rows add nothing that stays",
    )
    assert peak < 1.1 * built
