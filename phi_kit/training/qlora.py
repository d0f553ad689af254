"""QLoRA: a LoRA adapter trained beside frozen NF4 weights.

Built on transformers' Trainer rather than TRL's SFTTrainer: the kit renders
and masks its rows itself (one template for training and evaluation), asks for
logits only at trained positions, and fixes the data order beforehand, none of
which SFTTrainer has a switch for.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from phi_kit.core.errors import disk_errors
from phi_kit.core.rng import label_seed
from phi_kit.inference.local.model import LocalModel

from . import checkpoints
from .checkpoints import Checkpoints
from .data_order import schedule, seen
from .encoding import Row, encode
from .loss import masked_loss
from .model_card import Card
from .preflight import Gated, Report, gate
from .recording import recorded
from .row_checks import Sealed
from .training_config import Recipe
from .training_run import Around, Plan, carried_out

ALONE = Around()
__all__ = ["Around", "Recipe", "Trained", "masked_loss", "train"]


@dataclass(frozen=True)
class Trained:
    """What a training run cost and did. Losses are per optimiser step.

    Attributes:
        rows: different rows trained on.
        too_long: rows left out.
        tokens: seen in all, with repeats.
        trained_tokens: those of them the loss saw.
        losses: one per optimiser step.
        gate: the gate's report.
        best_step: the step the adapter is from; the last unless stopped early.
        resumed: the step it carried on from.
        history: one row per step: loss, learning rate, speed, memory.
    """

    rows: int
    too_long: int
    tokens: int
    trained_tokens: int
    losses: list[float] = field(repr=False)
    gate: dict[str, Any] = field(default_factory=dict, repr=False)
    best_step: int = 0
    resumed: int = field(default=0, compare=False)
    history: list[dict[str, Any]] = field(
        default_factory=list, repr=False, compare=False
    )


@recorded(Trained, Recipe)
def train(
    student: LocalModel,
    rows: Sequence[Row],
    recipe: Recipe,
    *,
    out: Path,
    rng_seed: int,
    sealed: Sealed | None = None,
    epochs: Sequence[float] | None = None,
    budget: int | None = None,
    around: Around = ALONE,
) -> Trained:
    """Train a fresh adapter on `rows` and save it as a PEFT folder.

    The student comes back as it was: the adapter is taken off again. In a replay
    nothing is trained: see `recording`.

    Args:
        student: the frozen model, NF4 or full.
        rows: rendered prompts with completions.
        recipe: rank, learning rate, epochs, batch.
        out: the folder the adapter is saved to; its name is the run's.
        rng_seed: names initialisation and data order; the run is repeatable.
        sealed: what the gate asks whether a text overlaps a held-out item.
        epochs: how often each row is seen; all `recipe.epochs` if not given.
        budget: trained tokens to see in all, in place of whole epochs.
        around: checkpoints to carry on from, who is told how it goes.

    Raises:
        DataError: the gate refused the rows.
        RunError: the loss became NaN, memory ran out, or the disk is full.
        StoppedError: by hand, which is a `KeyboardInterrupt` as well.
    """
    passed = gate(student, rows, max_tokens=recipe.max_row_tokens, sealed=sealed)
    often = _epochs(student, rows, epochs, recipe, kept=len(passed))
    steps = schedule(
        passed,
        batch=recipe.batch,
        epochs=often,
        rng_seed=label_seed(rng_seed, "order"),
        budget=budget,
    )
    with ExitStack() as stack:
        folder = around.work or Path(stack.enter_context(TemporaryDirectory()))
        plan = Plan(
            name=out.name,
            rows=passed,
            steps=steps,
            recipe=recipe,
            seed=rng_seed,
            card=_card(student, rows, passed.report, recipe, arm=out.name),
            kept=_kept(student, passed, steps, recipe, rng_seed, folder / out.name),
            around=around,
        )
        found = _finished(plan) or carried_out(student, plan)
        _hand_over(plan.kept.adapter, out)
    return _trained(passed, steps, found)


def _trained(passed: Gated, steps: list[list[int]], found: dict[str, Any]) -> Trained:
    tokens, trained_tokens = seen(passed, steps[: len(found["losses"])])
    return Trained(
        rows=len({i for step in steps for i in step}),
        too_long=passed.report.too_long,
        tokens=tokens,
        trained_tokens=trained_tokens,
        gate=passed.report.as_dict(),
        **found,
    )


def _kept(
    student: LocalModel,
    rows: Gated,
    steps: list[list[int]],
    recipe: Recipe,
    rng_seed: int,
    folder: Path,
) -> Checkpoints:
    """Where the run's checkpoints lie: named by all that decides its outcome."""
    stopping = {"eval_steps": recipe.eval_steps, "patience": recipe.patience}
    settings = {**recipe.outcome(), **stopping, "seed": rng_seed}
    key = checkpoints.key(student.identity, rows, steps, **settings)
    return Checkpoints.of(folder, key)


def _card(
    student: LocalModel,
    rows: Sequence[Row],
    report: Report,
    recipe: Recipe,
    *,
    arm: str,
) -> Card:
    said = {name: value for name, value in recipe.outcome().items() if value != {}}
    return Card.of(student, rows, report, arm=arm, **said)


def _epochs(
    student: LocalModel,
    rows: Sequence[Row],
    epochs: Sequence[float] | None,
    recipe: Recipe,
    *,
    kept: int,
) -> list[float]:
    """How often each row that passed the gate is seen."""
    if epochs is None:
        return [float(recipe.epochs)] * kept
    return [
        float(often)
        for row, often in zip(rows, epochs, strict=True)
        if len(encode(student, row).ids) <= recipe.max_row_tokens
    ]


def _finished(plan: Plan) -> dict[str, Any] | None:
    """What an earlier attempt found that was finished, if there was one."""
    if not checkpoints.is_whole(plan.kept.adapter):
        return None
    print(f"{plan.name}: trained before this step was stopped", flush=True)
    return checkpoints.facts(plan.kept.adapter)["found"]


def _hand_over(adapter: Path, out: Path) -> None:
    with disk_errors(out):
        ignored = shutil.ignore_patterns(checkpoints.SEAL)
        shutil.copytree(adapter, out, dirs_exist_ok=True, ignore=ignored)
