"""The report's tables of step 4: arms, recipes that were tried, doses."""

from __future__ import annotations

from typing import Any

from phi_kit.core.number_format import NOTHING, count, known, percent
from phi_kit.plots.style import GUESS

from .cells import Result, Table, accuracy, arm_verdict, gained, listed, mapped, plain


def _arms(result: Result) -> Table:
    rows = [
        (
            plain(row.get("arm")),
            count(row.get("rows")),
            count(row.get("tokens")),
            count(row.get("n")),
            accuracy(row),
            percent(row.get("guess")),
            gained(row, "delta_low", "delta_high"),
            _p(row.get("p_holm")),
            arm_verdict(row),
        )
        for row in listed(result, "arms")
    ]
    head = ("arm", "rows", "tokens", "n", "accuracy [95\u00a0%]")
    head += (GUESS, "gain over base, points [95\u00a0%]", "p (Holm)", "verdict")
    return Table("Arms on held-out items", head, rows)


def _p(value: Any) -> str:
    if not known(value):
        return NOTHING
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0")


def _tried(result: Result) -> Table:
    search = mapped(result, "search")
    rows = [
        (
            plain(row.get("learning_rate")),
            plain(row.get("rank")),
            plain(row.get("weights")),
            count(row.get("n")),
            accuracy(row),
            "chosen" if place == search.get("chosen") else "",
        )
        for place, row in enumerate(listed(search, "tried"))
    ]
    head = ("learning rate", "rank", "weights", "n", "dev accuracy [95\u00a0%]", "")
    arm = plain(search.get("arm"))
    return Table(f"Recipes tried on '{arm}', chosen by dev accuracy", head, rows)


def _doses(result: Result) -> Table:
    rows = [
        (
            percent(row.get("share")),
            count(row.get("rows")),
            count(row.get("n")),
            accuracy(row),
            gained(row, "delta_low", "delta_high"),
        )
        for row in listed(mapped(result, "dose"), "points")
    ]
    head = ("dose", "rows", "n", "accuracy [95\u00a0%]")
    head += ("gain over base, points [95\u00a0%]",)
    return Table("Parts of the best arm's rows", head, rows)


MAKERS = (_arms, _tried, _doses)
