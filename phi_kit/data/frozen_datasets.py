"""Frozen data sets: what a domain hands on, in Hugging Face `datasets` format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from phi_kit.core.errors import disk_errors
from phi_kit.core.step_run import RunFolder, digest_json

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "dataset"


def freeze(rows: pd.DataFrame, folder: Path) -> None:
    """Save rows so that `datasets.load_from_disk(folder)` reads them."""
    import pyarrow as pa
    from datasets import Dataset, disable_progress_bars
    from datasets.table import InMemoryTable

    table = InMemoryTable(pa.Table.from_pandas(rows, preserve_index=False))
    # A fingerprint of the content: freezing the same rows gives the same files.
    mark = digest_json(rows.to_dict("records"))
    disable_progress_bars()  # on stderr it leaves a red strip in a notebook
    with disk_errors(folder):
        Dataset(table, fingerprint=mark).save_to_disk(folder)


def thaw(folder: RunFolder) -> pd.DataFrame:
    """The rows of a frozen data set, digest-checked by its run folder."""
    from datasets import load_from_disk

    return load_from_disk(folder.folder(FOLDER)).to_pandas()
