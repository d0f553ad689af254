"""Rows of CSV as Excel, databases and people write it: every value is text."""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, TextIO

from .column_names import unique_names
from .malformed_lines import (
    ENCODING_HINT,
    DecodingFault,
    MalformedLine,
    UnreadableFileError,
)

LONGEST = 1 << 25  # characters of a field; Python's own limit is 131,072
_SAMPLE = 100  # lines that are looked at to tell what parts the fields
_PARTS = (",", ";", "\t", "|")
_NONE = "\x1f"  # stands in no line: the whole line is one field
_SAYS = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


class Layout(NamedTuple):
    """What parts the fields, and whether quotes mean anything."""

    part: str
    quoting: int = csv.QUOTE_MINIMAL


class _Lines:
    """Lines with their numbers; what was read too far is given back."""

    def __init__(self, file: TextIO):
        self._file = file
        self._back: deque[str] = deque()
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._back.popleft() if self._back else self._file.readline(LONGEST)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) >= LONGEST:
            long = f"is longer than {LONGEST:,} characters"
            raise UnreadableFileError(f"line {self.number} {long}")
        return line

    def give_back(self, lines: list[str]) -> None:
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)


def read_csv(
    file: TextIO, spoilt: DecodingFault, *, tabs: bool = False
) -> Iterator[dict[str, Any] | MalformedLine]:
    """The rows of a CSV file; a broken record is a `MalformedLine` in its place.

    The fields are parted by a comma, a semicolon, a tab or a bar, whichever the
    header is parted by and most records fit; a first line `sep=;` says so itself.

    Args:
        file: the text, its line ends as they are.
        spoilt: says of a record why it could not be decoded, if so.
        tabs: whether a tab comes first where several would do.

    Raises:
        UnreadableFileError: the header cannot be read, or a line has no end.
    """
    csv.field_size_limit(LONGEST)
    lines = _Lines(file)
    layout = _layout(lines, tabs=tabs)
    names: list[str] = []
    for number, fields in _records(lines, layout):
        if isinstance(fields, MalformedLine):
            yield fields
        elif not names:
            if why := spoilt("".join(fields)):
                raise UnreadableFileError(f"the header {why}", ENCODING_HINT)
            names = _trimmed(fields)
            known = unique_names(names)
        else:
            yield _row(known, fields, layout, where=f"line {number}", spoilt=spoilt)


def _row(
    known: list[str],
    fields: list[str],
    layout: Layout,
    *,
    where: str,
    spoilt: DecodingFault,
) -> dict[str, Any] | MalformedLine:
    said = layout.part.join(fields)
    if why := spoilt(said):
        return MalformedLine(where, said, why, spoilt=True)
    if len(fields) > len(known) and not any(map(str.strip, fields[len(known) :])):
        fields = fields[: len(known)]  # empty columns that Excel adds at the end
    if len(fields) != len(known):
        return MalformedLine(
            where, said, "has another number of fields than the header"
        )
    return dict(zip(known, fields, strict=True))


def _trimmed(fields: list[str]) -> list[str]:
    """A header without the empty columns at its end."""
    while fields and not fields[-1].strip():
        fields = fields[:-1]
    return fields


def _layout(lines: _Lines, *, tabs: bool) -> Layout:
    sample = list(islice(lines, _SAMPLE))
    said = _SAYS.fullmatch(sample[0]) if sample else None
    lines.give_back(sample[1:] if said else sample)
    if said:
        return Layout(said[1])
    order = ("\t", *_PARTS) if tabs else _PARTS
    fit = {part: _fit(sample, part) for part in order}
    part = max(order, key=lambda one: fit[one])
    if not fit[part]:
        return Layout(_NONE)
    broken = any(
        isinstance(f, MalformedLine) for _, f in _records(_again(sample), Layout(part))
    )
    if part == "\t" and broken:  # many who part by tabs do not quote
        return Layout(part, csv.QUOTE_NONE)
    return Layout(part)


def _again(sample: list[str]) -> _Lines:
    return _Lines(io.StringIO("".join(sample), newline=""))


def _fit(sample: list[str], part: str) -> float:
    """The share of the records that have the header's fields; 0 for one field."""
    records = [f for _, f in _records(_again(sample), Layout(part))]
    read = [_trimmed(fields) for fields in records if isinstance(fields, list)]
    read = [fields for fields in read if fields]
    if not read or len(read[0]) < 2:
        return 0.0
    # One record, the header, says little; half a record keeps it above nothing.
    fitting = sum(len(fields) == len(read[0]) for fields in read[1:])
    return (fitting + 0.5) / (len(records) + 0.5)


def _records(
    lines: _Lines, layout: Layout
) -> Iterator[tuple[int, list[str] | MalformedLine]]:
    """Records with their first line; after a broken one it goes on a line below.

    A quote that never closes would swallow the rest of the file otherwise. Before
    the header, records without a word are left out.
    """
    begun = False
    while True:
        taken: list[str] = []
        reader = csv.reader(
            _noted(lines, taken),
            delimiter=layout.part,
            quoting=layout.quoting,
            skipinitialspace=True,
            strict=True,
        )
        number = lines.number + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.give_back(taken[1:])
            yield (
                number,
                MalformedLine(
                    f"line {number}", taken[0].rstrip("\r\n"), f"is not CSV: {error}"
                ),
            )
            continue
        begun = begun or any(map(str.strip, fields))
        if fields and begun:
            yield number, fields


def _noted(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line
