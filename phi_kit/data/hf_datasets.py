"""Data sets of the Hugging Face hub, pinned to a revision."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from phi_kit.core.errors import DataError
from phi_kit.core.files import digest, digest_json
from phi_kit.core.paths import resolve_from_root

from .parquet_reader import batch_rows

_ROWS = 512  # that are held at once
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class PinnedDataset:
    """A data set as it stands: where, at which revision, under which licence."""

    place: str
    revision: str
    licence: str = ""


@cache
def pin_revision(name: str, revision: str) -> PinnedDataset:
    """Resolve a data set's revision, once per process.

    A local folder of the same shape is pinned by the digest of its files. For
    the hub, `revision` may be a branch or tag (its commit is asked for) or a
    commit of 40 hex digits. Without a network, what the hub's cache last knew
    is taken.

    Raises:
        DataError: neither the hub nor its cache knows it.
    """
    folder = resolve_from_root(name)
    if folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        marks = {str(path.relative_to(folder)): digest(path) for path in files}
        return PinnedDataset(str(folder), digest_json(marks))
    try:
        return _ask_hub(name, revision)
    except Exception as error:  # the hub's client raises httpx's, its own, OSError …
        cached = (
            revision
            if _COMMIT.fullmatch(revision)
            else _cached_revision(name, revision)
        )
        if cached and not _hub_refused(error):
            return PinnedDataset(name, cached)
        raise _unreachable_error(name, revision, error) from error


def _ask_hub(name: str, revision: str) -> PinnedDataset:
    from huggingface_hub import HfApi

    info = HfApi().dataset_info(name, revision=revision, timeout=20)
    licence = (info.card_data or {}).get("license") or ""
    return PinnedDataset(
        name,
        str(info.sha),
        ", ".join(licence) if isinstance(licence, list) else str(licence),
    )


def _cached_revision(name: str, revision: str) -> str:
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(HF_HUB_CACHE) / f"datasets--{name.replace('/', '--')}"
    ref = folder / "refs" / revision
    return ref.read_text().strip() if ref.is_file() else ""


def _hub_refused(error: Exception) -> bool:
    # The hub answered, and said no: what the cache holds is no substitute.
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status in (401, 403, 404)


def _unreachable_error(name: str, revision: str, error: Exception) -> DataError:
    if _hub_refused(error):
        return DataError(
            f"the hub has no data set '{name}' at '{revision}' that you may read",
            where=f"https://huggingface.co/datasets/{name}",
            todo="check the name and the revision; for a gated one accept its terms "
            "there and set HF_TOKEN",
        )
    return DataError(
        f"the data set '{name}' cannot be loaded: the hub is not reached and the "
        f"cache does not hold it ({type(error).__name__})",
        where=f"https://huggingface.co/datasets/{name}",
        todo="go online once, or download it and give the folder: hub: ./folder",
    )


def read_rows(
    pinned: PinnedDataset, config: str, split: str
) -> Iterator[dict[str, Any]]:
    """The rows of one split, as a Parquet file would give them.

    Raises:
        DataError: it cannot be loaded: no such configuration or split, offline.
    """
    for table in _load(pinned, config, split).with_format("arrow").iter(_ROWS):
        for batch in table.to_batches():
            yield from batch_rows(batch)


def count_rows(pinned: PinnedDataset, config: str, split: str) -> int:
    """How many rows a split has.

    Raises:
        DataError: as `rows`.
    """
    return len(_load(pinned, config, split))


def _load(pinned: PinnedDataset, config: str, split: str) -> Any:
    import datasets

    revision = None if Path(pinned.place).is_dir() else pinned.revision
    try:
        return datasets.load_dataset(
            pinned.place, config or None, split=split, revision=revision
        )
    except Exception as error:  # whatever a data set's files raise
        if isinstance(error, ConnectionError) or "offline" in type(error).__name__:
            raise _unreachable_error(pinned.place, pinned.revision, error) from error
        raise DataError(
            f"the data set cannot be loaded: {str(error).splitlines()[0][:300]}",
            where=f"{pinned.place}, config '{config}', split '{split}'",
            todo="check config: and split: against the data set's page",
        ) from error
