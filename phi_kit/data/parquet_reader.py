"""Rows of Parquet files and Arrow tables, their numbers as they were meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from .cell_text import EXACT
from .column_names import unique_names
from .malformed_lines import UnreadableFileError

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 512  # that are held at once


def read_parquet(file: BinaryIO) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file.

    Raises:
        UnreadableFileError: it is none, or holds what Python cannot.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=_ROWS):
                yield from batch_rows(batch)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise UnreadableFileError(str(error).splitlines()[0][:300]) from error


def count_parquet(file: BinaryIO) -> int:
    """How many rows a Parquet file has."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as table:
        return table.metadata.num_rows


def batch_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """The rows of an Arrow batch.

    A narrow float is the number that its shortest spelling says: the `0.1` that
    someone stored in 32 bits, not 0.10000000149011612.
    """
    names = unique_names(batch.schema.names)
    columns = [_values(column) for column in batch.columns]
    for cells in zip(*columns, strict=True):
        yield dict(zip(names, cells, strict=True))


def _values(column: pa.Array) -> list[Any]:
    found = column.to_pylist()
    if not re.search(r"\b(half)?float\b", str(column.type)):
        return found
    return [_shortest_float(value, column.type) for value in found]


def _shortest_float(value: Any, kind: pa.DataType) -> Any:
    import numpy as np
    import pyarrow as pa

    if value is None:
        return None
    if pa.types.is_dictionary(kind):
        return _shortest_float(value, kind.value_type)
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return value  # every narrow float is a whole number from some size on
    if pa.types.is_float32(kind):
        return float(str(np.float32(value)))
    if pa.types.is_float16(kind):
        return float(str(np.float16(value)))
    if pa.types.is_struct(kind):
        return {
            field.name: _shortest_float(value[field.name], field.type) for field in kind
        }
    if isinstance(value, list) and not pa.types.is_map(kind):
        return [_shortest_float(one, kind.value_type) for one in value]
    return value
