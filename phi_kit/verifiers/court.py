"""The court: what each verifier is worth, by its own cases and a second reader.

Three questions are put to a verifier. Does every case of its table get the
verdict it must? Does other formatting leave a right answer right, and is a
near miss refused? Does a second, independent implementation agree? Whatever
fails is a row of a table for a human to read; rates have Wilson intervals. What a
human has ruled stands in the verifier's table, with the reason (`about`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib import import_module

from phi_kit.core.errors import StudyError
from phi_kit.data.records import Seed

from . import MODULES, get, metamorphic, names
from .base import Case, Verdict
from .seconds import READERS


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
        from phi_kit.stats.intervals import wilson

        low, high = wilson(self.errors, self.n)
        rate = self.errors / self.n if self.n else float("nan")
        return {**asdict(self), "rate": rate, "low": low, "high": high}


@dataclass
class Report:
    """What the court found about one verifier."""

    verifier: str
    tallies: dict[str, Tally] = field(default_factory=dict)
    queue: list[Disagreement] = field(default_factory=list)
    ruled: int = 0

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

    def compare(self, case: Case, verdict: Verdict, *, ruled: bool) -> None:
        """Ask the second reader; where a human has ruled, the table stands."""
        reader = READERS.get(self.verifier)
        # An unreadable gold is unknown to one reader; a judge's failure to both.
        heard = case.value != "unknown" or self.verifier == "judge"
        opinion = reader(case) if reader and heard else ""
        if not opinion:
            return
        if ruled and opinion != case.value == verdict.value:
            self.ruled += 1
            opinion = case.value
        self.count(SECOND, case, verdict, expected=opinion)


# Besides the two that `metamorphic` names.
CASES, SECOND = "own cases", "second reader"


def cases(name: str) -> tuple[Case, ...]:
    """The table that a verifier carries; empty where it has none."""
    get(name)  # a name that no verifier has is told here
    return tuple(
        getattr(import_module(f"phi_kit.verifiers.{MODULES[name]}"), "CASES", ())
    )


def seed_of(case: Case) -> Seed:
    """The item of a case."""
    return Seed("court", case.prompt, case.gold, extra=json.dumps(dict(case.extra)))


def verdict(name: str, case: Case) -> Verdict:
    """What a verifier says of a case; a case of `judge` brings its model along."""
    if name == "judge":
        return import_module("phi_kit.verifiers.llm_judge").scripted(
            seed_of(case), case.response
        )
    return get(name)(seed_of(case), case.response)


def hear(name: str) -> Report:
    """Put all questions to one verifier.

    Raises:
        StudyError: there is no such verifier, or it carries no table.
        RunError: a worker that it needs does not start.
    """
    carried = cases(name)
    if not carried:
        raise StudyError(
            f"the verifier '{name}' carries no table of cases",
            todo=f"give phi_kit/verifiers/{name}.py a CASES tuple",
        )
    table = metamorphic.table_of(name, carried)
    trials = [(CASES, case) for case in table]
    trials += metamorphic.made(name, table)
    report, ruled = Report(name), {_key(case) for case in carried if case.about}
    heard: set[tuple[str, ...]] = set()
    for question, case in trials:
        found = verdict(name, case)
        report.count(question, case, found, expected=case.value)
        if _key(case) not in heard:
            heard.add(_key(case))
            report.compare(case, found, ruled=_key(case) in ruled)
    return report


def _key(case: Case) -> tuple[str, ...]:
    return (case.gold, case.response, json.dumps(dict(case.extra), sort_keys=True))


def lines(report: Report, *, queue: int = 20) -> Iterator[str]:
    """A report as lines of text: rates first, then what a human should read."""
    yield f"{report.verifier}"
    for question, tally in report.tallies.items():
        row = tally.as_dict()
        yield (
            f"  {question:<15} {tally.errors:>4} of {tally.n:<5} differ   "
            f"{row['rate']:.1%} [{row['low']:.1%}, {row['high']:.1%}]"
        )
    if report.ruled:
        yield f"  in {report.ruled} of these a human ruled against the second reader"
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
