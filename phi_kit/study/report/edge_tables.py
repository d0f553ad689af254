"""The report's tables of step 3 beside its tiers: measured afresh, arms, reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phi_kit.core.number_format import count, percent_span

from .cells import Result, Table, accuracy, mapped, spanned


def afresh(result: Result) -> Table:
    """Mean pass rates of the teachable seeds: when chosen, and afterwards."""
    said = {
        "chosen": "by the samples that chose them",
        "expected": "as their posteriors expect it",
        "fresh": "by fresh samples",
    }
    means = mapped(result, "measured_afresh")
    rows = [
        (words, count(means[name].get("n")), accuracy(means[name]))
        for name, words in said.items()
        if isinstance(means.get(name), Mapping)
    ]
    head = ("pass rate", "n", "mean [95\u00a0%]")
    return Table("The teachable seeds, measured afresh", head, rows)


_COSTS = ("rows", "tokens", "trained", "shared")


def arms(result: Result) -> Table:
    """What the arms cost in training."""
    named = {
        "teachable": "teachable",
        "random control": "control",
        "unfiltered": "unfiltered",
    }
    rows = [
        (name, *(count(found.get(part)) for part in _COSTS))
        for name, key in named.items()
        if (found := mapped(result, key))
    ]
    head = ("arm", "rows", "tokens", "trained tokens", "teachable rows")
    return Table("Training rows of the arms", head, rows)


def reference(result: Result) -> Table:
    """What a reference model was asked, and how far it can be trusted."""
    found = mapped(result, "reference")
    known, unsolved = mapped(found, "gold_slice"), mapped(found, "never_solved")
    wrong = _of(known.get("wrong"), known.get("sure"))
    span = percent_span(known.get("low"), known.get("high"))
    asked = unsolved.get("asked")
    rows = [
        (
            "without gold, answered",
            _of(found.get("answered"), found.get("without_gold")),
        ),
        ("with gold, sure and wrong", spanned(wrong, span)),
        ("never solved, and it is split", _of(unsolved.get("split"), asked)),
        ("never solved, it answers otherwise", _of(unsolved.get("other"), asked)),
    ]
    head = ("seeds", "of those it was asked [95\u00a0%]")
    return Table("The reference model", head, rows if found else [])


def _of(part: Any, whole: Any) -> str:
    return f"{count(part)} of {count(whole)}"


MAKERS = (afresh, arms, reference)
