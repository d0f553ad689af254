"""Names of columns as people write them, and values that lie inside others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from phi_kit.core.errors import did_you_mean

MISSING: Any = object()
# What stands around a name unseen: white space, a byte order mark, a zero width space.
_UNSEEN = " \t\r\n\v\f\u00a0\ufeff\u200b\0"
# What columns of turns are called.
_CHATS = ("messages", "conversations", "conversation", "chat", "dialogue")
_SHOWN = 12  # names that a message lists


def clean_name(name: object) -> str:
    """A column's name without what nobody sees around it."""
    return str(name).strip(_UNSEEN)


def unique_names(names: Sequence[object]) -> list[str]:
    """The names of a table's columns, each once.

    Of a name that stands twice nobody can say which is meant, so neither column
    has it: both are called by their place, `answer (column 2)`. A column without
    a name is called by its place, too.
    """
    cleaned = [clean_name(name) for name in names]
    often = Counter(cleaned)
    return [
        (f"{name} (column {place})" if often[name] > 1 else name)
        if name
        else f"column {place}"
        for place, name in enumerate(cleaned, 1)
    ]


def find_value(row: Mapping[str, Any], name: str) -> Any:
    """A row's value of that name, or `MISSING`.

    `answer.value` is the `value` inside the column `answer`, and `messages.0.content`
    a part of the first of a list; a missing value has missing parts.
    """
    if name in row:
        return row[name]
    here: Any = row
    for part in name.split("."):
        if here is None:
            return None
        if isinstance(here, Mapping) and part in here:
            here = here[part]
        elif isinstance(here, list | tuple) and re.fullmatch(r"\d{1,6}", part):
            if int(part) >= len(here):
                return MISSING
            here = here[int(part)]
        else:
            return MISSING
    return here


def nested_names(row: Mapping[str, Any]) -> list[str]:
    """The names of a row's columns, and of the parts of those that have parts."""
    names = []
    for name, value in row.items():
        names.append(name)
        if isinstance(value, Mapping):
            names += [f"{name}.{part}" for part in value]
    return names


def missing_column(column: str, known: Iterable[str]) -> str:
    """What to say of a column that a table does not have."""
    names = list(known)
    repeated = re.compile(rf"{re.escape(column)} \(column \d+\)")
    twice = [name for name in names if repeated.fullmatch(name)]
    if twice:
        which = " or ".join(f"'{name}'" for name in twice)
        return f"the column '{column}' stands {len(twice)} times; say which: {which}"
    near = did_you_mean(column, names)
    if "; known:" in near:
        near = f"; known: {list_names(names)}"
    return f"there is no column '{column}'{near}"


def chat_hint(known: Iterable[str]) -> str:
    """How to name a column of turns, where one is called as such columns are."""
    found = next((name for name in known if name in _CHATS), "")
    return f"; a column of turns is named by chat: {found}" if found else ""


def list_names(known: Sequence[str]) -> str:
    """Some names of columns, for a message."""
    names = [name if len(name) <= 40 else f"{name[:37]}..." for name in known]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
