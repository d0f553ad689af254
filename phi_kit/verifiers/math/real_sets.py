"""Parts of the real line as sorted stretches, exact: `x < -1 or x > 2`."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from .answer_types import (
    Answer,
    EquationAnswer,
    FormulaAnswer,
    NumberAnswer,
    SequenceAnswer,
    SetAnswer,
    UnionAnswer,
)

INFINITY = float("inf")


class Span(NamedTuple):
    """The numbers from `low` to `high`, each end with or without."""

    low: Fraction | float
    high: Fraction | float
    has_low: bool
    has_high: bool


Spans = tuple[Span, ...]
REALS: Spans = (Span(-INFINITY, INFINITY, False, False),)


def merge_spans(spans: Iterable[Span]) -> Spans:
    """Sorted, without empty ones, those that touch or overlap joined."""
    nonempty = [
        s
        for s in spans
        if s.low < s.high or (s.low == s.high and s.has_low and s.has_high)
    ]
    joined: list[Span] = []
    for span in sorted(nonempty, key=lambda s: (s.low, not s.has_low)):
        last = joined[-1] if joined else None
        touches = last and (
            span.low < last.high
            or (span.low == last.high and (span.has_low or last.has_high))
        )
        if not touches:
            joined.append(span)
            continue
        high, has_high = max((last.high, last.has_high), (span.high, span.has_high))
        joined[-1] = Span(last.low, high, last.has_low, has_high)
    return tuple(joined)


def intersect(one: Spans, other: Spans) -> Spans:
    """What lies in both."""
    common = []
    for a in one:
        for b in other:
            low, not_low = max((a.low, not a.has_low), (b.low, not b.has_low))
            high, has_high = min((a.high, a.has_high), (b.high, b.has_high))
            common.append(Span(low, high, not not_low, has_high))
    return merge_spans(common)


def reals_without(points: Iterable[Fraction]) -> Spans:
    """The real line but for these points."""
    edges = [-INFINITY, *sorted(set(points)), INFINITY]
    return tuple(Span(a, b, False, False) for a, b in pairwise(edges))


def spans_of(value: Answer) -> Spans | None:
    """The stretches that an interval, a union or a set of numbers is."""
    if isinstance(value, EquationAnswer):
        return spans_of(value.right) if r"\in" in value.text else None
    if isinstance(value, UnionAnswer):
        parts = [spans_of(item) for item in value.items]
        return None if None in parts else merge_spans(s for part in parts for s in part)
    if isinstance(value, SetAnswer):
        ends = [_end(item) for item in value.items]
        fits = bool(value.braces) and None not in ends
        return merge_spans(Span(e, e, True, True) for e in ends) if fits else None
    if not isinstance(value, SequenceAnswer) or len(value.items) != 2:
        return None
    low, high = map(_end, value.items)
    if low is None or high is None or value.ends[0] not in "([" or low > high:
        return None
    return merge_spans([Span(low, high, value.ends[0] == "[", value.ends[1] == "]")])


def _end(value: Answer) -> Fraction | float | None:
    if isinstance(value, NumberAnswer) and value.worked_out and not value.percent:
        return value.value
    sign = value.text.replace(" ", "") if isinstance(value, FormulaAnswer) else ""
    return {r"\infty": INFINITY, r"+\infty": INFINITY, r"-\infty": -INFINITY}.get(sign)


def answer_of(text: str, spans: Spans) -> SequenceAnswer | UnionAnswer:
    """Stretches as an answer: one interval, or several."""
    groups = tuple(map(_group, spans))
    return groups[0] if len(groups) == 1 else UnionAnswer(text, groups)


def _group(span: Span) -> SequenceAnswer:
    ends = ("[" if span.has_low else "(") + ("]" if span.has_high else ")")
    low, high = _number(span.low), _number(span.high)
    return SequenceAnswer(
        f"{ends[0]}{low.text},{high.text}{ends[1]}", ends, (low, high)
    )


def _number(end: Fraction | float) -> Answer:
    if isinstance(end, Fraction):
        return NumberAnswer(str(end), end)
    return FormulaAnswer(r"\infty" if end > 0 else r"-\infty")


def join_conditions(
    text: str, items: tuple[Answer, ...], *, either: bool
) -> Answer | None:
    """Several conditions as one part of the line: `x < -1 or x > 2`.

    With `or` their union; else what satisfies all, and where nothing does (people
    write `x < -1, x > 2`, too) their union again.
    """
    conditions = all(_condition(item) for item in items)
    spans = [spans_of(item) for item in items]
    if not conditions:
        return None
    if None in spans:
        alike = all(isinstance(item, SequenceAnswer) for item in items)
        return UnionAnswer(text, items) if either and alike else None
    both = spans[0]
    for part in spans[1:]:
        both = intersect(both, part)
    if either or not both:
        both = merge_spans(span for part in spans for span in part)
    return answer_of(text, both)


def _condition(item: Answer) -> bool:
    r"""Whether an item came of `x < 2` or `x \in (0, 1)`, not of a bare pair."""
    signs = ("<", ">", r"\le", r"\ge", r"\ne", r"\in")
    bracketed = item.text.startswith(("(", "[", "{", r"\{"))
    return any(sign in item.text for sign in signs) and not bracketed
