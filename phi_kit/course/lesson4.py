"""What notebook 4 uses, and its exercises: what the loss sees, and a fair opponent."""

from __future__ import annotations

from phi_kit.core.errors import DataError
from phi_kit.core.step_table import FILTER_EDGE, PICK_DOMAIN
from phi_kit.course.before_after import before_and_after
from phi_kit.course.exercise import NUMBER, Exercise, Mistake, about
from phi_kit.course.guess_log import compare_guess, keep_guess
from phi_kit.course.sample_source import begin
from phi_kit.data.records import from_frame
from phi_kit.data.sealed_splits import unseal
from phi_kit.domains import of as domain_of
from phi_kit.evaluation.ask import training_rows
from phi_kit.inference.completion import open_sampler
from phi_kit.models.chat_template import turn_framing
from phi_kit.selection.controls import matched_control
from phi_kit.stats.intervals import Accuracy
from phi_kit.steps import probe_sft as step
from phi_kit.training.encoding import encode
from phi_kit.training.loss_mask_view import view_loss_mask
from phi_kit.training.preflight import gate

__all__ = [
    "FILTER_EDGE",
    "PICK_DOMAIN",
    "Accuracy",
    "DataError",
    "before_and_after",
    "begin",
    "compare_guess",
    "domain_of",
    "encode",
    "fair_rows",
    "from_frame",
    "gate",
    "keep_guess",
    "matched_control",
    "open_sampler",
    "step",
    "tokens_in_loss",
    "training_rows",
    "turn_framing",
    "unseal",
    "view_loss_mask",
]

tokens_in_loss = Exercise(
    NUMBER,
    about(13, within=0.1),
    "The response, and the token that ends the turn.",
    [
        Mistake(
            about(12, within=0.1),
            "a model that never learns to end its turn goes on talking. One token is "
            "missing.",
        ),
        Mistake(
            about(43, within=0.1),
            "the prompt is masked: it is what will be given, not what is to be learnt.",
        ),
        Mistake(about(30, within=0.1), "that is the masked part."),
    ],
    "which of the three parts of the row have a label other than -100?",
)

fair_rows = Exercise(
    NUMBER,
    about(60, within=0.1),
    "Equal tokens, not equal rows: else the arm with longer responses trains longer.",
    [
        Mistake(
            about(40, within=0.1),
            "equal rows would give this arm two thirds of the other one's training.",
        ),
        Mistake(
            about(40 * 10 / 15, within=0.7),
            "the ratio is upside down: shorter responses need more rows.",
        ),
    ],
    "how many tokens does the loss see of the teachable rows in all?",
)
