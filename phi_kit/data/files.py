"""Rows of local JSONL, CSV and Parquet files, the unreadable ones included."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phi_kit.core.errors import DataError
from phi_kit.core.places import shown

SUFFIXES = (".jsonl", ".csv", ".parquet")
_LONGEST = 1 << 27  # characters of one CSV field; Python's own limit is 131,072


@dataclass(frozen=True)
class Bad:
    """A line that is no row: where it stands, what it says, what is wrong."""

    line: int
    text: str
    reason: str


def rows(path: Path) -> Iterator[dict[str, Any] | Bad]:
    """The rows of a file as they come, each a mapping of columns to values.

    A line that cannot be read comes as `Bad` in its place. A file in which
    nothing can be read is refused; where to draw that line is the kit's choice.

    Raises:
        DataError: the file cannot be opened, or no line of it is a row.
    """
    reader = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}[path.suffix]
    try:
        found, first = reader(path), []
        for row in found:  # wait for one row that can be read
            first.append(row)
            if not isinstance(row, Bad):
                break
        else:
            if first:
                raise _unreadable(path, f"line {first[0].line} {first[0].reason}")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    yield from first
    yield from found


def _unreadable(path: Path, why: str) -> DataError:
    return DataError(
        f"cannot be read as {path.suffix[1:]}: {why}",
        where=shown(path),
        todo="correct the file; JSONL is one JSON object a line, UTF-8",
    )


def _jsonl(path: Path) -> Iterator[dict[str, Any] | Bad]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if line.strip():
                yield _json_row(number, line)


def _json_row(number: int, raw: bytes) -> dict[str, Any] | Bad:
    text = raw.decode(errors="replace").strip()
    try:
        row = json.loads(raw.decode())
    except UnicodeDecodeError:
        return Bad(number, text, "is not UTF-8")
    except RecursionError:
        return Bad(number, text, "is nested too deeply")
    except ValueError:
        return Bad(number, text, "is not JSON")
    return row if isinstance(row, dict) else Bad(number, text, "is not a JSON object")


def _csv(path: Path) -> Iterator[dict[str, Any] | Bad]:
    # Everything as text: `007` and `1e3` are answers, not numbers.
    raw = path.read_bytes()
    text = raw.decode("utf-8-sig", errors="replace")
    broken = "\ufffd".encode() not in raw and "\ufffd" in text
    # Not splitlines(): it would cut at a form feed or U+2028 inside a field.
    lines = list(io.StringIO(text, newline=""))
    header: list[str] = []
    for number, fields in _records(lines):
        if isinstance(fields, Bad):
            yield fields
        elif not header:
            header = fields
        elif broken and any("\ufffd" in field for field in fields):
            yield Bad(number, ",".join(fields), "is not UTF-8")
        elif len(fields) != len(header):
            reason = "has another number of fields than the header"
            yield Bad(number, ",".join(fields), reason)
        else:
            yield dict(zip(header, fields, strict=True))


def _records(lines: list[str]) -> Iterator[tuple[int, list[str] | Bad]]:
    """Records with their first line; after a broken one it goes on a line below.

    A quote that never closes would swallow the rest of the file otherwise.
    """
    csv.field_size_limit(_LONGEST)
    begin = 0
    while begin < len(lines):
        reader = csv.reader(iter(lines[begin:]), strict=True)
        base = begin
        try:
            for fields in reader:
                number, begin = begin + 1, base + reader.line_num
                if fields:
                    yield number, fields
        except csv.Error as error:
            bad = Bad(begin + 1, lines[begin].rstrip("\r\n"), f"is not CSV: {error}")
            begin += 1
            yield begin, bad


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, str(error)) from error
