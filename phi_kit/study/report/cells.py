"""What a table of the report is made of: values of a step's result as words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phi_kit.core.number_format import (
    NOTHING,
    known,
    percent,
    percent_span,
    points,
    points_span,
)

from .findings import verdict

Result = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """A titled table of texts."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def plain(value: Any) -> str:
    """Any JSON value as a reader writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return NOTHING
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def listed(result: Result, key: str) -> list[Mapping[str, Any]]:
    """A list of rows under a key; empty when it is missing or something else."""
    value = result.get(key)
    rows = value if isinstance(value, list) else []
    return [row for row in rows if isinstance(row, Mapping)]


def mapped(result: Result, key: str) -> Mapping[str, Any]:
    """A mapping under a key; empty when it is missing or something else."""
    value = result.get(key)
    return value if isinstance(value, Mapping) else {}


def accuracy(row: Result) -> str:
    """An accuracy with its interval."""
    return spanned(
        percent(row.get("accuracy")), percent_span(row.get("low"), row.get("high"))
    )


def gained(row: Result, low: str = "low", high: str = "high") -> str:
    """A gain in points with its interval."""
    return spanned(points(row.get("delta")), points_span(row.get(low), row.get(high)))


def spanned(value: str, span: str) -> str:
    """A value with its interval, where there is one."""
    return value if span == NOTHING else f"{value} [{span}]"


def arm_verdict(row: Result) -> str:
    """Better, worse or cannot tell; a dash for what was not compared."""
    if not known(row.get("delta")):
        return NOTHING
    return verdict(row, "delta_low", "delta_high")
