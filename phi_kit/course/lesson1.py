"""What notebook 1 uses, and its exercises: a checker, an accuracy, its interval."""

from __future__ import annotations

from phi_kit.course.exercise import FUNCTION, NUMBER, Exercise, Mistake, about, gives
from phi_kit.course.guess_log import compare_guess, keep_guess
from phi_kit.course.sample_source import begin
from phi_kit.data.generators import generate_items
from phi_kit.data.sealed_splits import unseal
from phi_kit.domains import of as domain_of
from phi_kit.domains.worked import worked
from phi_kit.stats.intervals import Accuracy, wilson_interval
from phi_kit.steps import pick_domain as step

__all__ = [
    "Accuracy",
    "answer_reader",
    "begin",
    "compare_guess",
    "domain_of",
    "generate_items",
    "keep_guess",
    "low_end",
    "step",
    "unseal",
    "wilson_interval",
    "worked",
]

low_end = Exercise(
    NUMBER,
    about(wilson_interval(20, 100)[0], within=0.002),
    "Even a fifth of the items right may be an eighth in truth.",
    [
        Mistake(
            about(wilson_interval(40, 200)[0], within=0.002),
            "two samples of one item are no two items: they share what makes it easy "
            "or hard. How many independent things were measured?",
        ),
        Mistake(
            about(0.2 - 1.96 * (0.2 * 0.8 / 100) ** 0.5, within=0.002),
            "that is the symmetric interval, which steps below 0 for a rate near 0. "
            "Take the formula above.",
        ),
        Mistake(
            about(wilson_interval(20, 100)[1], within=0.002), "that is the upper end."
        ),
        Mistake(
            about(100 * wilson_interval(20, 100)[0], within=0.2),
            "as a share between 0 and 1, please, not in per cent.",
        ),
    ],
    "use `wilson(right, n)` from above; what is `right`, and what is `n`?",
)

_MARKED = "12 + 5 is 17.\nAnswer: 17\nThat took 2 steps."
_PLAIN = "So there are 8 coins."
_SILENT = "I cannot tell."

answer_reader = Exercise(
    FUNCTION,
    gives(((_MARKED,), "17"), ((_PLAIN,), "8"), ((_SILENT,), None)),
    "A marked answer first, the last number else, and no answer where there is none.",
    [
        Mistake(
            gives(((_MARKED,), "2")),
            "of a response with `Answer: 17` it reads the 2 of a later remark. What "
            "stands behind the mark should come first.",
        ),
        Mistake(
            gives(((_MARKED,), "12")),
            "it reads the first number, where the work begins; an answer stands at "
            "the end, or behind its mark.",
        ),
        Mistake(
            gives(((_MARKED,), 17)),
            "it gives a number, and text is asked for: `007` and `7` are another "
            "matter for another cell.",
        ),
        Mistake(
            gives(((_SILENT,), "")),
            "where there is no number it should return None: an empty answer is an "
            "answer, and a wrong one.",
        ),
    ],
    "try it on the three responses that stand above, one by one.",
)
