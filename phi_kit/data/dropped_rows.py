"""The quarantine: every dropped row with its reason, and what met the seal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from .records import Seed, to_frame

if TYPE_CHECKING:
    import pandas as pd

FilteredRow = tuple[Seed, str | None]


@dataclass(frozen=True)
class SealHit:
    """What a row has in common with a sealed item.

    Args:
        item: id of the sealed item.
        domain: the domain that sealed it.
        family: the benchmark or family it belongs to.
        how: `exact`, `contained`, `8-gram`, `13-gram` or `short`.
        span: the words they share, as the row has them.
    """

    item: str
    domain: str
    family: str
    how: str
    span: str


class Reason(str):
    """Why a row is dropped: a short text that is counted, and its particulars.

    It compares and counts as its text, so rows dropped for one reason add up
    whatever the particulars are.
    """

    detail: str
    hit: SealHit | None
    of: str

    def __new__(cls, text: str, *, detail: str = "", hit: SealHit | None = None, of=""):
        """A reason; `of` is the id of the ancestor that was hit, if one was."""
        reason = super().__new__(cls, text)
        reason.detail, reason.hit, reason.of = detail, hit, of
        return reason


@dataclass(frozen=True)
class UnreadableRow(Seed):
    """A row of a source that could not be read as a seed.

    `prompt` is the text that stood there. It is a seed because it goes wherever
    the rows of a source go (families, splits, mixes), so that their counts add up;
    `filter_rows` always drops it for its `reason`.
    """

    reason: str = "cannot be read"
    detail: str = ""


def dropped_table(judged: Iterable[FilteredRow]) -> pd.DataFrame:
    """The dropped rows as a table with `reason` and `detail`."""
    gone = [(seed, reason) for seed, reason in judged if reason is not None]
    return to_frame(
        (seed for seed, _ in gone),
        reason=[str(reason) for _, reason in gone],
        detail=[getattr(reason, "detail", "") for _, reason in gone],
    )


_HITS = ("id", "prompt", "ancestor", "item", "domain", "family", "how", "span")


def seal_hit_table(judged: Iterable[FilteredRow]) -> pd.DataFrame:
    """One line per row that met the seal: the row, the item, what they share.

    `ancestor` is empty where the row itself was hit, else the ancestor's id.
    """
    import pandas as pd

    found = [
        {
            "id": seed.id,
            "prompt": seed.prompt,
            "ancestor": reason.of,
            **asdict(reason.hit),
        }
        for seed, reason in judged
        if isinstance(reason, Reason) and reason.hit
    ]
    # Text columns also when nothing was hit: every study's table reads alike.
    return pd.DataFrame(found, columns=_HITS, dtype="str")
