"""Values of a table as text: numbers as they were written, dates, lists of answers."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .records import same_answer

EXACT = 2**53  # from here on a float is no longer every whole number
_LONGEST = 50  # digits up to which a decimal is written out
_HALVES = re.compile("[\ud800-\udfff]")
_PLAIN = (str, int, datetime.date, datetime.time, datetime.timedelta)


class ExactFloat(float):
    """A float that is not quite the number that was written, and what was."""

    text: str

    def __new__(cls, literal: str) -> ExactFloat:
        """Of a literal such as `9007199254740993.0`, which no float holds."""
        value = super().__new__(cls, literal)
        value.text = literal
        return value


def parse_json_number(literal: str) -> float:
    """A JSON number with a point or an exponent; nothing of it is lost."""
    value = float(literal)
    try:
        same = Decimal(literal) == Decimal(repr(value))
    except ArithmeticError:  # an exponent beyond all bounds
        same = False
    return value if same else ExactFloat(literal)


class NotTextError(ValueError):
    """A value that is no text; it says what it is."""


def to_text(value: object) -> str:
    """A value as text that any file can hold; a missing one is empty.

    A whole number is written without a point (a column with gaps is kept as
    floats: `13.0` was 13), any other the shortest way that is still exact. A date
    is ISO 8601; a time of midnight is how tables keep a date, and is left out.

    Raises:
        NotTextError: a list, a mapping, or bytes that are no text.
    """
    if value is None:
        return ""
    if isinstance(value, float):
        value = _float(value)
    elif isinstance(value, Decimal):
        value = _decimal(value)
    elif isinstance(value, datetime.datetime):
        value = _datetime(value)
    elif isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise NotTextError("bytes that are no text") from None
    elif isinstance(value, Mapping):
        raise NotTextError("a mapping")
    elif isinstance(value, list | tuple | set):
        raise NotTextError("a list")
    elif not isinstance(value, _PLAIN):
        raise NotTextError(f"a {type(value).__name__}")
    return replace_surrogates(str(value).strip())


def replace_surrogates(said: str) -> str:
    """Text without half surrogate pairs, which are no text in any encoding."""
    return _HALVES.sub("\ufffd", said)


def _float(value: float) -> str:
    if value != value:
        return ""
    said = value.text if isinstance(value, ExactFloat) else repr(value)
    if abs(value) < EXACT and value.is_integer():
        return str(int(value))
    return re.sub(r"\.0*$", "", said)


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        return "" if value.is_nan() else str(value)
    bare = value.normalize()
    few = abs(bare.adjusted()) < _LONGEST
    return format(bare + 0, "f") if few else str(bare)


def _datetime(value: datetime.datetime) -> str:
    midnight = value.time() == datetime.time() and value.tzinfo is None
    return value.date().isoformat() if midnight else value.isoformat(sep=" ")


def to_answers(value: object) -> list[str]:
    """The different answers that a gold column names, the first one first.

    A list with one answer is that answer, and so is one that says it several
    times: `["72", "72.0"]`. Missing ones do not count.

    Raises:
        NotTextError: it names something that is no text.
    """
    parts = value if isinstance(value, list | tuple) else [value]
    found: list[str] = []
    for part in parts:
        # A list of one inside a list: how some tables keep an answer per annotator.
        for said in (
            to_answers(part) if isinstance(part, list | tuple) else [to_text(part)]
        ):
            if said and not any(same_answer(said, other) for other in found):
                found.append(said)
    return found


def to_json_value(value: Any) -> Any:
    """A value that JSON can hold, for what is kept beside an answer."""
    if isinstance(value, Mapping):
        return {
            replace_surrogates(str(key)): to_json_value(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set):
        return [to_json_value(inner) for inner in value]
    if isinstance(value, Decimal):
        return float(value) if value.is_finite() else None
    if isinstance(value, str):
        return replace_surrogates(value)
    if value is None or isinstance(value, int | float):
        return value
    try:
        return to_text(value)
    except NotTextError:
        return repr(value)
