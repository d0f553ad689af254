"""What a step came to, in one sentence made from its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from phi_kit.core.number_format import (
    count,
    is_number,
    percent,
    percent_with_span,
    points_with_span,
)
from phi_kit.plots.style import GUESS
from phi_kit.stats.intervals import wilson_interval

from .step_facts import RULES
from .table_form import Result, at, listed, mapped


def of_step(number: int, result: Result, flow: Mapping[str, Any]) -> str:
    """The sentence of a step; empty where its result has not got the numbers.

    Args:
        number: of the step.
        result: of its manifest.
        flow: the rows that it read, kept and dropped.
    """
    return _SENTENCES[number](result, flow)


def _base(result: Result, _: Mapping[str, Any]) -> str:
    overall = mapped(result, "overall")
    if not is_number(overall.get("accuracy")):
        return ""
    said = f"Base gets {_accuracy(overall)} of {count(overall.get('n'))} items right"
    if is_number(guess := at(result, "guessing.overall.accuracy")):
        said += f"; {GUESS} per family would give {percent(guess)}"
    if is_number(cut := result.get("truncated")):
        said += f"; {percent(cut)} of its answers are cut off"
    return f"{said}."


def _kept(_: Result, flow: Mapping[str, Any]) -> str:
    read, kept = flow.get("read"), flow.get("kept")
    if not read or not is_number(kept):
        return ""
    said = f"{count(kept)} of {count(read)} rows are kept ({percent(kept / read)})"
    dropped = mapped(flow, "dropped")
    if dropped:
        why = max(dropped, key=lambda name: dropped[name])
        said += f"; most others are dropped as: {why} ({count(dropped[why])})"
    return f"{said}."


def _teachable(result: Result, _: Mapping[str, Any]) -> str:
    tiers = mapped(result, "tiers")
    total = sum(n for n in tiers.values() if is_number(n))
    n = tiers.get("teachable")
    if not is_number(n) or not total:
        return ""
    share = percent_with_span(n / total, *wilson_interval(n, total))
    said = f"{count(n)} of {count(total)} seeds are teachable, {share}"
    rule = RULES.get(str(at(result, "responses.teachable")))
    return f"{said}: {rule}." if rule else f"{said}."


def _best_arm(result: Result, _: Mapping[str, Any]) -> str:
    trained = [
        row
        for row in listed(result, "arms")
        if row.get("role") == "arm" and is_number(row.get("accuracy"))
    ]
    if not trained:
        return ""
    best = max(trained, key=lambda row: row["accuracy"])
    gained = points_with_span(
        *(best.get(k) for k in ("delta", "delta_low", "delta_high"))
    )
    said = (
        f"On {count(best.get('n'))} held-out items the arm '{best.get('arm')}' stands "
        f"highest: {_accuracy(best)}, {gained} points over base"
    )
    if len(trained) > 1:
        said += f". The highest of {len(trained)} arms looks better than it is"
    return f"{said}."


def _frozen(result: Result, _: Mapping[str, Any]) -> str:
    mix = {kind: n for kind, n in mapped(result, "mix").items() if is_number(n)}
    if not (total := sum(mix.values())):
        return ""
    parts = ", ".join(f"{count(n)} {kind}" for kind, n in mix.items())
    said = f"The frozen data set has {count(total)} rows: {parts}"
    made = [
        (row["tried"], row["kept"])
        for row in listed(result, "transforms")
        if is_number(row.get("tried")) and is_number(row.get("kept"))
    ]
    if tried := sum(tried for tried, _ in made):
        kept = sum(kept for _, kept in made)
        share = percent_with_span(kept / tried, *wilson_interval(kept, tried))
        said += (
            f"; {count(kept)} of {count(tried)} rewrites passed every check, {share}"
        )
    return f"{said}."


def _merged(result: Result, _: Mapping[str, Any]) -> str:
    parts = [
        f"{row.get('domain')} {percent(row.get('alone'))} alone, "
        f"{percent(row.get('merged'))} together, {_gain(row)} points, "
        f"n = {count(row.get('n'))}"
        for row in listed(result, "retention")
        if is_number(row.get("delta"))
    ]
    return f"Trained alone and together: {'; '.join(parts)}." if parts else ""


def _gained(result: Result, _: Mapping[str, Any]) -> str:
    parts = [
        f"{row.get('domain')} {percent(row.get('base'))} → "
        f"{percent(row.get('final'))}, {_gain(row)} points, n = {count(row.get('n'))}"
        for row in listed(result, "scores")
        if row.get("metric") == "pass@1" and is_number(row.get("delta"))
    ]
    return f"From base to the final adapter: {'; '.join(parts)}." if parts else ""


def _gain(row: Result) -> str:
    return points_with_span(*(row.get(name) for name in ("delta", "low", "high")))


def _accuracy(row: Result) -> str:
    return percent_with_span(row["accuracy"], row.get("low"), row.get("high"))


_SENTENCES: dict[int, Callable[[Result, Mapping[str, Any]], str]] = {
    1: _base,
    2: _kept,
    3: _teachable,
    4: _best_arm,
    5: _frozen,
    6: _merged,
    7: _gained,
}
