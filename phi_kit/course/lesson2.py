"""What notebook 2 uses, and its exercises: likeness, and rows accounted for."""

from __future__ import annotations

from phi_kit.course.exercise import NUMBER, Exercise, Mistake, about
from phi_kit.course.guess_log import compare_guess, keep_guess
from phi_kit.course.sample_source import begin
from phi_kit.data.near_duplicates import NearDuplicateIndex
from phi_kit.data.read_sources import read_source
from phi_kit.data.records import TRUE_GOLD
from phi_kit.data.row_filters import filter_rows
from phi_kit.data.sealed_splits import Seal
from phi_kit.data.tokenize import jaccard, shingles
from phi_kit.domains import of as domain_of
from phi_kit.stats.intervals import Accuracy, wilson_interval
from phi_kit.steps import collect_seeds as step

__all__ = [
    "TRUE_GOLD",
    "Accuracy",
    "NearDuplicateIndex",
    "Seal",
    "begin",
    "compare_guess",
    "domain_of",
    "filter_rows",
    "jaccard",
    "keep_guess",
    "likeness",
    "read_source",
    "shingles",
    "step",
    "unaccounted",
    "wilson_interval",
]

# Pairs of words of "the cat sat on the mat" and "the cat sat on the big mat".
likeness = Exercise(
    NUMBER,
    about(4 / 7),
    "Four pairs are shared, of seven different ones.",
    [
        Mistake(
            about(8 / 11),
            "that is twice the shared pairs over the sum of both sizes (Dice's "
            "coefficient). Jaccard divides by the union, where a shared pair counts "
            "once.",
        ),
        Mistake(
            about(5 / 6), "those are single words. A shingle here is two in a row."
        ),
        Mistake(
            about(4 / 5),
            "that divides by the smaller set alone; a long text that holds a short "
            "one would be its duplicate.",
        ),
    ],
    "write down both sets of pairs, then count what is in both and what is in either.",
)

unaccounted = Exercise(
    NUMBER,
    about(6, within=0.1),
    "Six rows vanished without a reason; nobody can say what they had in common.",
    [
        Mistake(
            about(40, within=0.1),
            "those are all that were not kept. Of them 34 have a reason.",
        ),
        Mistake(
            about(0, within=0.1),
            "add kept and dropped up, and compare with what was read.",
        ),
    ],
    "read = kept + dropped by reason + lost; solve for the last.",
)
