"""The audit of a verifier: its own cases, made variants, and an independent reader.

Three questions are put to a verifier. Does every case of its table get the verdict
it must? Does other formatting leave a right answer right, and is a near miss
refused? Does an independent implementation agree? Each wrong verdict is a row for
a person to read. What a person has decided stands in the table with the reason
(`about`).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from phi_kit.verifiers.base import Verdict

from . import metamorphic
from .cases import CASES, Case, verdict_on
from .independent_readers import READERS
from .metamorphic import DRESSED, NEAR_MISS

OWN_CASES, INDEPENDENT = "own cases", "independent reader"
QUESTIONS = (OWN_CASES, DRESSED, NEAR_MISS, INDEPENDENT)


@dataclass(frozen=True)
class Disagreement:
    """A verdict that a person should look at."""

    question: str
    gold: str
    response: str
    expected: str
    got: str
    reason: str


@dataclass
class AuditReport:
    """The result of one verifier's audit.

    Args:
        trials: how many verdicts each question asked for.
        disagreements: the verdicts that were not as expected.
        decided: cases in which a person decided against the independent reader.
    """

    trials: Counter[str] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)
    decided: int = 0

    def check(self, question: str, case: Case, verdict: Verdict, expected: str) -> None:
        """Count one trial, and keep it where the verdict is another one."""
        self.trials[question] += 1
        if verdict.value != expected:
            texts = (case.gold, case.response, expected, verdict.value, verdict.reason)
            self.disagreements.append(Disagreement(question, *texts))


def audit_verifier(name: str) -> AuditReport:
    """Put all questions to one verifier."""
    table = metamorphic.with_drawn_puzzles(name, CASES[name])
    trials = [(OWN_CASES, case) for case in table]
    trials += metamorphic.variants(name, table)
    decided = {_key(case) for case in CASES[name] if case.about}
    report, compared = AuditReport(), set()
    for question, case in trials:
        verdict = verdict_on(name, case)
        report.check(question, case, verdict, case.value)
        if _key(case) not in compared:
            compared.add(_key(case))
            _compare(report, name, case, verdict, decided=_key(case) in decided)
    return report


def _compare(
    report: AuditReport, name: str, case: Case, verdict: Verdict, *, decided: bool
) -> None:
    """Ask the independent reader; where a person has decided, the table counts."""
    # An unreadable gold is unknown to one reader, a judge's failure to both.
    if case.value == "unknown" and name != "judge":
        return
    opinion = READERS[name](case)
    if not opinion:
        return
    if decided and opinion != case.value == verdict.value:
        report.decided += 1
        opinion = case.value
    report.check(INDEPENDENT, case, verdict, opinion)


def _key(case: Case) -> tuple[str, ...]:
    return (case.gold, case.response, json.dumps(dict(case.extra), sort_keys=True))
