"""The tables of the seven steps: what each shows of its step's result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from phi_kit.core.number_format import (
    NOTHING,
    count,
    is_number,
    percent,
    percent_span,
    percent_with_span,
    points,
    points_with_span,
)
from phi_kit.plots.style import GUESS
from phi_kit.stats.intervals import wilson_interval

from .findings import verdict_of
from .table_form import (
    Result,
    Table,
    TableForm,
    at,
    change,
    form,
    frame_of,
    joined,
    listed,
    mapped,
    named_rows,
    number,
    plain,
)

if TYPE_CHECKING:
    import pandas as pd

_95 = "[95\u00a0%]"


def of_step(number: int, result: Result) -> list[Table]:
    """The tables of a step, those with rows."""
    return [table for made in _FORMS[number] if (table := made.of(result)).rows]


# --- formats of these tables ---


def _share_of(part: Any, total: Any) -> str:
    """A share with its Wilson interval."""
    if not (is_number(part) and is_number(total) and 0 <= part <= total and total > 0):
        return NOTHING
    return percent_with_span(part / total, *wilson_interval(part, total))


def _p_value(value: Any) -> str:
    if not is_number(value):
        return NOTHING
    return "< .001" if value < 0.001 else f"{value:.3f}".lstrip("0")


def _verdict(said: Any, delta: Any, low: Any, high: Any) -> str:
    """Better, worse or cannot tell; a dash for what was not compared."""
    return verdict_of(said, low, high) if is_number(delta) else NOTHING


def _control(right: Any, over: Any, low: Any, high: Any) -> str:
    """A control's accuracy, and what the final adapter gains over it."""
    if not is_number(over):
        return NOTHING
    return f"{percent(right)}, {points_with_span(over, low, high)}"


def _asked(items: Any, samples: Any) -> str:
    return f"{count(items)} × {count(samples)}"


def _reasons(dropped: Any) -> str:
    if not isinstance(dropped, Mapping):
        return NOTHING
    return ", ".join(f"{count(n)} {why}" for why, n in dropped.items()) or NOTHING


def _price(cost: Any) -> str:
    return f"{cost:,.2f}" if is_number(cost) else "not known"


# --- rows that a list does not give as they are ---


def _families(result: Result) -> pd.DataFrame:
    """Families by level, then all items together."""
    rows = sorted(
        listed(result, "scores"),
        key=lambda row: row["level"] if is_number(row.get("level")) else float("inf"),
    )
    if overall := mapped(result, "overall"):
        guess = at(result, "guessing.overall.accuracy")
        rows.append({**overall, "family": "all", "level": None, "guess": guess})
    return frame_of(rows)


def _with_total(place: str, **also: str):
    """Counts by name with their sum, and whatever else stands by these names."""
    take = named_rows({"rows": place, **also})

    def rows(result: Result) -> pd.DataFrame:
        numbers = [n for n in mapped(result, place).values() if is_number(n)]
        frame = take(result)
        return frame.assign(total=sum(numbers)) if len(frame) else frame

    return rows


def _sources(result: Result) -> pd.DataFrame:
    """What each source of responses offered, the student's own for its arm last."""
    named = {**mapped(result, "responses.sources")}
    own = mapped(result, "responses.own.sources")
    named |= {f"{name}, for the arm own": part for name, part in own.items()}
    style = at(result, "responses.style")
    rows = [
        {**part, "name": name, "style": style}
        for name, part in named.items()
        if isinstance(part, Mapping) and part.get("made")
    ]
    return frame_of(rows)


def _recipes(result: Result) -> pd.DataFrame:
    """The recipes that were tried; step 4 names the chosen one by its place."""
    search = mapped(result, "search")
    chosen, arm = search.get("chosen"), search.get("arm")
    return frame_of(
        [
            {**row, "arm": arm, "choice": "chosen" if place == chosen else None}
            for place, row in enumerate(listed(search, "tried"))
        ]
    )


def _settings(result: Result) -> pd.DataFrame:
    recipe = mapped(result, "recipe").items()
    return frame_of([{"name": n.replace("_", " "), "value": v} for n, v in recipe])


def _reference(result: Result) -> pd.DataFrame:
    """What a reference model was asked, and how far it can be trusted."""
    told = mapped(result, "reference")
    if not told:
        return frame_of([])
    gold, unsolved = mapped(told, "gold_slice"), mapped(told, "never_solved")
    asked = unsolved.get("asked")
    rows = (
        ("without gold, answered", told.get("answered"), told.get("without_gold"), {}),
        ("with gold, sure and wrong", gold.get("wrong"), gold.get("sure"), gold),
        ("never solved, and it is split", unsolved.get("split"), asked, {}),
        ("never solved, it answers otherwise", unsolved.get("other"), asked, {}),
    )
    keys = ("name", "part", "of")
    return frame_of([dict(zip(keys, row, strict=False)) | {**row[-1]} for row in rows])


def _part_of(part: Any, whole: Any, low: Any, high: Any) -> str:
    words, span = f"{count(part)} of {count(whole)}", percent_span(low, high)
    return words if span == NOTHING else f"{words} [{span}]"


def _teacher(result: Result) -> pd.DataFrame:
    spent = mapped(result, "responses.teacher")
    return frame_of(
        [
            {"name": words, "value": reads(spent.get(key))}
            for key, words, reads in _SPENT
        ]
        if spent
        else []
    )


_SPENT = (
    ("samples", "samples", count),
    ("rounds", "rounds", count),
    ("reused", "answers it gave as a reference", count),
    ("unasked", "seeds its budget left unasked", count),
    ("tokens", "tokens", count),
    ("cost", "price", _price),
)

# --- the forms ---

_N = ("n", "n", count)
_ACCURACY = (f"accuracy {_95}", "accuracy low high", percent_with_span)
_GUESS = (GUESS, "guess", percent)
_OVER_BASE = (
    f"gain over base, points {_95}",
    "delta delta_low delta_high",
    points_with_span,
)
_GAIN = (f"gain, points {_95}", "delta low high", points_with_span)
_ON_BASE = ("verdict", "verdict delta delta_low delta_high", _verdict)
_ON_GAIN = ("verdict", "verdict delta low high", _verdict)
_CHANGE = ("base → final", "base final", change(percent))

_RECIPE = form(
    "The recipe", _settings, ("setting", "name", plain), ("value", "value", plain)
)
_FORMS: dict[int, tuple[TableForm, ...]] = {
    1: (
        form(
            "Base accuracy on held-out items",
            _families,
            ("family", "family", plain),
            ("level", "level", plain),
            _N,
            (f"base accuracy {_95}", "accuracy low high", percent_with_span),
            _GUESS,
        ),
    ),
    2: (
        form(
            "Seeds by source",
            named_rows({"kept": "sources"}),
            ("source", "name", plain),
            ("kept", "kept", count),
        ),
    ),
    3: (
        form(
            "Seeds by tier, n = {total}",
            _with_total("tiers", risk="risk"),
            ("tier", "name", plain),
            ("seeds", "rows", count),
            (f"share {_95}", "rows total", _share_of),
            ("risk of another tier", "risk", percent),
        ),
        form(
            "Responses in the style '{style}'",
            _sources,
            ("source", "name", plain),
            ("made", "made", count),
            ("kept", "kept", count),
            ("dropped", "dropped", _reasons),
        ),
        form(
            "What the teacher was asked",
            _teacher,
            ("of the teacher", "name", plain),
            ("number", "value", plain),
        ),
        form(
            "The teachable seeds, measured afresh",
            named_rows(
                {"mean": "measured_afresh"},
                chosen="by the samples that chose them",
                expected="as their posteriors expect it",
                fresh="by fresh samples",
            ),
            ("pass rate", "name", plain),
            _N,
            (f"mean {_95}", "accuracy low high", percent_with_span),
        ),
        form(
            "Training rows of the arms",
            lambda result: named_rows(
                {"arm": "arms"},
                teachable="teachable",
                control="random control",
                unfiltered="unfiltered",
            )({"arms": result}),
            ("arm", "name", plain),
            ("rows", "rows", count),
            ("tokens", "tokens", count),
            ("trained tokens", "trained", count),
            ("teachable rows", "shared", count),
        ),
        form(
            "The reference model",
            _reference,
            ("seeds", "name", plain),
            (f"of those it was asked {_95}", "part of low high", _part_of),
        ),
    ),
    4: (
        form(
            "Arms on held-out items",
            "arms",
            ("arm", "arm", plain),
            ("role", "role", plain),
            ("rows", "rows", count),
            ("passes over them", "passes", number),
            ("tokens", "tokens", count),
            ("examples shown", "examples", number),
            _N,
            _ACCURACY,
            _GUESS,
            ("leniently", "lenient", percent),
            ("cut off", "truncated", percent),
            _OVER_BASE,
            ("of it form", "form", points),
            ("p (Holm)", "p_holm", _p_value),
            _ON_BASE,
        ),
        form(
            "Recipes tried on '{arm}', chosen by dev accuracy",
            _recipes,
            ("learning rate", "learning_rate", plain),
            ("rank", "rank", plain),
            ("weights", "weights", plain),
            _N,
            (f"dev accuracy {_95}", "accuracy low high", percent_with_span),
            ("choice", "choice", plain),
        ),
        form(
            "Parts of the best arm's rows",
            "dose.points",
            ("dose", "share", percent),
            ("rows", "rows", count),
            _N,
            _ACCURACY,
            _OVER_BASE,
        ),
        _RECIPE,
    ),
    5: (
        form(
            "Rewrites that passed every check",
            "transforms",
            ("transform", "transform", plain),
            ("tried (n)", "tried", count),
            ("kept", "kept", count),
            (f"share kept {_95}", "kept tried", _share_of),
        ),
        form(
            "The frozen data set, n = {total} rows",
            _with_total("mix"),
            ("kind", "name", plain),
            ("rows", "rows", count),
            ("share", "rows total", lambda n, of: percent(n / of if of else None)),
        ),
        form(
            "Rounds, each but the last probed on dev",
            "rounds",
            ("round", "round", count),
            ("seeds rewritten", "seeds", count),
            ("rows kept", "rows", count),
            _N,
            _ACCURACY,
            (
                f"gain over the one before, points {_95}",
                "delta delta_low delta_high",
                points_with_span,
            ),
            ("then", "said", plain),
        ),
        form(
            "Made rows and their seeds",
            "balance",
            ("made by", "part", plain),
            ("rows (n)", "n", count),
            ("log-probability (median)", "logprob_p50", number),
            ("words (median)", "words_p50", number),
            ("distinct 3-grams", "distinct", percent),
            ("3-grams in no seed", "new", percent),
            ("answers", "answers", count),
            ("commonest", "top", plain),
            ("its share", "top_share", percent),
            ("answers that a seed has, too", "known", percent),
        ),
    ),
    6: (
        form(
            "Every adapter on every domain",
            "matrix",
            ("trained on", "adapter", plain),
            ("measured on", "domain", plain),
            _N,
            _ACCURACY,
            _GUESS,
            _OVER_BASE,
            _ON_BASE,
        ),
        form(
            "What each domain keeps after merging",
            "retention",
            ("domain", "domain", plain),
            _N,
            ("trained alone", "alone", percent),
            ("trained together", "merged", percent),
            (f"difference, points {_95}", "delta low high", points_with_span),
            _ON_GAIN,
        ),
        form(
            "Organic rows alone and the mix, at equal trained tokens",
            "organic",
            ("domain", "domain", plain),
            _N,
            ("rows alone, in the mix", "organic_rows mix_rows", change(count)),
            ("trained tokens", "organic_tokens mix_tokens", change(count)),
            ("organic alone", "organic", percent),
            ("mix", "mix", percent),
            (f"difference, points {_95}", "delta low high", points_with_span),
            _ON_GAIN,
        ),
        _RECIPE,
    ),
    7: (
        form(
            "Base and final adapter, paired by item",
            "scores",
            ("benchmark", "domain metric", joined),
            ("n items × samples", "n k", _asked),
            _CHANGE,
            _GUESS,
            _GAIN,
            _ON_GAIN,
            (
                "few-shot base, final over it",
                "few_shot over_few_shot over_few_shot_low over_few_shot_high",
                _control,
            ),
            ("examples shown", "few_shot_examples", number),
            (
                "own responses at the probe's tokens, final over it",
                "own over_own over_own_low over_own_high",
                _control,
            ),
            ("leniently", "base_lenient final_lenient", change(percent)),
            ("truncated answers", "base_truncated final_truncated", change(percent)),
            ("tokens per answer", "base_tokens final_tokens", change(count)),
        ),
        form(
            "The same, family by family (pass@1)",
            "families",
            ("family", "domain family", joined),
            ("n items", "n", count),
            _CHANGE,
            _GUESS,
            _GAIN,
            _ON_GAIN,
        ),
    ),
}
