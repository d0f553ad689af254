"""One training run from its plan: set up, carried on, taken down again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phi_kit.core.progress import progress
from phi_kit.core.rng import label_seed
from phi_kit.models.loading import Student, device

from . import checkpoints, layout, memory
from .card import Card, save
from .checkpoints import Checkpoints
from .faults import explained
from .fused import extra_bytes, fused
from .loss import loss_of
from .recipe import Recipe
from .rows import Encoded
from .stepping import Job, Watch, arguments, history, trainer_class

Heldout = Callable[[Student], float]


@dataclass(frozen=True)
class Around:
    """What surrounds a run.

    Attributes:
        work: a folder that outlives a killed run; with it, a run of the same model,
            rows, recipe and seed carries on from its last checkpoint.
        logs: where a tracker that writes files puts them.
        watch: is told every step's row of the history.
        heldout: asks a student the held-out items; share of right answers.
    """

    work: Path | None = None
    logs: Path | None = None
    watch: Watch | None = None
    heldout: Heldout | None = None


@dataclass(frozen=True)
class Plan:
    """A run before it starts: rows, their order, where it leaves its traces."""

    name: str
    rows: Sequence[Encoded]
    steps: list[list[int]]
    recipe: Recipe
    seed: int
    card: Card
    kept: Checkpoints
    around: Around

    @property
    def saved(self) -> bool:
        """Whether checkpoints are written."""
        return self.around.work is not None or self.recipe.patience > 0

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return max(len(row.ids) for row in self.rows)


def carried_out(student: Student, plan: Plan) -> dict[str, Any]:
    """Train what the plan says; the adapter waits in `plan.kept.adapter`.

    Returns:
        Losses, the step the adapter is from, the history.

    Raises:
        RunError: see `qlora.train`. Nothing of the run stays in memory.
    """
    memory.release()  # what loading the model left behind
    try:
        return _fit(student, plan)
    except BaseException as error:
        found = explained(
            error,
            name=plan.name,
            work=plan.kept.folder,
            step=lambda: plan.kept.step if plan.saved else 0,
        )
    finally:
        memory.release()
    raise found


def _fit(student: Student, plan: Plan) -> dict[str, Any]:
    """Train, from the last checkpoint if there is one; the adapter is saved."""
    last, resumed = plan.kept.last(), plan.kept.step
    with ExitStack() as stack:
        seed = label_seed(plan.seed, "adapter", plan.name)
        model = stack.enter_context(adapted(student, plan.recipe.rank, seed=seed))
        stack.enter_context(_fast(model, plan.recipe))
        apart = layout.rows_stay_apart(model, longest=plan.longest)
        if apart:
            stack.enter_context(layout.row_by_row(student.model))
        job = stack.enter_context(_job(student, model, plan, last, padded=not apart))
        trainer = _trainer(model, plan, job)
        if last:
            print(
                f"{plan.name}: carries on after step {resumed} of {job.steps}",
                flush=True,
            )
            job.bar.step(resumed)
        trainer.train(resume_from_checkpoint=str(last) if last else None)
        state = trainer.state
        rows = history(state.log_history)
        found = {
            "losses": [row["loss"] for row in rows],
            "best_step": state.best_global_step or state.global_step,
            "resumed": resumed,
            "history": rows,
        }
        save(model, plan.kept.adapter, plan.card)
        checkpoints.seal(plan.kept.adapter, found=found)
    return found


def _fast(model: Any, recipe: Recipe) -> AbstractContextManager[None]:
    """LoRA layers in one operation, with the frozen weights as floats if they fit."""
    return fused(model, kept=keeps_floats(model, recipe))


def keeps_floats(model: Any, recipe: Recipe) -> bool:
    """Whether the frozen weights are laid out as floats for the run.

    If the recipe says so; on a CPU also if four times as much is free. A GPU makes
    them anew in a small part of a step's time, and its memory has better uses.
    """
    if recipe.dequantise == "auto":
        return device() == "cpu" and 4 * extra_bytes(model) < memory.free()
    return recipe.dequantise == "on"


@contextmanager
def adapted(student: Student, rank: int, *, seed: int = 0) -> Iterator[Any]:
    """The student with a fresh adapter on every linear layer; taken off again.

    Args:
        student: the frozen model.
        rank: of the adapter; its alpha is the same.
        seed: of its first weights.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    config = LoraConfig(
        r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    model = get_peft_model(student.model, config)
    try:
        yield model
    finally:
        model.unload()
        vars(student.model).pop("peft_config", None)
        student.model.eval()


@contextmanager
def _job(
    student: Student, model: Any, plan: Plan, last: Path | None, *, padded: bool
) -> Iterator[Job]:
    """How the steps are cut, and who is told of them."""

    def heldout(step: int) -> float:
        model.eval()
        name = f"{student.identity}+{plan.kept.folder.name}@{step}"
        with layout.as_usual(student.model):
            return plan.around.heldout(replace(student, model=model, identity=name))

    model.eval()
    with layout.as_usual(student.model):
        loss = loss_of(model)
    model.train()
    fit = memory.fit(model, plan.recipe, longest=plan.longest, padded=padded)
    if last:  # carrying on otherwise would change its bits
        known = checkpoints.facts(last)
        fit = replace(fit, **{n: known[n] for n in ("tokens", "checkpointing")})
    steps = len(plan.steps)
    try:
        memory.checkpointing(model, fit.checkpointing)
        with progress(f"training {plan.name}", total=steps, unit="steps") as bar:
            yield Job(
                name=plan.name,
                fit=fit,
                loss=loss,
                pad=student.tokenizer.pad_token_id,
                steps=steps,
                bar=bar,
                watch=plan.around.watch,
                heldout=heldout if plan.around.heldout else None,
            )
    finally:
        memory.checkpointing(model, False)


def _trainer(model: Any, plan: Plan, job: Job) -> Any:
    from transformers import EarlyStoppingCallback

    recipe = plan.recipe
    if not job.heldout:
        recipe = recipe.with_(eval_steps=0, patience=0)
    trainer = trainer_class()(
        model=model,
        args=arguments(
            recipe,
            folder=plan.kept.folder,
            seed=label_seed(plan.seed, "order") % 2**31,
            steps=job.steps,
            saved=plan.saved,
            name=plan.name,
        ),
        train_dataset=[[plan.rows[i] for i in step] for step in plan.steps],
        eval_dataset=["held-out items"] if recipe.eval_steps else None,
        data_collator=lambda items: {"rows": items[0]},
        callbacks=[EarlyStoppingCallback(recipe.patience)] if recipe.patience else [],
    )
    trainer.job = job
    for callback in list(trainer.callback_handler.callbacks):
        kind = type(callback).__name__
        if kind in {"PrinterCallback", "ProgressCallback"}:
            trainer.remove_callback(callback)
        elif kind == "TensorBoardCallback" and plan.around.logs:
            # Its own choice is among the checkpoints, which go at the end.
            folder = callback.logging_dir or plan.around.logs / plan.name
            callback.logging_dir = str(folder)
    return trainer
