"""What notebook 7 uses, and its exercises: paired gains, samples, looks at a test."""

from __future__ import annotations

from phi_kit.core.paths import display_path
from phi_kit.core.step_table import PICK_DOMAIN
from phi_kit.course.before_after import before_and_after
from phi_kit.course.exercise import FUNCTION, NUMBER, Exercise, Mistake, about, gives
from phi_kit.course.guess_log import compare_guess, keep_guess
from phi_kit.course.sample_source import begin
from phi_kit.data.records import Seed
from phi_kit.data.sealed_splits import unseal
from phi_kit.domains import get as get_domain
from phi_kit.evaluation.equal_answers import majority_is_right
from phi_kit.stats.comparison import paired_gain, unpaired_gain
from phi_kit.stats.intervals import Accuracy
from phi_kit.stats.power import foreseen, items_for_gain
from phi_kit.steps import benchmark as step
from phi_kit.study.report.published import frame as published_table
from phi_kit.study.report.study_report import write as write_report

__all__ = [
    "PICK_DOMAIN",
    "Accuracy",
    "Seed",
    "all_of_k",
    "before_and_after",
    "begin",
    "compare_guess",
    "display_path",
    "five_looks",
    "foreseen",
    "get_domain",
    "items_for_gain",
    "keep_guess",
    "majority_is_right",
    "paired_gain",
    "paired_half_width",
    "published_table",
    "step",
    "unpaired_gain",
    "unseal",
    "write_report",
]

paired_half_width = Exercise(
    NUMBER,
    about(1.96 * (0.1536 / 100) ** 0.5, within=0.0005),
    "Eight points, give or take 7.7: just better. Not paired it would be 13.7.",
    [
        Mistake(
            about(1.96 * ((0.24 + 0.2496) / 100) ** 0.5, within=0.001),
            "that adds up two variances as if other items had been asked. Only the 16 "
            "that flipped have a difference.",
        ),
        Mistake(
            about(1.96 * 0.04, within=0.0005),
            "a variance is the mean square less the square of the mean; the mean is "
            ".08 here, not 0.",
        ),
        Mistake(
            about((0.1536 / 100) ** 0.5, within=0.0005),
            "that is one standard error. How many are asked for?",
        ),
        Mistake(
            about(100 * 1.96 * (0.1536 / 100) ** 0.5, within=0.05),
            "as a share, please: ten points are 0.1.",
        ),
    ],
    "each item's difference is 1, 0 or -1: what is its mean, and what its variance?",
)

all_of_k = Exercise(
    FUNCTION,
    gives(((4, 3, 2), 0.5), ((8, 3, 1), 3 / 8), ((8, 8, 4), 1.0), ((4, 1, 2), 0.0)),
    "What may be relied on. Above it lies pass@1, and above that what could be had.",
    [
        Mistake(
            gives(((4, 3, 2), 0.75**2), ((8, 3, 1), 3 / 8)),
            "(c / n)^k draws one sample twice. Count the ways to choose k of the n "
            "samples, and those among the right ones.",
        ),
        Mistake(
            gives(((4, 3, 2), 1.0), ((8, 3, 1), 3 / 8)),
            "that is pass@k: *one* of them right. Here all of them have to be.",
        ),
        Mistake(
            gives(((4, 3, 2), 0.75), ((8, 3, 1), 3 / 8)),
            "that is pass@1, whatever k is.",
        ),
    ],
    "C(n, k) ways to choose; how many of them take right samples only?",
)

five_looks = Exercise(
    NUMBER,
    about(1 - 0.975**5, within=0.002),
    "One team in eight reports a gain that is not there; hence one look, and a log.",
    [
        Mistake(
            about(0.125, within=0.0005),
            "adding up counts the teams twice that were lucky twice. It is close, and "
            "with fifty looks it would be above 1.",
        ),
        Mistake(
            about(1 - 0.95**5, within=0.002),
            "5 % counts a false *worse* as well, and nobody would report that one.",
        ),
        Mistake(
            about(0.975**5, within=0.002),
            "that is the chance that all five looks find nothing.",
        ),
        Mistake(about(0.025, within=0.0005), "that is one look. How many are there?"),
    ],
    "one minus the chance that no look finds anything.",
)
