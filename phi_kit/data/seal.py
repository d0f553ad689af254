"""The seal: held-out items that training may never contain.

Sealed items are stored packed, so no glob over parquet files picks them up,
and opening them takes the name of a step that declares it in its `SEALED`.
Comparing rows with the seal is open to every step and returns no item.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from dataclasses import asdict

from phi_kit.core.errors import SealError
from phi_kit.core.params import StepParams
from phi_kit.core.runs import RunFolder, StepRun

from .records import Seed, normal

SPLITS = ("dev", "test")
STEP = "01_pick_domain"


def close(run: StepRun, split: str, items: Iterable[Seed]) -> None:
    """Write a held-out split into the run folder of step 1."""
    text = "\n".join(json.dumps(asdict(item)) for item in items)
    packed = gzip.compress(text.encode(), mtime=0)  # the same items, the same bytes
    (run.folder("sealed") / f"{split}.seal").write_bytes(packed)


def unseal(folder: RunFolder, split: str, *, params: StepParams) -> list[Seed]:
    """The items of a held-out split.

    Args:
        folder: the finished run folder of step 1.
        split: `dev` (to choose by) or `test` (to report once).
        params: of the step that asks.

    Raises:
        SealError: the step does not declare that it opens this split.
    """
    if split not in params.SEALED:
        raise SealError(
            f"{params.STEP} may not open the sealed {split} set",
            where=str(folder.path),
            todo="dev is for choosing (steps 1, 4, 6), test for the report (step 7)",
        )
    return _read(folder, split)


def _read(folder: RunFolder, split: str) -> list[Seed]:
    packed = folder.file(f"sealed/{split}.seal").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    return [Seed(**json.loads(line)) for line in lines]


class Seal:
    """Says whether a prompt is a sealed one, of any domain of the study."""

    def __init__(self, prompts: Iterable[str]):
        self._keys = {key(prompt) for prompt in prompts}

    @classmethod
    def of(cls, folders: Iterable[RunFolder]) -> Seal:
        """The seal over every split of these step-1 folders."""
        items = (
            item
            for folder in folders
            for split in SPLITS
            for item in _read(folder, split)
        )
        return cls(item.prompt for item in items)

    def __contains__(self, prompt: str) -> bool:
        return key(prompt) in self._keys


def key(prompt: str) -> str:
    """What counts as the same prompt; case and spacing do not tell two apart."""
    return normal(prompt)
