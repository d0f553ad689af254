"""What notebook 5 uses, and its exercises: a second way, room in a mix, one answer."""

from __future__ import annotations

from phi_kit.core.step_run import SavedFigure
from phi_kit.core.step_table import FILTER_EDGE
from phi_kit.course.exercise import FUNCTION, NUMBER, Exercise, Mistake, about, gives
from phi_kit.course.guess_log import compare_guess, keep_guess
from phi_kit.course.sample_source import begin
from phi_kit.data.records import Seed, from_frame
from phi_kit.data.sealed_splits import Seal
from phi_kit.domains import get as get_domain
from phi_kit.domains import of as domain_of
from phi_kit.stats.intervals import Accuracy, wilson_interval
from phi_kit.steps import synthesize as step
from phi_kit.synthesis.gates import GateLog, MixRow, dropped_frame
from phi_kit.synthesis.known_transforms import chosen as chosen_transforms
from phi_kit.synthesis.known_transforms import transforms_of
from phi_kit.synthesis.lineage import Lineage
from phi_kit.synthesis.number_transforms import backward
from phi_kit.synthesis.row_gates import RowGates

__all__ = [
    "FILTER_EDGE",
    "Accuracy",
    "GateLog",
    "Lineage",
    "MixRow",
    "RowGates",
    "SavedFigure",
    "Seal",
    "Seed",
    "agreed_and_wrong",
    "backward",
    "begin",
    "chosen_transforms",
    "compare_guess",
    "domain_of",
    "dropped_frame",
    "from_frame",
    "get_domain",
    "keep_guess",
    "missing_factor",
    "room_for_made",
    "step",
    "transforms_of",
    "wilson_interval",
]

agreed_and_wrong = Exercise(
    NUMBER,
    about(0.01 / 0.65, within=0.0005),
    "From a fifth to a sixty-fifth, at the price of the rows on which they disagree.",
    [
        Mistake(
            about(0.01, within=0.0005),
            "that is the share of all rows on which both err alike. The rows that "
            "disagree are gone: divide by those that are left.",
        ),
        Mistake(
            about(0.04 / 0.68, within=0.0005),
            "two wrong answers need not be the same one; where they differ, the row "
            "is refused.",
        ),
        Mistake(
            about(0.04, within=0.0005),
            "that is how often both are wrong. How often do they then agree, and of "
            "how many rows?",
        ),
        Mistake(
            about(100 * 0.01 / 0.65, within=0.05),
            "as a share between 0 and 1, please, not in per cent.",
        ),
    ],
    "use `wrong_if_agree(e1, e2, c)` from above; what is `c` here?",
)

room_for_made = Exercise(
    NUMBER,
    about(180, within=0.1),
    "The organic rows say how large the mix may become, not the other way round.",
    [
        Mistake(
            about(300, within=0.1),
            "so many rows has the whole mix, the organic ones among them.",
        ),
        Mistake(
            about(72, within=0.1),
            "that is three fifths of the organic rows. The share is one of the mix, "
            "which is larger.",
        ),
        Mistake(
            about(48, within=0.1),
            "that is two fifths of the organic rows. All of them stay; how large is a "
            "mix of which they are two fifths?",
        ),
    ],
    "120 rows are two fifths of the mix: how large is it, and what is not organic?",
)

missing_factor = Exercise(
    FUNCTION,
    gives(((12, 4), 3), ((7, 2), None), ((0, 4), 0), ((0, 0), None), ((5, 0), None)),
    "A question with no answer or with many is as bad a row as one with a wrong one.",
    [
        Mistake(
            gives(((12, 4), 3), ((7, 2), 3)),
            "? * 2 = 7 has no whole number: put 3 back into the question.",
        ),
        Mistake(
            gives(((12, 4), 3), ((7, 2), 3.5)),
            "? * 2 = 7 has no *whole* number, and a whole one is asked for.",
        ),
        Mistake(
            gives(((12, 4), 3), ((0, 0), 0)),
            "? * 0 = 0 holds for every number, not for 0 alone.",
        ),
        Mistake(
            gives(((12, 4), 3), ((0, 4), None)),
            "? * 4 = 0 has an answer, and nought is a number.",
        ),
    ],
    "try it on 12 and 4, 7 and 2, 0 and 4, 0 and 0, 5 and 0.",
)
