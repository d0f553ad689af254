"""The report's tables: the result of a step as rows of words.

What a result lacks is left out or shown as a dash. A column that no row of a result
has, such as those that an older step did not write, is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from phi_kit.core.number_format import (
    NOTHING,
    count,
    is_number,
    percent,
    percent_span,
    points,
    points_span,
)
from phi_kit.plots.style import GUESS
from phi_kit.stats.intervals import wilson_interval

from .findings import over_control, verdict

Result = Mapping[str, Any]
Columns = Mapping[str, Callable[[Result], str]]  # a cell's words by column title
INTERVAL = "[95\u00a0%]"


@dataclass(frozen=True)
class Table:
    """A titled table of texts."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def of_step(number: int, result: Result) -> list[Table]:
    """The tables of a step, those with rows."""
    return [table for make in _MAKERS[number] if (table := make(result)).rows]


# --- values ---


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


def _with_interval(value: str, span: str) -> str:
    return value if span == NOTHING else f"{value} [{span}]"


def _share_of(part: Any, total: Any) -> str:
    """A share with its Wilson interval."""
    if not (is_number(part) and is_number(total) and 0 <= part <= total and total > 0):
        return NOTHING
    return _with_interval(
        percent(part / total), percent_span(*wilson_interval(part, total))
    )


def _of(part: Any, total: Any) -> str:
    return f"{count(part)} of {count(total)}"


# --- cells ---


def _text(key: str) -> Callable[[Result], str]:
    return lambda row: plain(row.get(key))


def _count(key: str) -> Callable[[Result], str]:
    return lambda row: count(row.get(key))


def _number(key: str) -> Callable[[Result], str]:
    return lambda row: (
        f"{row[key]:.1f}".removesuffix(".0") if is_number(row.get(key)) else NOTHING
    )


def _percent(key: str) -> Callable[[Result], str]:
    return lambda row: percent(row.get(key))


def _joined(first: str, second: str) -> Callable[[Result], str]:
    return lambda row: f"{plain(row.get(first))}, {plain(row.get(second))}"


def _change(
    before: str, after: str, words: Callable[[Any], str] = percent
) -> Callable[[Result], str]:
    def both(row: Result) -> str:
        ends = words(row.get(before)), words(row.get(after))
        return NOTHING if set(ends) == {NOTHING} else " → ".join(ends)

    return both


def accuracy(row: Result) -> str:
    """An accuracy with its interval."""
    span = percent_span(row.get("low"), row.get("high"))
    return _with_interval(percent(row.get("accuracy")), span)


def _gain(row: Result, low: str = "low", high: str = "high") -> str:
    """A gain in points with its interval."""
    span = points_span(row.get(low), row.get(high))
    return _with_interval(points(row.get("delta")), span)


_gain_over_base = partial(_gain, low="delta_low", high="delta_high")


def _over(control: str) -> Callable[[Result], str]:
    """A control's accuracy, and what the final adapter gains over it."""

    def words(row: Result) -> str:
        over = over_control(row, control)
        return f"{percent(row.get(control))}, {_gain(over)}" if over else NOTHING

    return words


def _p_value(row: Result) -> str:
    value = row.get("p_holm")
    if not is_number(value):
        return NOTHING
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0")


def _verdict_on_base(row: Result) -> str:
    """Better, worse or cannot tell; a dash for what was not compared."""
    compared = is_number(row.get("delta"))
    return verdict(row, "delta_low", "delta_high") if compared else NOTHING


# --- tables that have one row for each row of the result ---


def _table(title: str, rows: list[Result], columns: Columns) -> Table:
    """A table of these rows, one cell for each column that any of them has."""
    cells = {name: [words(row) for row in rows] for name, words in columns.items()}
    known = {name: some for name, some in cells.items() if {*some} - {NOTHING}}
    return Table(title, tuple(known), list(zip(*known.values(), strict=True)))


def _table_of(title: str, key: str, columns: Columns) -> Callable[[Result], Table]:
    """What makes a table of the rows that stand under a key of the result."""
    return lambda result: _table(title, listed(result, key), columns)


_GAIN_OVER_BASE = f"gain over base, points {INTERVAL}"
_ACCURACY = f"accuracy {INTERVAL}"
_GAIN = f"gain, points {INTERVAL}"

_arms = _table_of(
    "Arms on held-out items",
    "arms",
    {
        "arm": _text("arm"),
        "role": _text("role"),
        "rows": _count("rows"),
        "passes over them": _number("passes"),
        "tokens": _count("tokens"),
        "examples shown": _number("examples"),
        "n": _count("n"),
        _ACCURACY: accuracy,
        GUESS: _percent("guess"),
        "leniently": _percent("lenient"),
        "cut off": _percent("truncated"),
        _GAIN_OVER_BASE: _gain_over_base,
        "of it form": lambda row: points(row.get("form")),
        "p (Holm)": _p_value,
        "verdict": _verdict_on_base,
    },
)
_transforms = _table_of(
    "Rewrites that passed every check",
    "transforms",
    {
        "transform": _text("transform"),
        "tried (n)": _count("tried"),
        "kept": _count("kept"),
        f"share kept {INTERVAL}": lambda row: _share_of(
            row.get("kept"), row.get("tried")
        ),
    },
)
_matrix = _table_of(
    "Every adapter on every domain",
    "matrix",
    {
        "trained on": _text("adapter"),
        "measured on": _text("domain"),
        "n": _count("n"),
        _ACCURACY: accuracy,
        GUESS: _percent("guess"),
        _GAIN_OVER_BASE: _gain_over_base,
        "verdict": _verdict_on_base,
    },
)
_retention = _table_of(
    "What each domain keeps after merging",
    "retention",
    {
        "domain": _text("domain"),
        "n": _count("n"),
        "trained alone": _percent("alone"),
        "trained together": _percent("merged"),
        f"difference, points {INTERVAL}": _gain,
        "verdict": verdict,
    },
)
_benchmarks = _table_of(
    "Base and final adapter, paired by item",
    "scores",
    {
        "benchmark": _joined("domain", "metric"),
        "n items × samples": lambda row: f"{_count('n')(row)} × {_count('k')(row)}",
        "base → final": _change("base", "final"),
        GUESS: _percent("guess"),
        _GAIN: _gain,
        "verdict": verdict,
        "few-shot base, final over it": _over("few_shot"),
        "examples shown": _number("few_shot_examples"),
        "own responses at the probe's tokens, final over it": _over("own"),
        "leniently": _change("base_lenient", "final_lenient"),
        "truncated answers": _change("base_truncated", "final_truncated"),
        "tokens per answer": _change("base_tokens", "final_tokens", count),
    },
)
_by_family = _table_of(
    "The same, family by family (pass@1)",
    "families",
    {
        "family": _joined("domain", "family"),
        "n items": _count("n"),
        "base → final": _change("base", "final"),
        GUESS: _percent("guess"),
        _GAIN: _gain,
        "verdict": verdict,
    },
)


def _doses(result: Result) -> Table:
    columns = {
        "dose": _percent("share"),
        "rows": _count("rows"),
        "n": _count("n"),
        _ACCURACY: accuracy,
        _GAIN_OVER_BASE: _gain_over_base,
    }
    rows = listed(mapped(result, "dose"), "points")
    return _table("Parts of the best arm's rows", rows, columns)


def _search(result: Result) -> Table:
    """The recipes that were tried; step 4 names the chosen one by its place."""
    search = mapped(result, "search")
    rows = [
        {**row, "choice": "chosen" if number == search.get("chosen") else ""}
        for number, row in enumerate(listed(search, "tried"))
    ]
    columns = {
        "learning rate": _text("learning_rate"),
        "rank": _text("rank"),
        "weights": _text("weights"),
        "n": _count("n"),
        f"dev accuracy {INTERVAL}": accuracy,
        "": lambda row: row["choice"],
    }
    arm = plain(search.get("arm"))
    return _table(f"Recipes tried on '{arm}', chosen by dev accuracy", rows, columns)


def _families(result: Result) -> Table:
    rows = sorted(listed(result, "scores"), key=_level)
    if overall := mapped(result, "overall"):
        guess = mapped(mapped(result, "guessing"), "overall").get("accuracy")
        rows.append({**overall, "family": "all", "level": None, "guess": guess})
    columns = {
        "family": _text("family"),
        "level": _text("level"),
        "n": _count("n"),
        f"base accuracy {INTERVAL}": accuracy,
        GUESS: _percent("guess"),
    }
    return _table("Base accuracy on held-out items", rows, columns)


def _level(row: Result) -> float:
    return row["level"] if is_number(row.get("level")) else float("inf")


# --- tables of other shapes ---


def _sources(result: Result) -> Table:
    rows = [(name, count(seeds)) for name, seeds in mapped(result, "sources").items()]
    return Table("Seeds by source", ("source", "kept"), rows)


def _tiers(result: Result) -> Table:
    tiers, risk = mapped(result, "tiers"), mapped(result, "risk")
    total = sum(number for number in tiers.values() if is_number(number))
    rows = [
        (tier, count(n), _share_of(n, total), percent(risk.get(tier)))
        for tier, n in tiers.items()
    ]
    head = ("tier", "seeds", f"share {INTERVAL}", "risk of another tier")
    return Table(f"Seeds by tier, n = {count(total)}", head, rows)


def _afresh(result: Result) -> Table:
    """Mean pass rates of the teachable seeds: when chosen, and afterwards."""
    names = {
        "chosen": "by the samples that chose them",
        "expected": "as their posteriors expect it",
        "fresh": "by fresh samples",
    }
    means = mapped(result, "measured_afresh")
    rows = [
        {**mean, "words": words}
        for name, words in names.items()
        if isinstance(mean := means.get(name), Mapping)
    ]
    columns = {"pass rate": _text("words"), "n": _count("n")}
    columns[f"mean {INTERVAL}"] = accuracy
    return _table("The teachable seeds, measured afresh", rows, columns)


def _responses(result: Result) -> Table:
    """What each source offered, and why the rest is not trained on."""
    responses = mapped(result, "responses")
    own = mapped(mapped(responses, "own"), "sources")
    by_source = {**mapped(responses, "sources")}
    by_source |= {f"{name}, for the arm own": part for name, part in own.items()}
    rows = [
        (
            name,
            count(part.get("made")),
            count(part.get("kept")),
            ", ".join(f"{count(n)} {why}" for why, n in mapped(part, "dropped").items())
            or NOTHING,
        )
        for name, part in by_source.items()
        if isinstance(part, Mapping) and part.get("made")
    ]
    head = ("source", "made", "kept", "dropped")
    style = plain(responses.get("style"))
    return Table(f"Responses in the style '{style}'", head, rows)


def _teacher(result: Result) -> Table:
    """What the teacher was asked; an answer it gave as a reference cost nothing."""
    spent = mapped(mapped(result, "responses"), "teacher")
    cost = spent.get("cost")
    rows = [
        ("samples", count(spent.get("samples"))),
        ("rounds", count(spent.get("rounds"))),
        ("answers it gave as a reference", count(spent.get("reused"))),
        ("seeds its budget left unasked", count(spent.get("unasked"))),
        ("tokens", count(spent.get("tokens"))),
        ("price", f"{cost:,.2f}" if is_number(cost) else "not known"),
    ]
    return Table("What the teacher was asked", ("", ""), rows if spent else [])


def _costs(result: Result) -> Table:
    """What the arms cost in training."""
    arms = {
        "teachable": "teachable",
        "random control": "control",
        "unfiltered": "unfiltered",
    }
    rows = [
        {**costs, "arm": arm}
        for arm, key in arms.items()
        if (costs := mapped(result, key))
    ]
    columns = {
        "arm": _text("arm"),
        "rows": _count("rows"),
        "tokens": _count("tokens"),
        "trained tokens": _count("trained"),
        "teachable rows": _count("shared"),
    }
    return _table("Training rows of the arms", rows, columns)


def _reference(result: Result) -> Table:
    """What a reference model was asked, and how far it can be trusted."""
    reference = mapped(result, "reference")
    gold, unsolved = mapped(reference, "gold_slice"), mapped(reference, "never_solved")
    wrong = _of(gold.get("wrong"), gold.get("sure"))
    span = percent_span(gold.get("low"), gold.get("high"))
    answered = _of(reference.get("answered"), reference.get("without_gold"))
    asked = unsolved.get("asked")
    rows = [
        ("without gold, answered", answered),
        ("with gold, sure and wrong", _with_interval(wrong, span)),
        ("never solved, and it is split", _of(unsolved.get("split"), asked)),
        ("never solved, it answers otherwise", _of(unsolved.get("other"), asked)),
    ]
    head = ("seeds", f"of those it was asked {INTERVAL}")
    return Table("The reference model", head, rows if reference else [])


def _recipe(result: Result) -> Table:
    recipe = mapped(result, "recipe")
    rows = [(name.replace("_", " "), plain(value)) for name, value in recipe.items()]
    return Table("The recipe", ("setting", "value"), rows)


def _mix(result: Result) -> Table:
    mix = mapped(result, "mix")
    total = sum(rows for rows in mix.values() if is_number(rows))
    rows = [
        (kind, count(n), percent(n / total if is_number(n) and total else None))
        for kind, n in mix.items()
    ]
    title = f"The frozen data set, n = {count(total)} rows"
    return Table(title, ("kind", "rows", "share"), rows)


_MAKERS: dict[int, tuple[Callable[[Result], Table], ...]] = {
    1: (_families,),
    2: (_sources,),
    3: (_tiers, _responses, _teacher, _afresh, _costs, _reference),
    4: (_arms, _search, _doses, _recipe),
    5: (_transforms, _mix),
    6: (_matrix, _retention, _recipe),
    7: (_benchmarks, _by_family),
}
