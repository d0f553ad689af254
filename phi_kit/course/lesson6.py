"""What notebook 6 uses, and its exercises: equal or unknown, adapters added up."""

from __future__ import annotations

from phi_kit.core.step_table import PICK_DOMAIN, SYNTHESIZE
from phi_kit.course.before_after import before_and_after
from phi_kit.course.exercise import NUMBER, Exercise, Mistake, about
from phi_kit.course.guess_log import compare_guess, keep_guess
from phi_kit.course.sample_source import begin
from phi_kit.data.records import load_dataset
from phi_kit.data.sealed_splits import unseal
from phi_kit.models.adapter_merge import merge_adapters, weight_changes
from phi_kit.stats.comparison import paired_gain
from phi_kit.stats.intervals import Accuracy
from phi_kit.stats.paired_tests import equivalence, verdict_within
from phi_kit.steps import expand_domains as step

__all__ = [
    "PICK_DOMAIN",
    "SYNTHESIZE",
    "Accuracy",
    "before_and_after",
    "begin",
    "compare_guess",
    "equal_enough",
    "equivalence",
    "false_alarm",
    "keep_guess",
    "load_dataset",
    "merge_adapters",
    "numbers_in_sum",
    "paired_gain",
    "step",
    "unseal",
    "verdict_within",
    "weight_changes",
]

# By the normal distribution: 4 points are 2 standard errors, 6 are 3.
equal_enough = Exercise(
    NUMBER,
    about(0.02275, within=0.001),
    "A loss of five points is ruled out at 5 %, although the interval holds zero.",
    [
        Mistake(
            about(0.617, within=0.01),
            "that is the test of *no difference*, and its large p shows nothing. Test "
            "against the margin, from both sides.",
        ),
        Mistake(
            about(0.00135, within=0.0005),
            "that is the easier of the two, against a gain. The weaker one counts.",
        ),
        Mistake(
            about(0.0455, within=0.001),
            "each test is one-sided: there is nothing to double.",
        ),
        Mistake(
            about(0.0062, within=0.0005),
            "that would hold if the two did not differ at all. Merged lies a point "
            "below: how far is it from a loss of five?",
        ),
    ],
    "how many standard errors is -1 away from -5, and how many from +5?",
)

numbers_in_sum = Exercise(
    NUMBER,
    about(24 * (576 + 1536), within=0.5),
    "A seventeenth of the layer's own 884,736, and exact.",
    [
        Mistake(
            about(576 * 1536, within=0.5),
            "that is the change written out as a full matrix. An adapter keeps its "
            "two thin factors.",
        ),
        Mistake(
            about(16 * (576 + 1536), within=0.5),
            "side by side nothing is overlaid: what becomes of the ranks?",
        ),
        Mistake(
            about(24 * 576 * 1536, within=0.5),
            "A has a row of 576 for each rank, B a column of 1,536: add the two.",
        ),
    ],
    "A is rank times inputs, B is outputs times rank; what is the rank of the sum?",
)

false_alarm = Exercise(
    NUMBER,
    about(1 - 0.95**20, within=0.005),
    "Two times out of three such a table accuses somebody wrongly; read `p_holm`.",
    [
        Mistake(
            about(1 - 0.95**25, within=0.005),
            "the diagonal is no interference: leave it out.",
        ),
        Mistake(
            about(1 - 0.95**10, within=0.005),
            "A may harm B, and B may harm A: those are two cells.",
        ),
        Mistake(
            about(0.05), "that is the chance in one cell. How many cells are there?"
        ),
        Mistake(
            about(1.0, within=1e-9),
            "20 times 5 % is the number of alarms to expect, one. The chance of none "
            "is a product.",
        ),
        Mistake(
            about(0.95**20, within=0.005),
            "that is the chance of no alarm at all.",
        ),
    ],
    "one minus the chance that every cell off the diagonal keeps quiet.",
)
