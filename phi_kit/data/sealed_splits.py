"""The seal: held-out items that training may never contain.

Sealed items are stored packed, so no glob over parquet files picks them up,
and opening them takes the name of a step that declares it in its `SEALED`.
Comparing rows with the seal is open to every step and returns no item.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from phi_kit.core.errors import SealError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import StepRun
from phi_kit.data.decontamination.index import OverlapIndex

from .dropped_rows import SealHit
from .records import Seed

SPLITS = ("dev", "test")
DRAWS = "draws"  # not held out: they show what is template text


def seal_split(run: StepRun, split: str, items: Iterable[Seed]) -> None:
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
            todo="dev is for choosing (steps 1, 4, 5, 6), test for the report (step 7)",
        )
    return _read_split(folder, split)


def _read_split(folder: RunFolder, split: str) -> list[Seed]:
    packed = folder.file(f"sealed/{split}.seal").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    return [Seed(**json.loads(line)) for line in lines]


class Seal:
    """Says whether a prompt overlaps a sealed item, and which.

    Args:
        items: the sealed items, or only their prompts.
        draws: prompts by family that show what is template text.
    """

    def __init__(
        self,
        items: Iterable[Seed | str],
        draws: Mapping[str, Sequence[str]] | None = None,
    ):
        seeds = [Seed("", i, "") if isinstance(i, str) else i for i in items]
        self._overlap = OverlapIndex(seeds, draws or {})

    @classmethod
    def of(cls, folders: Iterable[RunFolder]) -> Seal:
        """The seal over every split of these step-1 folders."""
        items, draws = [], defaultdict(list)
        for folder in folders:
            for split in SPLITS:
                items += _read_split(folder, split)
            if f"sealed/{DRAWS}.seal" in folder.manifest["files"]:
                for seed in _read_split(folder, DRAWS):
                    draws[seed.family].append(seed.prompt)
        return cls(items, draws)

    def hit(self, prompt: str) -> SealHit | None:
        """The sealed item this prompt overlaps, how, and in which words."""
        return self._overlap.hit(prompt)

    def __contains__(self, prompt: str) -> bool:
        return self.hit(prompt) is not None
