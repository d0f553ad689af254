"""Rows of local files: CSV, JSON and Parquet as people have them, packed or not.

What a file is, its content says where that leaves no doubt (packed, Parquet, a
workbook), else its name.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from phi_kit.core.errors import DataError
from phi_kit.core.paths import display_path

from . import csv_reader, json_reader, parquet_reader
from .malformed_lines import (
    ENCODING_HINT,
    DecodingFault,
    MalformedLine,
    UnreadableFileError,
)

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
PACKED = (".gz", ".zst", ".bz2", ".xz")
_JSON = (".jsonl", ".ndjson", ".json")
_HEAD = 4096
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_AS_CSV = "save it as CSV UTF-8 in the program that made it"
# How files begin that are something else than their names say, and what to do.
_OTHERS = (
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", _AS_CSV),
    (b"%PDF", "a PDF", "give its rows as CSV"),
    (b"SQLite format 3", "a database", "export the table as CSV"),
    (b"ARROW1", "an Arrow file", "write it as Parquet"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS",
        "fetch the file: git lfs pull",
    ),
    (b"<!doctype html", "a web page", "download the file itself"),
    (b"<html", "a web page", "download the file itself"),
)
# How Python keeps bytes that are not UTF-8, and what others put in their place.
_BROKEN = {
    "surrogateescape": re.compile("[\udc80-\udcff]"),
    "replace": re.compile("\ufffd"),
}


def file_type(path: Path) -> str:
    """Which of `SUFFIXES` a file's name ends in, before a packer's ending."""
    ends = [suffix.lower() for suffix in path.suffixes[-2:]]
    if ends and ends[-1] in PACKED:
        ends.pop()
    return ends[-1] if ends and ends[-1] in SUFFIXES else ""


def file_stem(path: Path) -> str:
    """A file's name without what `kind` reads."""
    name = path.name
    for ends in (PACKED, SUFFIXES):
        last = Path(name).suffix
        name = name[: -len(last)] if last.lower() in ends else name
    return name or path.name


def read_rows(
    path: Path, encoding: str = ""
) -> Iterator[dict[str, Any] | MalformedLine]:
    """The rows of a file as they come, each a mapping of columns to values.

    A line that cannot be read comes as a `MalformedLine` in its place. A file in which
    nothing can be read is refused; where that line lies is a kit default.

    Args:
        path: of the file.
        encoding: of its text; without one UTF-8, or what a byte order mark says.

    Raises:
        DataError: the file cannot be opened, or no line of it is a row.
    """
    try:
        with _opened(path) as file:
            yield from _from_first_row(_read(path, file, encoding))
    except UnreadableFileError as error:
        raise _unreadable(path, str(error), error.todo) from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _unreadable(path, why) from error


def _from_first_row(
    found: Iterator[dict[str, Any] | MalformedLine],
) -> Iterator[dict[str, Any] | MalformedLine]:
    first = []
    for row in found:  # wait for one row that can be read
        first.append(row)
        if not isinstance(row, MalformedLine):
            break
    else:
        if first:
            why = f"{first[0].where} {first[0].reason}"
            raise UnreadableFileError(why, ENCODING_HINT if first[0].spoilt else "")
    yield from first
    yield from found


def count_rows(path: Path, encoding: str = "") -> int:
    """How many rows `rows` gives."""
    if file_type(path) == ".parquet" and path.suffix.lower() == ".parquet":
        with path.open("rb") as file:
            return parquet_reader.count_parquet(file)
    return sum(1 for _ in read_rows(path, encoding))


def _unreadable(path: Path, why: str, todo: str = "") -> DataError:
    name = file_type(path)[1:]
    usual = {
        "json": "correct the file; a .json file is one list of objects",
        "parquet": "write the file anew",
        "csv": "correct the file; the first line of a CSV names its columns",
        "tsv": "correct the file; the first line names its columns",
    }
    lines = "correct the file; JSONL is one JSON object a line, UTF-8"
    return DataError(
        f"cannot be read as {name}: {why}",
        where=display_path(path),
        todo=todo or usual.get(name, lines),
    )


@contextmanager
def _opened(path: Path) -> Iterator[io.BufferedReader]:
    """The file's bytes, unpacked."""
    with path.open("rb") as raw:
        head = raw.peek(6)[:6]
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(raw) as file:
                yield io.BufferedReader(cast(Any, file))
        elif head.startswith(b"BZh"):
            with bz2.open(raw) as file:
                yield io.BufferedReader(cast(Any, file))
        elif head.startswith(b"\xfd7zXZ"):
            with lzma.open(raw) as file:
                yield io.BufferedReader(cast(Any, file))
        elif head.startswith(b"\x28\xb5\x2f\xfd"):
            import pyarrow as pa

            with pa.input_stream(raw, compression="zstd") as file:
                yield io.BufferedReader(cast(Any, file))
        else:
            yield raw


def _read(
    path: Path, file: io.BufferedReader, encoding: str
) -> Iterator[dict[str, Any] | MalformedLine]:
    head = file.peek(_HEAD)[:_HEAD]
    named = file_type(path)
    if head.startswith(b"PAR1") or named == ".parquet":
        whole = file if path.suffix.lower() not in PACKED else io.BytesIO(file.read())
        return parquet_reader.read_parquet(cast(BinaryIO, whole))
    _require_text(head, named)
    encoding = _encoding(head) if encoding in ("", "utf-8") else encoding
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    lines = "\n" if named in _JSON else ""  # CSV has line ends of its own
    text = io.TextIOWrapper(file, encoding, errors=errors, newline=lines)
    spoilt = _decoding_fault(encoding, errors)
    if named in _JSON:
        return json_reader.read_json(text, spoilt)
    return csv_reader.read_csv(text, spoilt, tabs=named == ".tsv")


def _decoding_fault(encoding: str, errors: str) -> DecodingFault:
    why = f"is not {encoding.removesuffix('-sig').upper()}"
    return lambda text: why if _BROKEN[errors].search(text) else ""


def _require_text(head: bytes, named: str) -> None:
    """Refuse what is no text, by name where it is well known."""
    if head.startswith(b"PK\x03\x04"):
        book = any(mark in head for mark in (b"[Content_Types].xml", b"xl/", b"spread"))
        what = "an Excel workbook" if book else "a zip archive"
        raise UnreadableFileError(
            f"it is {what}, whatever its name",
            _AS_CSV if book else "unpack it and give the file inside",
        )
    start = head.lstrip().lower()
    for begin, what, todo in _OTHERS:
        if head.startswith(begin) or start.startswith(begin):
            raise UnreadableFileError(f"it is {what}, whatever its name", todo)
    if named not in _JSON and re.match(rb'(\xef\xbb\xbf)?\s*(\{\s*"|\[\s*\{)', head):
        raise UnreadableFileError("it holds JSON", "name it .jsonl")


def _encoding(head: bytes) -> str:
    """UTF-8, unless a byte order mark or the place of the zeros says otherwise."""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    start = head[:200]
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if odd > len(start) / 5 and not even:
        return "utf-16-le"
    if even > len(start) / 5 and not odd:
        return "utf-16-be"
    return "utf-8-sig"
