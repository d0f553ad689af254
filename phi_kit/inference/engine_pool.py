"""Sampling on several Ray workers, each with an engine of its own.

The draw stays where it is: it holds the leases, hands units of work (`work_units`)
to workers, and writes what they return into the ledger, which no worker sees. The unit
of a worker that is lost goes to another one; a new worker is started beside it, but
nothing waits for it, for its node may be gone for good.

Not covered: models behind a URL. Their server spreads the requests, and one process
keeps `endpoint: concurrency` of them under way.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from phi_kit.cluster.ray_session import ADDRESS, as_any_process, session
from phi_kit.core.errors import PhiKitError, RunError
from phi_kit.core.progress import print_status

from .local.model import LocalModel
from .local.origin import ModelOrigin
from .local.sampling_engine import OwnEngine
from .types import Completion, Sampler, SampleRequest, SamplingParams
from .work_units import UnitQueue, work_units

THREADS = "OMP_NUM_THREADS"  # of each worker; else the processors are shared out
WAIT_SECONDS = 5.0  # between two looks at how long nothing has come back
# Until one of the workers must have loaded the model: a node may have to start, and
# weights to come from the hub (kit default).
START_SECONDS = 1800.0
MOST_LOSSES = 3  # workers lost one after the other, beyond all that were wanted

Drawn = list[tuple[int, Completion]]


class WorkerShare(NamedTuple):
    """What each of several workers gets of a cluster.

    Attributes:
        threads: that it computes with.
        processors: that Ray keeps free for it.
        cards: one, or none where the cluster has none.
    """

    threads: int
    processors: int
    cards: int

    @property
    def device(self) -> str:
        """Where it computes, `cuda` or `cpu`."""
        return "cuda" if self.cards else "cpu"


def worker_share(ray: Any, workers: int) -> WorkerShare:
    """The share of each worker: a card where there are any, and its processors.

    Args:
        ray: the module, initialised.
        workers: how many.

    Raises:
        RunError: there are fewer cards than workers.
    """
    found = ray.cluster_resources()
    cards, cores = int(found.get("GPU", 0)), int(found.get("CPU", 1))
    if 0 < cards < workers:
        raise RunError(
            f"{workers} workers want a card each, and there are {cards}",
            todo=f"set workers: {cards}",
        )
    threads = int(os.environ.get(THREADS) or max(1, cores // workers))
    # Whoever asks for more threads than there are processors gets them; Ray would wait.
    reserved = threads if threads * workers <= cores else 0
    return WorkerShare(threads, reserved, min(cards, 1))


class EngineFacts(NamedTuple):
    """What a worker says of itself once its model is loaded.

    Attributes:
        identity: of the model, as it computes there.
        stop_ids: tokens that end a turn.
        node: the machine.
        pid: of its process there.
    """

    identity: str
    stop_ids: frozenset[int]
    node: str
    pid: int


class DrawTask(NamedTuple):
    """How the units of a draw are decoded.

    Attributes:
        sampling: token limit and temperature.
        sampler: makes the sampler that draws, of the loaded model; a class or a
            function that a worker can import.
        adapter: a LoRA adapter's files by name; none for the model alone.
    """

    sampling: SamplingParams
    sampler: Callable[[LocalModel], Sampler]
    adapter: dict[str, bytes]


class EngineWorker:
    """What runs in a Ray worker: a model that decodes units.

    Args:
        origin: of the model.
        threads: that it computes with.
    """

    def __init__(self, origin: ModelOrigin, threads: int):
        self.origin, self.threads = origin, threads
        self._adapted = ExitStack()
        self._on: dict[str, bytes] | None = None  # the adapter that is on, if any was

    def load(self) -> EngineFacts:
        """Load the model; apart from `__init__`, where Ray hides an error's kind."""
        import torch

        as_any_process()
        torch.set_num_threads(self.threads)
        self.base = self.model = self.origin.load()
        return EngineFacts(
            self.base.identity, self.base.stop_ids, os.uname().nodename, os.getpid()
        )

    def draw(self, requests: Sequence[SampleRequest], task: DrawTask) -> Drawn:
        """Decode a unit; (index in `requests`, sample) of each."""
        if self._on != task.adapter:
            self._put_on(task.adapter)
        return list(task.sampler(self.model).stream(requests, task.sampling))

    def _put_on(self, adapter: dict[str, bytes]) -> None:
        """Put an adapter on, or none, and lay the weights out for all its units."""
        from .local.decoding_weights import weights_for_decoding

        self._adapted.close()
        folder = None
        if adapter:
            folder = Path(self._adapted.enter_context(tempfile.TemporaryDirectory()))
            for name, content in adapter.items():
                (folder / name).write_bytes(content)
        self.model = self._adapted.enter_context(self.base.adapter(folder))
        if isinstance(self.model.engine, OwnEngine):
            self._adapted.enter_context(weights_for_decoding(self.model.model))
        self._on = adapter


@dataclass
class Member:
    """A worker as the pool sees it.

    Attributes:
        actor: Ray's handle of it.
        awaited: what it is to return next; `None` while it is idle.
        unit: that it decodes; `None` while it loads or is idle.
        facts: what it has loaded, once it has.
    """

    actor: Any
    awaited: Any = None
    unit: range | None = None
    facts: EngineFacts | None = None


class EnginePool:
    """Workers that hold the same model; one draw at a time.

    Args:
        origin: of the model.
        workers: how many.

    Raises:
        ModelError: the model cannot be loaded.
        RunError: Ray does not start, the cluster has too few cards, or no worker
            comes up.
    """

    def __init__(self, origin: ModelOrigin, workers: int):
        self.origin, self.workers = origin, workers
        self.members: list[Member] = []
        self._facts: EngineFacts | None = None
        self._losses = 0  # one after the other
        self._session = ExitStack()
        self.ray = self._session.enter_context(session(os.environ.get(ADDRESS)))
        try:
            self._start_all()
        except BaseException:
            self.close()
            raise

    @property
    def facts(self) -> EngineFacts:
        """Of the first worker that was ready; all others load the same."""
        return self._facts

    def _start_all(self) -> None:
        self.share = worker_share(self.ray, self.workers)
        self._fill()
        while self._facts is None:
            for _ in self._returned():
                pass

    def _fill(self) -> None:
        """Start as many workers as are missing."""
        share, origin = self.share, self.origin.everywhere
        worker = self.ray.remote(
            num_cpus=share.processors, num_gpus=share.cards, max_restarts=0
        )(EngineWorker)
        while len(self.members) < self.workers:
            actor = worker.remote(origin, share.threads)
            self.members.append(Member(actor, actor.load.remote()))

    def stream(
        self, requests: Sequence[SampleRequest], task: DrawTask
    ) -> Iterator[tuple[int, Completion]]:
        """Draw the samples; yields (index in `requests`, sample) unit by unit.

        Args:
            requests: of the draw.
            task: how they are drawn.

        Raises:
            RunError: an engine fails, or so many workers are lost that there is no
                point in going on.
        """
        queue = UnitQueue(work_units(len(requests), self.share.device))
        how = self.ray.put(task)
        self._losses = 0
        self._fill()
        try:
            while queue.left:
                for member in self.members:
                    if member.awaited is None and (unit := queue.take()):
                        part = requests[unit.start : unit.stop]
                        member.unit = unit
                        member.awaited = member.actor.draw.remote(part, how)
                for unit, drawn in self._returned(queue):
                    queue.finish()
                    for number, completion in drawn:
                        yield unit[number], completion
        finally:
            self._leave()

    def _leave(self) -> None:
        """End the workers whose unit nobody waits for any more."""
        for member in [m for m in self.members if m.unit is not None]:
            self.ray.kill(member.actor)
            self.members.remove(member)

    def _returned(
        self, queue: UnitQueue | None = None
    ) -> Iterator[tuple[range, Drawn]]:
        """Wait for any worker; units that came back, with their samples.

        A worker that was lost is replaced, and its unit put back.
        """
        awaited = {m.awaited: m for m in self.members if m.awaited is not None}
        done = self._wait(list(awaited))
        for member in map(awaited.get, done):
            try:
                value = self.ray.get(member.awaited)
            except self.ray.exceptions.RayTaskError as error:
                # The engine's own error, not Ray's with a trace of the worker.
                if isinstance(error.cause, PhiKitError):
                    raise error.cause from None
                raise
            except self.ray.exceptions.RayError as error:
                self._replace(member, error)
                if member.unit is not None:
                    queue.put_back(member.unit)
                continue
            self._losses = 0
            unit, member.unit, member.awaited = member.unit, None, None
            if unit is None:
                member.facts = value
                self._require_alike(value)
            else:
                yield unit, value

    def _wait(self, awaited: list[Any]) -> list[Any]:
        """The first of these that is there.

        Raises:
            RunError: no worker decodes, and none has loaded the model in time.
        """
        began = time.monotonic()
        while True:
            done, _ = self.ray.wait(awaited, timeout=WAIT_SECONDS)
            if done:
                return done
            decoding = any(member.unit is not None for member in self.members)
            if not decoding and time.monotonic() - began > START_SECONDS:
                raise RunError(
                    f"no worker has loaded {self.origin.name} in {START_SECONDS:g} s",
                    todo="look with `ray status` whether processors or cards are "
                    "taken, and wait or set fewer workers",
                )

    def _replace(self, member: Member, error: Exception) -> None:
        """Start another worker in place of one that was lost."""
        self.members.remove(member)
        self._losses += 1
        if self._losses >= self.workers + MOST_LOSSES:
            raise RunError(
                f"{self._losses} workers were lost one after the other: {error}",
                todo="look whether memory ran out: set fewer workers",
            )
        print_status("a worker was lost; its samples go to another one")
        self._fill()

    def _require_alike(self, facts: EngineFacts) -> None:
        """Refuse a worker whose model is another, or computes otherwise."""
        self._facts = self._facts or facts
        if facts.identity != self._facts.identity:
            raise RunError(
                f"workers do not hold the same model: {facts.identity} on "
                f"{facts.node}, {self._facts.identity} on {self._facts.node}",
                todo="give all of them the same files and kind of processor, or set "
                "compute: float32",
            )

    def close(self) -> None:
        """End all workers, and Ray where this pool has started it."""
        for member in self.members:
            self.ray.kill(member.actor)
        self.members.clear()
        self._session.close()


_lock = threading.RLock()
_open: EnginePool | None = None


def pool_of(origin: ModelOrigin, workers: int) -> EnginePool:
    """The pool of a model; it stays for the next draw, until another one is wanted.

    Args:
        origin: of the model.
        workers: how many.

    Raises:
        ModelError: the model cannot be loaded.
        RunError: as `EnginePool` does.
    """
    global _open
    with _lock:
        if _open is None or (_open.origin, _open.workers) != (origin, workers):
            close_pool()
            _open = EnginePool(origin, workers)
        return _open


def close_pool() -> None:
    """End the pool of this process, if there is one: its memory and cards are free."""
    global _open
    with _lock:
        if _open is not None:
            _open.close()
            _open = None


atexit.register(close_pool)
