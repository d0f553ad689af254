"""A finished sweep as its run folders hold it, with made-up answers."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd

from phi_kit.core.files import digest

ITEMS = [f"item{n:03}" for n in range(100)]
ARMS = ("base", "teachable")


def build(
    runs: Path, name="recorded", *, rates, ranks, epochs, seeds, failed=3
) -> list[str]:
    """Every combination; the effect of a rate is +10 points a step, of a rank none.

    The first `failed` variants have failed, two for one reason and the others for
    another one.
    """
    root, draw = runs / name, np.random.default_rng(7)
    easy = draw.random(len(ITEMS))  # how far from right each item is
    body = {"sweep": name, "variants": {}, "failures": {}, "work": {}}
    grid = itertools.product(rates, ranks, epochs, seeds)
    for place, (rate, rank, epoch, seed) in enumerate(grid):
        variant = f"rate-{rate}--rank-{rank}--epochs-{epoch}--seed-{seed}"
        body["variants"][variant] = [
            f"probe_sft.learning_rate={rate}",
            f"probe_sft.rank={rank}",
            f"probe_sft.epochs={epoch}",
            f"probe_sft.train_seeds=[{seed}]",
        ]
        key = f"{place:04}"
        work = {"title": "04 probe_sft math", "variants": [variant]}
        body["work"][key] = work | {"kind": "finished"}
        if place < failed:
            why = "the disk is full\n  where: runs" if place < 2 else "<b>it raised</b>"
            body["work"][key]["kind"] = "failed"
            body["failures"][variant] = [key, work["title"], why]
            continue
        level = 0.2 + 0.1 * rates.index(rate)
        right = {
            "base": draw.random(len(ITEMS)) < 0.1,
            "teachable": easy + draw.normal(0, 0.2, len(ITEMS)) < level,
        }
        _write(root / variant, right, seconds=60.0 * epoch + rank, seed=seed)
    root.mkdir(parents=True, exist_ok=True)
    (root / "sweep.json").write_text(json.dumps(body))
    return list(body["variants"])


def _write(variant: Path, right, *, seconds: float, seed: int) -> None:
    folder = variant / "math" / "04_probe_sft"
    folder.mkdir(parents=True)
    samples = pd.DataFrame(
        {
            "seed_id": ITEMS * len(ARMS),
            "arm": np.repeat(ARMS, len(ITEMS)),
            "train_seed": [None] * len(ITEMS) + [seed] * len(ITEMS),
            "finish": "stop",
            "text": "The answer is 7.",
            "verdict": np.where(
                np.concatenate([right[a] for a in ARMS]), "right", "wrong"
            ),
        }
    )
    samples.to_parquet(folder / "samples.parquet", index=False)
    (folder / "notebook.ipynb").write_text('{"cells": []}')
    manifest = {
        "step": "04_probe_sft",
        "digest": "0123456789abcdef",
        "files": {"samples.parquet": digest(folder / "samples.parquet")},
        "samples": {"asked": 200, "paid_tokens": int(40 * seconds)},
        "seconds": seconds,
        "result": {},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    card = variant / "math" / "01_pick_domain"
    card.mkdir()
    rows = pd.DataFrame({"id": ITEMS, "family": ["sums", "stories"] * 50})
    rows.to_parquet(card / "rows.parquet")
    manifest = {"files": {"rows.parquet": digest(card / "rows.parquet")}}
    (card / "manifest.json").write_text(json.dumps({"digest": "d", **manifest}))
