"""A long run on several workers: Ray Train around the kit's own trainer.

The data order is fixed before the first step, so each worker gets its rows of every
step in a file of its own (`shards`) and gradients are added up (`ranks`): losses are
those of one process up to the order of sums. Where a worker is lost, all start again
from the last checkpoint. Nodes need a common disk for the run's folder.

Not covered: models that do not fit one card, and held-out items asked in between.
"""

from __future__ import annotations

import os
import pickle
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from phi_kit.cluster.ray_session import ADDRESS, as_any_process, session
from phi_kit.core.compute_record import note_compute
from phi_kit.core.errors import PhiKitError, RunError, StudyError
from phi_kit.core.files import write_atomic
from phi_kit.core.progress import Heartbeat, progress
from phi_kit.core.time_spent import TRAINING, spending
from phi_kit.inference.engine_pool import WorkerShare, close_pool, worker_share
from phi_kit.inference.pooled_model import PooledModel
from phi_kit.models.product_rates import known_rates

from .checkpoints import completion_notes, is_complete
from .ranks import Ranks
from .shards import ShardSteps, write_shards
from .trainer import RunHooks, StepRows
from .training_run import TrainingRun, run_training

MOST_LOSSES = 3  # of workers in a run, before it is given up (kit default)
LOOK_SECONDS = 1.0  # between two looks at how far the workers are
_FAILURE, _STEPS = "failure.pickle", "steps.count"
# The kit's Trainer is that of one process: Accelerate must not take it for another.
_RANK_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")


@dataclass(frozen=True)
class RankRun(TrainingRun):
    """A run as one of several processes sees it; its rows are those of its shard.

    Attributes:
        shards: the folder of all ranks' rows.
        most_tokens: of the longest row of all ranks.
    """

    shards: Path = Path()
    most_tokens: int = 0

    @property
    def longest(self) -> int:
        """Tokens of the longest row, the same for all ranks."""
        return self.most_tokens

    @cached_property
    def step_rows(self) -> Sequence[StepRows]:
        """This rank's rows of every step, read when their turn comes."""
        return ShardSteps(self.shards, self.ranks.rank)

    @cached_property
    def ranks(self) -> Ranks:
        """The processes that train together."""
        return Ranks()


@spending(TRAINING)
def train_on_workers(student: PooledModel, run: TrainingRun) -> dict[str, Any]:
    """Train as `run_training` does, on the model's workers.

    Held-out items are not asked, callbacks are not called, and `hooks.watch` gets the
    history once all is done: those are of this process.

    Raises:
        StudyError: held-out items are to be asked in between.
        RunError: see `qlora.train`; or workers were lost again and again.
    """
    if run.config.eval_steps and run.hooks.heldout:
        raise StudyError(
            "eval_steps asks held-out items during training, which workers do not",
            todo="set eval_steps: 0 and patience: 0, or workers: 1",
        )
    note_compute(student.precision, known_rates())
    close_pool()  # its processors and cards are for training now
    shards = run.checkpoints.folder / "shards"
    portable = RunHooks(run.hooks.work, run.hooks.logs)  # the rest is of this process
    try:
        shutil.rmtree(shards, ignore_errors=True)  # left by a killed attempt
        write_shards(shards, iter(run.step_rows), student.workers)
        part = RankRun(
            **{**vars(run), "rows": (), "steps": [], "hooks": portable},
            shards=shards,
            most_tokens=run.longest,
        )
        with (
            session(os.environ.get(ADDRESS)) as ray,
            progress(f"training {run.name}", total=len(run.steps), unit="steps") as bar,
        ):
            each = worker_share(ray, student.workers)
            how = {
                "origin": student.origin.everywhere,
                "run": part,
                "threads": each.threads,
            }
            trainer = ray_trainer(how, student.workers, each)
            _wait(trainer, shards / _STEPS, bar)
        outcome = _outcome(run, shards)
    except BaseException as error:
        explained = run.explained(error)
    else:
        for row in outcome["history"]:
            if run.hooks.watch:
                run.hooks.watch(row)
        return outcome
    finally:
        shutil.rmtree(shards, ignore_errors=True)
    raise explained


def ray_trainer(how: dict[str, Any], workers: int, share: WorkerShare) -> Any:
    """Ray's trainer of so many processes; its `fit` waits until they have ended.

    Args:
        how: what each of them is told, see `train_as_rank`.
        workers: how many.
        share: of the cluster, for each.
    """
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    return TorchTrainer(
        train_as_rank,
        train_loop_config=how,
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=bool(share.cards),
            # Ray reserves nothing only where it is asked for something.
            resources_per_worker={
                "CPU": share.processors or 0.01,
                "GPU": share.cards,
            },
        ),
        run_config=RunConfig(
            name="ray",
            storage_path=str(how["run"].shards),
            failure_config=FailureConfig(max_failures=MOST_LOSSES),
        ),
    )


def train_as_rank(how: dict[str, Any]) -> None:
    """Train as one of the workers; torch's process group is there.

    Args:
        how: the model's `origin`, the `run`, and `threads`.
    """
    import torch

    run: RankRun = how["run"]
    failure = run.shards / _FAILURE
    if failure.exists():  # started again, after an error that would come again
        return
    as_any_process()
    for name in _RANK_VARIABLES:
        os.environ.pop(name, None)
    torch.set_num_threads(how["threads"])
    if run.ranks.leads:
        watch = partial(_note_step, run.shards / _STEPS)
        run = replace(run, hooks=replace(run.hooks, watch=watch))
    else:  # one tracker is enough
        run = replace(run, config=run.config.with_(report_to=[]))
    try:
        run_training(how["origin"].load(), run)
    except PhiKitError as error:
        failure.write_bytes(pickle.dumps(error))
        raise


def _note_step(file: Path, row: dict[str, Any]) -> None:
    write_atomic(file, str(row["step"]))


def _wait(trainer: Any, steps: Path, bar: Heartbeat) -> None:
    """Wait for the workers, and say how far they are.

    Ray's own wait is in a thread: in the main one it would take Ctrl-C for itself.
    """
    errors: list[BaseException] = []

    def fit() -> None:
        try:
            trainer.fit()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=fit, daemon=True)
    thread.start()
    done = 0
    while thread.is_alive():
        thread.join(LOOK_SECONDS)
        now = int(steps.read_text()) if steps.exists() else 0
        if now > done:  # less after a loss: steps are repeated from a checkpoint on
            bar.step(now - done)
            done = now
    if errors:
        raise RunError(
            f"the workers gave up training: {str(errors[0])[:500]}",
            todo="run it again: it carries on from the last checkpoint",
        ) from errors[0]


def _outcome(run: TrainingRun, shards: Path) -> dict[str, Any]:
    """What the first worker wrote beside the adapter.

    Raises:
        PhiKitError: a worker's own.
        RunError: no adapter is here.
    """
    failure = shards / _FAILURE
    if failure.exists():
        raise pickle.loads(failure.read_bytes())
    if not is_complete(run.checkpoints.adapter):
        raise RunError(
            "the workers have trained, and their adapter is not here",
            where=str(run.checkpoints.adapter),
            todo="set PHI_KIT_RUNS to a folder on a disk that all nodes share",
        )
    return completion_notes(run.checkpoints.adapter)["found"]
