"""Where notebooks are executed: the one interface, and the engine of this process.

A sweep decides what is ready and what has been done; an engine carries out one
notebook after another and says how each ended. Another engine (a cluster's) needs the
same four methods and nothing of the sweep.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from phi_kit.core.errors import KernelDiedError, PhiKitError, RunError
from phi_kit.core.paths import project_root
from phi_kit.study.config import Unit
from phi_kit.study.notebook.warm_kernels import WarmKernels, warm_kernels
from phi_kit.study.runner import ORPHAN_SECONDS, run_unit

Say = Callable[[str], None]
POLITE_SECONDS = 20.0  # for a step to end by itself, with what it has paid for kept
_INTERRUPT_SECONDS = 4.0  # between one interrupt and the next


class Outcome(NamedTuple):
    """How a notebook ended.

    Attributes:
        key: of the work.
        error: why it failed; `None` if its step is finished.
        lost: whether what carried it out is gone, so that it may be tried again.
    """

    key: str
    error: PhiKitError | None = None
    lost: bool = False


class Engine(Protocol):
    """Executes notebooks, several at once."""

    @property
    def free(self) -> int:
        """How many more it would begin at once."""

    def start(self, key: str, unit: Unit, say: Say, at: Say) -> None:
        """Begin a notebook.

        Args:
            key: names it.
            unit: what to run.
            say: takes its lines, from whatever thread.
            at: is told where it runs, if that is another process' doing.
        """

    def wait(self, seconds: float) -> list[Outcome]:
        """What has ended since, waiting at most so long for a first one."""

    def stop(self) -> None:
        """End what runs; nothing is left running after it returns."""


class InProcessEngine:
    """Threads of this process, each with one notebook's kernel at a time.

    Args:
        workers: notebooks at once. Several share the processors: each kernel gets
            its part of them, unless `OMP_NUM_THREADS` says how many.
        say: is told if warm kernels fail, and why.
        patience: seconds to wait for another process that writes a step.
    """

    def __init__(self, workers: int, say: Say, *, patience: float = ORPHAN_SECONDS):
        self.workers, self.say, self._patience = workers, say, patience
        self._template = ExitStack()  # of the kernels; none until one is wanted
        self._warm: WarmKernels | None = None
        self._begun = False
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="sweep")
        self._ended: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._running = 0

    @property
    def free(self) -> int:
        """How many more it would begin at once."""
        return self.workers - self._running

    def start(self, key: str, unit: Unit, say: Say, at: Say) -> None:
        """Begin a notebook."""
        if not self._begun:
            self._begun = True
            self._warm = self._template.enter_context(warm_kernels(self.say))
        self._running += 1
        self._pool.submit(self._run, key, unit, say)

    def _run(self, key: str, unit: Unit, say: Say) -> None:
        error: PhiKitError | None = None
        try:
            run_unit(unit, say=say, warm=self._warm, patience=self._patience)
        except PhiKitError as raised:
            error = raised
        except BaseException as raised:
            error = RunError(f"{type(raised).__name__}: {raised}")
        self._ended.put(Outcome(key, error, isinstance(error, KernelDiedError)))

    def wait(self, seconds: float) -> list[Outcome]:
        """What has ended since, waiting at most so long for a first one."""
        ended = []
        try:
            ended.append(self._ended.get(timeout=seconds))
            while True:
                ended.append(self._ended.get_nowait())
        except queue.Empty:
            pass
        self._running -= len(ended)
        return ended

    def stop(self) -> None:
        """Interrupt every kernel as Ctrl-C would; kill those that go on.

        A second Ctrl-C kills them at once.
        """
        from phi_kit.study.notebook.kernel import end_kernels

        self._pool.shutdown(wait=False)
        now = time.monotonic()
        kill_at, next_time = now + POLITE_SECONDS, now
        while self._running:
            try:
                now = time.monotonic()
                # Between cells a kernel is deaf to it, hence again and again.
                if now >= next_time:
                    end_kernels(kill=now >= kill_at)
                    next_time = now + _INTERRUPT_SECONDS
                self.wait(0.2)
            except KeyboardInterrupt:
                kill_at = next_time = 0.0
        self._template.close()


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def in_process(workers: int, say: Say) -> Iterator[InProcessEngine]:
    """An engine of this process; what it still runs at the end is stopped."""
    from phi_kit.study.notebook.kernel import kernel_environment

    with ExitStack() as stack:
        stack.enter_context(kernel_environment())
        # Papermill changes the folder of the whole process around each notebook.
        stack.callback(os.chdir, Path.cwd())
        os.chdir(project_root())
        if workers > 1 and "OMP_NUM_THREADS" not in os.environ:
            os.environ["OMP_NUM_THREADS"] = str(max(1, cores() // workers))
            stack.callback(os.environ.pop, "OMP_NUM_THREADS", None)
        engine = InProcessEngine(workers, say)
        stack.callback(engine.stop)
        yield engine
