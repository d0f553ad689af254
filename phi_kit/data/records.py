"""The one shape of a seed, whatever source it came from."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phi_kit.core.errors import disk_errors
from phi_kit.core.files import digest_json
from phi_kit.core.finished_run import RunFolder

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Seed:
    """A prompt with its answer.

    Args:
        domain: whose verifier checks it.
        prompt: what the user turn says.
        answer: the gold answer, as text.
        family: what kind of item it is (`sum-2`, `gsm8k_train`).
        level: difficulty inside the domain, 1 the easiest; 0 unknown.
        source: where it came from.
        licence: what its use is bound to.
        parent: id of the seed it was made from; empty for an organic seed.
        answer_kind: what the answer is, in the domain's words (`numeric`).
        extra: JSON of what the verifier needs besides the answer.
        solution: the source's own worked solution, if it has one.
    """

    domain: str
    prompt: str
    answer: str
    family: str = ""
    level: int = 0
    source: str = ""
    licence: str = ""
    parent: str = ""
    answer_kind: str = ""
    extra: str = "{}"
    solution: str = ""

    @cached_property
    def id(self) -> str:
        """A name that depends on what is asked and answered, on nothing else."""
        return digest_json([self.domain, self.prompt, self.answer])[:12]

    @property
    def facts(self) -> dict[str, Any]:
        """`extra`, parsed."""
        return json.loads(self.extra)

    @property
    def unanswered(self) -> bool:
        """Whether its answer is not known, and its source said so."""
        return not self.answer and NO_GOLD in self.facts

    @property
    def generated(self) -> bool:
        """Whether a program made it: a task, a family or a transform.

        Items of one template differ in what is filled in, however alike they
        look; likeness says nothing about them.
        """
        return bool(self.parent) or self.source.startswith(_MADE)


# The key in `extra` of a seed whose source says that its answer is not known.
NO_GOLD = "no_gold"
# The key of further golds, each of them as right as the answer.
ACCEPTED = "accepted"
# The key of the gold that an item has in truth, where a wrong one was planted: for
# counting afterwards what the checks caught; none of them reads it.
TRUE_GOLD = "true_gold"
# The folder of a step that holds its frozen data set.
DATASET = "dataset"


_MADE = ("reasoning-gym/", "phi-kit/", "transform/")
_FIELDS = [field.name for field in fields(Seed)]
# What data sets write where an answer should be.
_SENTINELS = {
    *("", "proof", "notfound", "not found", "no answer", "n/a", "none", "null"),
    *("nan", "unknown", "tbd", "todo", "[]", "{}"),
}


def to_frame(seeds: Iterable[Seed], **columns: Iterable[Any]) -> pd.DataFrame:
    """Seeds as a table, `id` first, with further columns."""
    import pandas as pd

    rows = [
        {"id": seed.id} | {name: getattr(seed, name) for name in _FIELDS}
        for seed in seeds
    ]
    frame = pd.DataFrame(rows, columns=["id", *_FIELDS])
    return frame.assign(**{name: list(values) for name, values in columns.items()})


def from_frame(frame: pd.DataFrame) -> list[Seed]:
    """The seeds of a table; further columns are left alone."""
    known = [name for name in _FIELDS if name in frame]  # an older table has fewer
    return [Seed(**row) for row in frame[known].to_dict("records")]


def save_dataset(rows: pd.DataFrame, folder: Path) -> None:
    """Save rows so that `datasets.load_from_disk(folder)` reads them."""
    import pyarrow as pa
    from datasets import Dataset, disable_progress_bars
    from datasets.table import InMemoryTable

    table = InMemoryTable(pa.Table.from_pandas(rows, preserve_index=False))
    # A fingerprint of the content: saving the same rows gives the same files.
    mark = digest_json(rows.to_dict("records"))
    disable_progress_bars()  # on stderr it leaves a red strip in a notebook
    with disk_errors(folder):
        Dataset(table, fingerprint=mark).save_to_disk(folder)


def load_dataset(folder: RunFolder) -> pd.DataFrame:
    """The rows of a frozen data set, digest-checked by its run folder."""
    from datasets import load_from_disk

    return load_from_disk(folder.folder(DATASET)).to_pandas()


def normalise_prompt(prompt: str) -> str:
    """A prompt as duplicates are compared: NFKC, one case, single spaces.

    Signs stay: in arithmetic `3 - 4` and `3 + 4` are different prompts.
    """
    return re.sub(r"\s+", " ", fold_case(prompt)).strip()


def fold_case(prompt: str) -> str:
    """A prompt in NFKC and one case, its lines as they were."""
    return unicodedata.normalize("NFKC", prompt).casefold()


_NUMBER = re.compile(
    r"([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?)\.?(e[+-]?\d{1,4})?", re.ASCII
)


def same_answer(one: str, other: str) -> bool:
    """Whether two golds are one: the same text but for its dress, or one number."""
    first, second = normalise_prompt(one), normalise_prompt(other)
    if first == second or first.rstrip(" .") == second.rstrip(" ."):
        return True
    values = [_number(first), _number(second)]
    return None not in values and values[0] == values[1]


def _number(text: str) -> Decimal | None:
    match = _NUMBER.fullmatch(text)
    if not match or not re.search(r"\d", match[1]):
        return None
    return Decimal(match[1].replace(",", "") + (match[2] or ""))


def is_sentinel(answer: str) -> bool:
    """Whether a gold answer only says that there is none: `proof`, `notfound`."""
    return normalise_prompt(answer).strip(" .") in _SENTINELS
