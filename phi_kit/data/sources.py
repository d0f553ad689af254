"""Where seeds come from: the domain's own tasks, or a local file."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from phi_kit.core.errors import DataError, did_you_mean
from phi_kit.core.params import Strict
from phi_kit.core.places import from_root, shown
from phi_kit.core.runs import digest

from .procedural import Family, items
from .records import Seed

if TYPE_CHECKING:
    import pandas as pd

_READERS = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}


class Procedural(Strict):
    """Items of the study's families, in equal parts; `limit` counts them all."""

    kind: Literal["procedural"] = "procedural"
    limit: int = Field(280, ge=1)


class LocalFile(Strict):
    """A JSONL, CSV or Parquet file with a question and an answer column.

    `answer_after` cuts a worked solution: only what follows its last
    occurrence is the answer (GSM8K marks it with `####`).
    """

    path: str
    question: str = "question"
    answer: str = "answer"
    answer_after: str = ""
    limit: int | None = Field(None, ge=1)
    licence: str = "unknown"

    @field_validator("path")
    @classmethod
    def _exists(cls, path: str) -> str:
        if Path(path).suffix not in _READERS:
            raise ValueError(f"should end in {', '.join(_READERS)}")
        if not from_root(path).is_file():
            raise ValueError("there is no such file, counted from the project's root")
        return path

    def digest(self) -> str:
        """Content digest, so that an edited file redoes what read it."""
        return digest(from_root(self.path))


def _which(value: object) -> str:
    has_path = "path" in value if isinstance(value, dict) else hasattr(value, "path")
    return "file" if has_path else "procedural"


# Told apart by their `path`, so that a fault is reported once, for that kind.
Source = Annotated[
    Annotated[Procedural, Tag("procedural")] | Annotated[LocalFile, Tag("file")],
    Discriminator(_which),
]


def read(
    source: Source, domain: str, *, families: Sequence[Family], rng_seed: int
) -> Iterator[Seed]:
    """The seeds of a source, as they come; nothing is dropped here.

    Args:
        source: one entry of `collect_seeds.sources`.
        domain: the name the seeds carry.
        families: what a procedural source makes.
        rng_seed: the same seed makes the same items.

    Raises:
        DataError: the file lacks a column, cannot be read, or is empty.
    """
    if isinstance(source, LocalFile):
        return _local(source, domain)
    return _procedural(source, domain, families=families, rng_seed=rng_seed)


def _procedural(
    source: Procedural, domain: str, *, families: Sequence[Family], rng_seed: int
) -> Iterator[Seed]:
    streams = [
        items(domain, family, rng_seed=rng_seed, split="train") for family in families
    ]
    # Families take turns, so any limit cuts them evenly.
    turns = itertools.chain.from_iterable(zip(*streams, strict=True))
    return itertools.islice(turns, source.limit)


def _local(source: LocalFile, domain: str) -> Iterator[Seed]:
    path = from_root(source.path)
    frame = _frame(path)
    if frame.empty:
        raise DataError(
            "the source has no rows",
            where=shown(path),
            todo="give a file with rows, or remove it from collect_seeds.sources",
        )
    for column in (source.question, source.answer):
        if column not in frame.columns:
            raise DataError(
                f"there is no column '{column}'"
                f"{did_you_mean(column, map(str, frame.columns))}",
                where=f"{shown(path)}, columns {', '.join(map(str, frame.columns))}",
                todo="name the columns in the study file: question: and answer:",
            )
    for row in frame.head(source.limit or len(frame)).to_dict("records"):
        answer = _text(row[source.answer])
        if source.answer_after:
            _, found, tail = answer.rpartition(source.answer_after)
            answer = tail if found else ""
        yield Seed(
            domain=domain,
            prompt=_text(row[source.question]),
            answer=answer.strip(),
            family=path.stem,
            source=path.name,
            licence=source.licence,
        )


def _text(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    # A column with gaps is read as floats: 13.0 was 13.
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).strip()


def _frame(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow.parquet

    try:
        if path.suffix == ".csv":
            # Everything as text: `007` and `1e3` are answers, not numbers. Without
            # `index_col` a comma too many would shift every column by one.
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)
                return pd.read_csv(
                    path, dtype=str, keep_default_na=False, index_col=False
                )
        # As objects: whole numbers beside a gap would become floats.
        if path.suffix == ".parquet":
            rows = pyarrow.parquet.read_table(path).to_pylist()
        else:
            rows = list(_lines(path))
        return pd.DataFrame(rows, dtype=object)
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except (ValueError, OSError, pd.errors.ParserWarning) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"cannot be read as {path.suffix[1:]}: {error}",
            where=shown(path),
            todo="correct the file; JSONL is one JSON object a line, UTF-8",
        ) from error


def _lines(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(
                    f"line {number} is not JSON: {error}",
                    where=shown(path),
                    todo="correct or remove that line; one JSON object a line",
                ) from error
            if not isinstance(row, dict):
                raise DataError(
                    f"line {number} is not a JSON object",
                    where=shown(path),
                    todo='write {"question": …, "answer": …} on each line',
                )
            yield row
