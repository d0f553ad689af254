"""Tables declared, not coded: where the rows come from and how each column reads.

A form names the rows, by their place in a step's result, and the columns: a label, the
keys of the row that it shows and the format that puts them into words. What a result
lacks is a dash; a column or a table that has nothing is left out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phi_kit.core.number_format import NOTHING, count, is_number

if TYPE_CHECKING:
    import pandas as pd

Result = Mapping[str, Any]
Format = Callable[..., str]


@dataclass(frozen=True)
class Table:
    """A titled table of texts."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        label: its title.
        keys: the values that it shows, as columns of the rows, with spaces between.
        format: what puts these values into words.
    """

    label: str
    keys: str
    format: Format

    def cells(self, rows: Sequence[Result]) -> list[str]:
        """Its words, row by row; a key that a row lacks is `None`."""
        keys = self.keys.split()
        return [self.format(*map(row.get, keys)) for row in rows]


@dataclass(frozen=True)
class TableForm:
    """A table of a step.

    Attributes:
        title: above it; `{total}` is the value that all rows have in that column.
        rows: what takes them from the result.
        columns: label, keys and format of each.
    """

    title: str
    rows: Callable[[Result], pd.DataFrame]
    columns: Sequence[Column]

    def of(self, result: Result) -> Table:
        """The table of a result."""
        rows = _known_values(self.rows(result))
        cells = {column.label: column.cells(rows) for column in self.columns}
        known = {name: some for name, some in cells.items() if {*some} - {NOTHING}}
        return Table(
            self._title(rows), tuple(known), list(zip(*known.values(), strict=True))
        )

    def _title(self, rows: Sequence[Result]) -> str:
        """The title with values of the first row, which are those of every row."""
        if not rows or "{" not in self.title:
            return self.title
        words = {k: count(v) if is_number(v) else plain(v) for k, v in rows[0].items()}
        return self.title.format_map(defaultdict(lambda: NOTHING, words))


def _known_values(frame: pd.DataFrame) -> list[Result]:
    """The rows of a frame without the values that they lack."""
    return [
        {key: value for key, value in row.items() if not _is_nan(value)}
        for row in frame.to_dict("records")
    ]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value


def form(title: str, rows: Any, *columns: tuple[str, str, Format]) -> TableForm:
    """A table form from its columns as (label, keys, format).

    Args:
        title: above it.
        rows: what takes them from the result, or the place of a list of rows in it.
        columns: one or more.
    """
    take = listed_rows(rows) if isinstance(rows, str) else rows
    return TableForm(title, take, [Column(*column) for column in columns])


# --- rows ---


def at(result: Result, place: str) -> Any:
    """What stands at `responses.own.sources` in a result; `None` if nothing does."""
    value: Any = result
    for key in place.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def mapped(result: Result, place: str) -> Mapping[str, Any]:
    """A mapping at a place; empty when it is missing or something else."""
    value = at(result, place)
    return value if isinstance(value, Mapping) else {}


def listed(result: Result, place: str) -> list[Mapping[str, Any]]:
    """A list of rows at a place; empty when it is missing or something else."""
    value = at(result, place)
    rows = value if isinstance(value, list) else []
    return [row for row in rows if isinstance(row, Mapping)]


def frame_of(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a data frame; whole numbers stay whole beside holes."""
    import pandas as pd

    return pd.DataFrame(list(rows), dtype=object)


def listed_rows(place: str) -> Callable[[Result], pd.DataFrame]:
    """Takes the rows of the list at a place."""
    return lambda result: frame_of(listed(result, place))


def named_rows(
    places: Mapping[str, str], **names: str
) -> Callable[[Result], pd.DataFrame]:
    """Takes one row for each name in the mapping at a place, named `name`.

    Args:
        places: by column, where in the result its values stand by name; a mapping
            there gives its own entries as columns.
        names: what the rows are called, in their order, and no others; all that the
            first place has, by their own names, if none is given.
    """

    def take(result: Result) -> pd.DataFrame:
        columns = {column: mapped(result, place) for column, place in places.items()}
        own = names or {name: name for name in next(iter(columns.values()))}
        rows = []
        for name, words in own.items():
            row = {"name": words}
            for column, values in columns.items():
                value = values.get(name)
                row |= value if isinstance(value, Mapping) else {column: value}
            rows.append(row)
        return frame_of([row for row in rows if _says_something(row)])

    return take


def _says_something(row: Result) -> bool:
    """Whether a row has more than its name."""
    return any(value is not None for key, value in row.items() if key != "name")


# --- formats ---


def plain(value: Any) -> str:
    """Any JSON value as a reader writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return NOTHING
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def number(value: Any) -> str:
    """A number with one decimal, or none where it is whole."""
    return f"{value:.1f}".removesuffix(".0") if is_number(value) else NOTHING


def change(words: Format) -> Format:
    """Two values as `34.0 % → 46.3 %`."""

    def both(before: Any, after: Any) -> str:
        ends = words(before), words(after)
        return NOTHING if set(ends) == {NOTHING} else " → ".join(ends)

    return both


def joined(*values: Any) -> str:
    """Values side by side: `math, pass@1`."""
    return ", ".join(map(plain, values))
