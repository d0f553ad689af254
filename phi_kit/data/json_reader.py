"""Rows of JSON: one object a line, or one document with a list of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TextIO

from .cell_text import parse_json_number
from .column_names import clean_name, unique_names
from .malformed_lines import DecodingFault, MalformedLine, UnreadableFileError

# Keys under which documents keep their rows.
_ROWS = ("data", "rows", "examples", "items", "records", "train", "questions")
_BLANK = " \t\r\n\v\f"  # not all that Unicode calls a space
LONGEST = 1 << 26  # characters of a line, and of a document that is read whole


class _TwiceError(ValueError):
    """An object that has a key twice, with two values."""


def read_json(
    file: TextIO, spoilt: DecodingFault
) -> Iterator[dict[str, Any] | MalformedLine]:
    """The rows of a JSON file, whichever way it is laid out.

    Args:
        file: the text.
        spoilt: says of a line why it could not be decoded, if so.

    Raises:
        UnreadableFileError: a document that is not whole, or a line without end.
    """
    lines = _lines(file)
    first = next(lines, None)
    if first is None:
        return
    head = first[1].lstrip()
    second = next(lines, None)
    lines = chain((line for line in (first, second) if line), lines)
    value = None if spoilt(head) else _whole_line(head)
    if isinstance(value, Mapping) and second is not None:
        yield from _each(lines, spoilt)
    elif second is None and (
        isinstance(value, Mapping) or value == [] or _holds_rows(value)
    ):
        yield from _document(value)
    elif value is None and (head[:1] == "[" or head.rstrip()[-1:] in tuple("{[,:")):
        yield from _spread(lines, spoilt)
    else:
        yield from _each(lines, spoilt)


def _lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """Lines that say something, with their numbers."""
    place = 0
    while line := file.readline(LONGEST):
        place += 1
        if len(line) >= LONGEST:
            raise UnreadableFileError(
                f"line {place} is longer than {LONGEST:,} characters"
            )
        if line.strip(_BLANK):
            yield place, line


def _whole_line(line: str) -> Any:
    try:
        return _read(line)
    except (ValueError, RecursionError):
        return None


def _spread(
    lines: Iterable[tuple[int, str]], spoilt: DecodingFault
) -> Iterator[dict[str, Any] | MalformedLine]:
    """A document over several lines; if it is none, its lines one by one."""
    held, size = [], 0
    for line in lines:
        held.append(line)
        size += len(line[1])
        if size > LONGEST:  # too long for one document
            yield from _each(chain(held, lines), spoilt)
            return
    whole = "".join(line for _, line in held)
    try:
        yield from _document(_read(whole))
        return
    except _TwiceError as error:
        fault = str(error)
    except RecursionError:
        fault = "is nested too deeply"
    except json.JSONDecodeError as error:
        at = held[min(error.lineno, len(held)) - 1][0]
        fault = f"line {at} column {error.colno}: {error.msg}"
    except ValueError:
        fault = "it has a number that is too long to read"
    found = list(_each(held, spoilt))
    if held[0][1].lstrip().startswith("{") and (several := _objects(whole)):
        yield from several
    elif 2 * sum(isinstance(row, dict) for row in found) < len(found) and (
        held[0][1].lstrip().startswith("[")
    ):
        raise UnreadableFileError(f"the list in it is not whole: {fault}")
    else:
        yield from found


def _objects(whole: str) -> list[dict[str, Any]]:
    """Objects one after another, each over several lines; none if that breaks off."""
    found, at = [], 0
    while at < len(whole):
        try:
            value, at = _decoder().raw_decode(whole, at)
        except (ValueError, RecursionError):
            return []
        if not isinstance(value, dict):
            return []
        found.append(_row(value))
        at += len(whole[at:]) - len(whole[at:].lstrip())
    return found


def _document(value: Any) -> Iterator[dict[str, Any] | MalformedLine]:
    """The rows of a document: a list, or the one that an object keeps as `data`."""
    if isinstance(value, Mapping):
        lists = [one for key, one in value.items() if key in _ROWS and _holds_rows(one)]
        value = lists[0] if len(lists) == 1 else [value]
    if not isinstance(value, list):
        value = [value]
    for place, one in enumerate(value, 1):
        if isinstance(one, dict):
            yield _row(one)
        else:
            said = json.dumps(one)[:2000]
            yield MalformedLine(f"item {place}", said, "is not a JSON object")


def _holds_rows(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def _each(
    lines: Iterable[tuple[int, str]], spoilt: DecodingFault
) -> Iterator[dict[str, Any] | MalformedLine]:
    for place, line in lines:
        yield _line(f"line {place}", line.strip(), spoilt)


def _line(
    where: str, line: str, spoilt: DecodingFault
) -> dict[str, Any] | MalformedLine:
    if why := spoilt(line):
        return MalformedLine(where, line, why, spoilt=True)
    try:
        row = _read(line)
    except RecursionError:
        return MalformedLine(where, line, "is nested too deeply")
    except _TwiceError as error:
        return MalformedLine(where, line, str(error))
    except json.JSONDecodeError:
        return MalformedLine(where, line, "is not JSON")
    except ValueError:  # Python reads no whole number of more than 4,300 digits
        return MalformedLine(where, line, "has a number that is too long to read")
    return (
        _row(row)
        if isinstance(row, dict)
        else MalformedLine(where, line, "is not a JSON object")
    )


def _row(row: dict[str, Any]) -> dict[str, Any]:
    if all(name == clean_name(name) for name in row):
        return row
    return dict(zip(unique_names(list(row)), row.values(), strict=True))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, value in pairs:
            if found[name] != value:
                raise _TwiceError(f"has '{name}' twice, with two values")
    return found


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=_once, parse_float=parse_json_number)


def _read(text: str) -> Any:
    return _decoder().decode(text.strip("\ufeff \t\r\n"))
