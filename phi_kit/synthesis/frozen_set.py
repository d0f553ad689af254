"""The frozen set: rows as a `datasets` folder, its card, and a hash that names it.

The hash is over the rows as a multiset: the order of the seeds does not change it, and
a row that a source has twice counts twice.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from phi_kit.core.errors import disk_errors
from phi_kit.core.files import digest_json
from phi_kit.data.records import save_dataset

from .croissant import croissant
from .dataset_card import card_text
from .frozen_facts import FrozenFacts

if TYPE_CHECKING:
    import pandas as pd

PARQUET = "data/train-00000-of-00001.parquet"


def frozen_hash(rows: pd.DataFrame) -> str:
    """The name of a set: the same for the same rows, in whatever order.

    Args:
        rows: with `row_id`, which is a hash of a row's content and its number among
            its equals.
    """
    return digest_json(sorted(rows.row_id))[:16]


def freeze(rows: pd.DataFrame, folder: Path, facts: FrozenFacts) -> None:
    """Write rows so that `datasets.load_from_disk(folder).push_to_hub(...)` does.

    Beside the folder's own files stand the same rows as Parquet, named as
    `push_to_hub` names them, a card (`README.md`) and `croissant.json`.

    Args:
        rows: the set.
        folder: where to.
        facts: what the card says.
    """
    save_dataset(rows, folder)
    with disk_errors(folder):
        parquet = folder / PARQUET
        parquet.parent.mkdir(exist_ok=True)
        rows.to_parquet(parquet, index=False)
        sha256 = hashlib.sha256(parquet.read_bytes()).hexdigest()
        described = croissant(rows, facts, file=PARQUET, sha256=sha256)
        (folder / "croissant.json").write_text(described, encoding="utf-8")
        (folder / "README.md").write_text(card_text(facts), encoding="utf-8")
