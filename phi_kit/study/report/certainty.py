"""The answer of a study, and how sure each of its verdicts is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phi_kit.core.number_format import (
    NOTHING,
    count,
    is_number,
    percent,
    points_with_span,
)
from phi_kit.stats.comparison import NOT_CONSTANT

from .findings import Finding, verdict
from .table_form import Result, Table, form, plain

_IN_A_WORD = {
    "better": "Yes",
    "worse": "No: worse",
    "cannot tell": "This study cannot tell",
    NOT_CONSTANT: "Better than base, not than one constant answer",
}


@dataclass(frozen=True)
class DomainAnswer:
    """What the final adapter gained in a domain.

    Attributes:
        domain: its name.
        words: yes, no and the like.
        change: accuracies of base and final.
        gain: in points, with its interval and n.
        verdict: on the gain.
    """

    domain: str
    words: str
    change: str
    gain: str
    verdict: str


def answer_of(row: Result) -> DomainAnswer:
    """The answer that a row of step 7's scores gives."""
    said = verdict(row)
    gained = points_with_span(*(row.get(name) for name in ("delta", "low", "high")))
    return DomainAnswer(
        str(row.get("domain", "items")),
        _IN_A_WORD.get(said, said),
        f"{percent(row.get('base'))} → {percent(row.get('final'))}",
        f"{gained} points, n\u00a0=\u00a0{count(row.get('n'))}",
        said,
    )


def certainty_table(found: Sequence[Finding]) -> Table:
    """What the items of every comparison can show, and what it would take."""
    rows = [
        {
            **one.row,
            "about": one.about,
            "verdict": one.verdict,
            "least": one.least_seen,
            # What is told already has had items enough.
            "as_found": one.items_for(one.row.get("delta")) if one.settling else None,
            "five": one.items_for(0.05),
        }
        for one in found
        if one.about and one.least_seen
    ]
    return _FORM.of({"findings": rows})


def _in_points(value: Any) -> str:
    return f"{100 * value:.1f}" if is_number(value) else NOTHING


_FORM = form(
    "How sure each verdict is",
    "findings",
    ("comparison", "about", plain),
    ("difference, points [95\u00a0%]", "delta low high", points_with_span),
    ("n", "n", count),
    ("verdict", "verdict", plain),
    ("least difference that n items show", "least", _in_points),
    ("n for one as large as found", "as_found", count),
    ("n for 5 points", "five", count),
)
