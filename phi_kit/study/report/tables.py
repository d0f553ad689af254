"""The report's tables: a step's result as rows of words.

A step's result may lack keys (an older run, a newer kit): what is there is
shown, what is not is left out, and single values that nobody asked for are
listed as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from phi_kit.core.number_format import NOTHING, count, known, percent, percent_span
from phi_kit.plots.style import GUESS
from phi_kit.stats.intervals import wilson

from . import edge_tables, probe_tables
from .cells import (
    Result,
    Table,
    accuracy,
    arm_verdict,
    gained,
    listed,
    mapped,
    plain,
    spanned,
)
from .findings import verdict


def of_step(number: int, result: Result) -> list[Table]:
    """The tables of a step, those with rows."""
    return [table for make in _MAKERS[number] if (table := make(result)).rows]


def facts(number: int, result: Result) -> dict[str, str]:
    """Single values of a step by name: the known ones, then any other."""
    known_here = _FACTS.get(number, {})
    named = {
        name: words(result[key])
        for key, (name, words) in known_here.items()
        if result.get(key) not in (None, "", [], {})
    }
    loose = {
        key.replace("_", " "): plain(value)
        for key, value in result.items()
        if key not in known_here | _ABOVE and isinstance(value, str | int | float)
    }
    return {**named, **loose}


def _share(part: Any, whole: Any) -> str:
    if not (known(part) and known(whole) and 0 <= part <= whole and whole > 0):
        return NOTHING
    return spanned(percent(part / whole), percent_span(*wilson(part, whole)))


def _families(result: Result) -> Table:
    rows = [
        (
            plain(row.get("family")),
            plain(row.get("level")),
            count(row.get("n")),
            accuracy(row),
            percent(row.get("guess")),
        )
        for row in sorted(listed(result, "scores"), key=_level)
    ]
    if overall := mapped(result, "overall"):
        guess = mapped(mapped(result, "guessing"), "overall").get("accuracy")
        n = count(overall.get("n"))
        rows.append(("all", NOTHING, n, accuracy(overall), percent(guess)))
    head = ("family", "level", "n", "base accuracy [95\u00a0%]", GUESS)
    return Table("Base accuracy on held-out items", head, rows)


def _level(row: Result) -> float:
    return row["level"] if known(row.get("level")) else float("inf")


def _sources(result: Result) -> Table:
    rows = [(name, count(kept)) for name, kept in mapped(result, "sources").items()]
    return Table("Seeds by source", ("source", "kept"), rows)


def _tiers(result: Result) -> Table:
    tiers = mapped(result, "tiers")
    whole = sum(number for number in tiers.values() if known(number))
    risk = mapped(result, "risk")
    rows = [
        (tier, count(n), _share(n, whole), percent(risk.get(tier)))
        for tier, n in tiers.items()
    ]
    title = f"Seeds by tier, n = {count(whole)}"
    head = ("tier", "seeds", "share [95\u00a0%]", "risk of another tier")
    return Table(title, head, rows)


def _recipe(result: Result) -> Table:
    recipe = mapped(result, "recipe")
    rows = [(name.replace("_", " "), plain(value)) for name, value in recipe.items()]
    return Table("The recipe", ("setting", "value"), rows)


def _transforms(result: Result) -> Table:
    rows = [
        (
            plain(row.get("transform")),
            count(row.get("tried")),
            count(row.get("kept")),
            _share(row.get("kept"), row.get("tried")),
        )
        for row in listed(result, "transforms")
    ]
    head = ("transform", "tried (n)", "kept", "share kept [95\u00a0%]")
    return Table("Rewrites that passed every check", head, rows)


def _mix(result: Result) -> Table:
    mix = mapped(result, "mix")
    whole = sum(rows for rows in mix.values() if known(rows))
    rows = [
        (kind, count(n), percent(n / whole if known(n) and whole else None))
        for kind, n in mix.items()
    ]
    title = f"The frozen data set, n = {count(whole)} rows"
    return Table(title, ("kind", "rows", "share"), rows)


def _matrix(result: Result) -> Table:
    rows = [
        (
            plain(row.get("adapter")),
            plain(row.get("domain")),
            count(row.get("n")),
            accuracy(row),
            percent(row.get("guess")),
            gained(row, "delta_low", "delta_high"),
            arm_verdict(row),
        )
        for row in listed(result, "matrix")
    ]
    head = ("trained on", "measured on", "n", "accuracy [95\u00a0%]", GUESS)
    head += ("gain over base, points [95\u00a0%]", "verdict")
    return Table("Every adapter on every domain", head, rows)


def _retention(result: Result) -> Table:
    rows = [
        (
            plain(row.get("domain")),
            count(row.get("n")),
            percent(row.get("alone")),
            percent(row.get("merged")),
            gained(row),
            verdict(row),
        )
        for row in listed(result, "retention")
    ]
    head = ("domain", "n", "trained alone", "trained together")
    head += ("difference, points [95\u00a0%]", "verdict")
    return Table("What each domain keeps after merging", head, rows)


def _benchmarks(result: Result) -> Table:
    rows = [
        (
            f"{plain(row.get('domain'))}, {plain(row.get('metric'))}",
            f"{count(row.get('n'))} × {count(row.get('k'))}",
            _change(row, "base", "final", percent),
            percent(row.get("guess")),
            gained(row),
            verdict(row),
            _change(row, "base_truncated", "final_truncated", percent),
            _change(row, "base_tokens", "final_tokens", count),
        )
        for row in listed(result, "scores")
    ]
    head = (
        "benchmark",
        "n items × samples",
        "base → final",
        GUESS,
        "gain, points [95\u00a0%]",
    )
    head += ("verdict", "truncated answers", "tokens per answer")
    return Table("Base and final adapter, paired by item", head, rows)


def _by_family(result: Result) -> Table:
    rows = [
        (
            f"{plain(row.get('domain'))}, {plain(row.get('family'))}",
            count(row.get("n")),
            _change(row, "base", "final", percent),
            percent(row.get("guess")),
            gained(row),
            verdict(row),
        )
        for row in listed(result, "families")
    ]
    head = ("family", "n items", "base → final", GUESS, "gain, points [95\u00a0%]")
    return Table("The same, family by family (pass@1)", (*head, "verdict"), rows)


def _change(row: Result, before: str, after: str, words: Callable[[Any], str]) -> str:
    return f"{words(row.get(before))} → {words(row.get(after))}"


_MAKERS: dict[int, tuple[Callable[[Result], Table], ...]] = {
    1: (_families,),
    2: (_sources,),
    3: (_tiers, *edge_tables.MAKERS),
    4: (*probe_tables.MAKERS, _recipe),
    5: (_transforms, _mix),
    6: (_matrix, _retention, _recipe),
    7: (_benchmarks, _by_family),
}


def _sealed(splits: Any) -> str:
    if not isinstance(splits, Mapping):
        return plain(splits)
    return ", ".join(f"{count(n)} {split}" for split, n in splits.items())


def _band(band: Any) -> str:
    if not (isinstance(band, list) and len(band) == 2 and all(map(known, band))):
        return plain(band)
    return f"pass rates from {100 * band[0]:g} to {100 * band[1]:g}\u00a0%"


_FACTS: dict[int, dict[str, tuple[str, Callable[[Any], str]]]] = {
    1: {
        "answer_kind": ("answers are", plain),
        "instruction": ("instruction", plain),
        "sealed": ("sealed items", _sealed),
        "ran_out": ("families that ran out", plain),
    },
    2: {"lopsided": ("one answer too often", plain)},
    3: {
        "samples": ("samples per seed", plain),
        "band": ("band", _band),
        "truncated": ("truncated samples", percent),
        "never_solved": ("never seen solved", plain),
        "doubt": ("tiers that more samples would be expected to change", percent),
    },
    5: {"lopsided": ("one answer too often", plain)},
    6: {"final": ("final adapter", plain)},
}
_ABOVE = {"title": None, "description": None}  # stand above the facts
