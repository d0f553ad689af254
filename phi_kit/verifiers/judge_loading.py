"""The verifiers that ask a model: a study names it, the first verdict loads it."""

from __future__ import annotations

from collections.abc import Callable

from phi_kit.core.errors import RunError
from phi_kit.data.records import Seed, normalise_prompt

from . import refusal
from .base import UNREADABLE_GOLD, Verdict, Verifier, visible
from .llm_judge import Judge, Rubric

# Verifiers that can ask a model; `judge` cannot do without one.
MODEL_VERIFIERS = ("judge", "refusal")


def model_verifier(kind: str, model: str, complete: Callable[[str], str]) -> Verifier:
    """The verifier `kind` that asks a model; its anchors are asked once.

    The gold answer itself is checked unasked: the reference is what it is, and
    the rules of `refusal` know whether a gold refuses.

    Args:
        kind: one of `ASKING`.
        model: as a study file names it.
        complete: from a prompt to the model's reply.

    Returns:
        A verifier that raises `RunError` if the model misses calibration
        anchors: a study in which every verdict is unknown teaches nothing.
    """
    rubric = refusal.refusal_rubric() if kind == "refusal" else Rubric()
    judge = Judge(complete, rubric)
    asked: Verifier = refusal.refusal_by_judge(judge) if kind == "refusal" else judge

    def verify(seed: Seed, response: str) -> Verdict:
        if not seed.answer.strip():
            return Verdict("unknown", UNREADABLE_GOLD)
        if normalise_prompt(visible(response)) == normalise_prompt(seed.answer):
            if kind == "refusal":
                return refusal.verify(seed, response)
            return Verdict("right", "the reference answer itself")
        _require_calibrated(judge, model)
        return asked(seed, response)

    return verify


def _require_calibrated(judge: Judge, model: str) -> None:
    """Stop at the first verdict of a model that cannot judge.

    Raises:
        RunError: it misses anchors, replies in another form, or fails.
        ModelError: there is no such model.
    """
    if judge.missed:
        total = len(judge.rubric.anchors)
        raise RunError(
            f"{model} cannot be the judge: it gets {len(judge.missed)} of the {total} "
            "calibration anchors wrong, so none of its verdicts would count",
            todo="name a stronger model as the domain's judge_model",
        )
