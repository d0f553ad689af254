"""The court: what each verifier is worth, by its own cases and a second reader.

Three questions are put to a verifier. Does every case of its table get the
verdict it must? Does other formatting leave a right answer right, and is a
near miss refused? Does a second, independent implementation agree? Whatever
fails is a row of a table for a human to read; rates have Wilson intervals.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any

from phi_kit.core.errors import StudyError
from phi_kit.data.records import Seed, normal

from . import get, names, near
from .base import Case, Verdict, visible
from .workers import pool


@dataclass(frozen=True)
class Disagreement:
    """A verdict that a human should look at."""

    verifier: str
    question: str
    gold: str
    response: str
    expected: str
    got: str
    reason: str


@dataclass
class Tally:
    """Errors among `n` trials of one question."""

    n: int = 0
    errors: int = 0

    def as_dict(self) -> dict[str, float]:
        """Counts, the estimated rate, and its 95 % Wilson interval."""
        # Only this report needs statistics; no verifier does.
        from phi_kit.metrics.intervals import wilson

        low, high = wilson(self.errors, self.n)
        rate = self.errors / self.n if self.n else float("nan")
        return {**asdict(self), "rate": rate, "low": low, "high": high}


@dataclass
class Report:
    """What the court found about one verifier."""

    verifier: str
    tallies: dict[str, Tally] = field(default_factory=dict)
    queue: list[Disagreement] = field(default_factory=list)

    def count(
        self, question: str, case: Case, verdict: Verdict, *, expected: str
    ) -> None:
        """One trial: an error goes to the queue."""
        tally = self.tallies.setdefault(question, Tally())
        tally.n += 1
        if verdict.value == expected:
            return
        tally.errors += 1
        texts = (case.gold, case.response, expected, verdict.value, verdict.reason)
        self.queue.append(Disagreement(self.verifier, question, *texts))


# Right answers refused in other dress, wrong answers accepted, other readers.
CASES, FLIPS = "own cases", "right, refused"
NEAR, SECOND = "wrong, accepted", "second reader"


def cases(name: str) -> tuple[Case, ...]:
    """The table that a verifier carries; empty where it has none."""
    get(name)  # a name that no verifier has is told here
    return tuple(getattr(import_module(f"phi_kit.verify.{name}"), "CASES", ()))


def seed_of(case: Case) -> Seed:
    """The item of a case."""
    return Seed("court", case.prompt, case.gold, extra=json.dumps(dict(case.extra)))


def hear(name: str) -> Report:
    """Put all questions to one verifier.

    Raises:
        StudyError: there is no such verifier, or it carries no table.
        RunError: a worker that it needs does not start.
    """
    table = cases(name)
    if not table:
        raise StudyError(
            f"the verifier '{name}' carries no table of cases",
            todo=f"give phi_kit/verify/{name}.py a CASES tuple",
        )
    report, verify = Report(name), get(name)
    for case in table:
        report.count(CASES, case, verify(seed_of(case), case.response),
                     expected=case.value)  # fmt: skip
    for question, case in _metamorphic(name, table):
        report.count(question, case, verify(seed_of(case), case.response),
                     expected=case.value)  # fmt: skip
    if reader := SECONDS_READERS.get(name):
        for case in dict.fromkeys(_second(name, table)):
            opinion = reader(case)
            if opinion:
                report.count(SECOND, case, verify(seed_of(case), case.response),
                             expected=opinion)  # fmt: skip
    return report


def _second(name: str, table: tuple[Case, ...]) -> list[Case]:
    made = [case for _, case in _metamorphic(name, table)]
    return [_hashable(case) for case in (*table, *made) if case.value != "unknown"]


class _Hashable(Case):
    """A case that can be a key: equal texts are one trial."""

    def __hash__(self) -> int:
        return hash((self.gold, self.response))


def _hashable(case: Case) -> Case:
    return _Hashable(**{name: getattr(case, name) for name in _FIELDS})


_FIELDS = ("gold", "response", "value", "lenient", "extra", "prompt", "about")


def _metamorphic(name: str, table: tuple[Case, ...]) -> Iterator[tuple[str, Case]]:
    """Dressed right answers and near misses, made from the table's golds."""
    seen = set()
    for case in table:
        key = (case.gold, json.dumps(dict(case.extra), sort_keys=True))
        if not case.gold.strip() or key in seen or case.value == "unknown":
            continue
        seen.add(key)
        for how, dress in near.FORMATS.items():
            if _can_wear(name, case.gold, how):
                yield FLIPS, _remade(case, dress(case.gold), "right")
        for miss in near_misses(name, case):
            yield NEAR, _remade(case, miss, "wrong")


def _can_wear(name: str, gold: str, how: str) -> bool:
    """A gold's own brackets and lines leave some dresses without meaning."""
    if name in ("code", "refusal", "judge"):
        return False
    return not (how == "sentence" and re.search(r"[\\{}=]|, ", gold))


def _remade(case: Case, response: str, value: Any) -> Case:
    return Case(case.gold, response, value, extra=case.extra, prompt=case.prompt)


def near_misses(name: str, case: Case) -> Iterator[str]:
    """Answers close to a case's gold that are wrong for certain."""
    gold = case.gold
    if name in ("numeric", "math", "puzzle") and re.fullmatch(
        r"-?\d[\d,]*(\.\d+)?", gold
    ):
        yield from near.numbers(gold, name)
    elif name == "exact" or (name == "puzzle" and case.extra):
        yield from near.texts(gold)
    elif name == "choice" and gold in case.extra.get("choices", ()):
        yield from near.letters(gold, case.extra)


def _by_math_verify(case: Case) -> str:
    said = pool("symbolic").ask(
        {"gold": case.gold, "answer": visible(case.response), "whole": True}
    )
    return {"equal": "right", "different": "wrong"}.get(said.result, "")


def _by_last_line(case: Case) -> str:
    """Exact answers read another way: what follows the last colon or `is`."""
    last = visible(case.response).strip().split("\n")[-1]
    tail = re.split(r":|\bis\b|boxed", last)[-1]
    keep = str.maketrans("", "", "*`\"'_{}$\\")
    said = normal(tail.translate(keep).strip().rstrip(".").replace("text", "", 1))
    wanted = normal(case.gold)
    same = re.sub(r"\s*,\s*", ",", said.strip()) == re.sub(r"\s*,\s*", ",", wanted)
    return "right" if same else "wrong"


def _by_tokens(case: Case) -> str:
    """Choices read another way: tokens from the end, words left aside."""
    choices = case.extra.get("choices")
    if not isinstance(choices, dict):
        return ""
    text = visible(case.response)
    for token in reversed(re.split(r"[\s{}]+", text)):
        core = token.strip("*().,:;$`\"'!")
        if core in choices:
            wanted = case.gold if case.gold in choices else ""
            return "right" if core == wanted else "wrong"
    named = [k for k, v in choices.items() if normal(v) == normal(text).strip(". ")]
    return "right" if named == [case.gold] else "wrong"


SECONDS_READERS: dict[str, Callable[[Case], str]] = {
    "math": _by_math_verify,
    "numeric": _by_math_verify,
    "exact": _by_last_line,
    "choice": _by_tokens,
}


def lines(report: Report, *, queue: int = 20) -> Iterator[str]:
    """A report as lines of text: rates first, then what a human should read."""
    yield f"{report.verifier}"
    for question, tally in report.tallies.items():
        row = tally.as_dict()
        yield (
            f"  {question:<15} {tally.errors:>4} of {tally.n:<5} differ   "
            f"{row['rate']:.1%} [{row['low']:.1%}, {row['high']:.1%}]"
        )
    for row in report.queue[:queue]:
        yield (
            f"  ? {row.question}: gold {row.gold!r}, response {row.response[:90]!r}: "
            f"expected {row.expected}, got {row.got} ({row.reason})"
        )
    if len(report.queue) > queue:
        yield f"  … and {len(report.queue) - queue} more"


def heard() -> tuple[str, ...]:
    """The verifiers that carry a table."""
    return tuple(name for name in names() if cases(name))
