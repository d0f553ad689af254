"""Checks that may never end, in processes that can be killed.

A formula such as `10**10**10` keeps Python busy where no exception reaches
it; alarms work in main threads only and not on every platform. So such checks
run in worker processes, started when first needed and used again, and a
worker that overruns its limit is killed. Workers end with the process that
started them: their input closes.

The protocol is one JSON line per job; the worker answers with a line per
stage (`#gold`) and one result line.

`pebble.ProcessPool` (5.1) was measured beside it, on two cores: ready after 0.70 s
against 0.55 s, 0.9 ms a call against 1.6 ms, an endless check ended after 1.07 s
against 1.01 s. It is not used because its time-out counts wall-clock time: beside six
busy processes not one of four comparisons that take 0.1 s each came back in time,
where this pool, which counts processor time, answered ten of ten beside eight. It
also imports the caller's main script again, so a script without a `__main__` guard
fails.
"""

from __future__ import annotations

import atexit
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from phi_kit.core.errors import RunError

# Processor time of one check (kit default): formulas of exams take milliseconds.
CHECK_SECONDS = 1.0
_START_SECONDS = 120  # imports on a busy machine
_STRETCH = 10  # wall-clock time may be this many times the limit
_BYTES = 4 << 30

_CODE = """\
import sys
sys.path[:] = {path!r}
from phi_kit.verifiers.worker_pool import serve
serve({module!r}, {limit!r})
"""


@dataclass(frozen=True)
class WorkerReply:
    """A worker's result (empty if it was killed), and the stage it had reached."""

    result: str = ""
    stage: str = ""

    @property
    def late(self) -> bool:
        """Whether the worker was killed, or died, before it had a result."""
        return not self.result


class Worker:
    """One process that runs the jobs of one module."""

    def __init__(self, module: str, limit: float):
        self.module, self.limit = module, limit
        code = _CODE.format(path=sys.path, module=module, limit=limit)
        self.process = subprocess.Popen(
            [sys.executable or "python", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        watch = threading.Timer(_START_SECONDS, self.process.kill)
        watch.daemon = True
        watch.start()
        ready = self.process.stdout.readline()
        watch.cancel()
        if ready.strip() != "ready":
            raise self._broken()
        # Drained, since a full pipe would stop the worker.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def _broken(self) -> RunError:
        self.process.kill()
        lines = self.process.stderr.read().strip().splitlines()
        return RunError(
            f"the checker of {self.module} does not start",
            where=lines[-1] if lines else "",
            todo="install what it needs: pip install phi-kit",
        )

    def ask(self, job: dict[str, Any]) -> WorkerReply:
        """Run one job; the process is dead afterwards if it overran."""
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(done,), daemon=True)
        stage = ""
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
            watch.start()
            for line in self.process.stdout:
                if not line.startswith("#"):
                    return WorkerReply(line.strip(), stage)
                stage = line[1:].strip()
        except OSError:
            pass  # it died between two jobs
        finally:
            done.set()
        self.close()
        return WorkerReply(stage=stage)

    def _watch(self, done: threading.Event) -> None:
        started, used = time.monotonic(), _cpu_seconds(self.process.pid)
        rest = self.limit
        while not done.wait(max(rest, 0.01)):
            now = _cpu_seconds(self.process.pid)
            rest = self.limit - (now - used) if now is not None else 0
            if time.monotonic() - started > self.limit * _STRETCH:
                rest = 0
            if rest <= 0.02:
                self.process.kill()
                return

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def close(self) -> None:
        """Kill the process and wait for it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                pipe.close()


def _cpu_seconds(pid: int) -> float | None:
    """Processor time a process has used, where the system tells (Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


class WorkerPool:
    """Workers of one module, shared by all threads."""

    def __init__(
        self, module: str, *, limit: float = CHECK_SECONDS, size: int | None = None
    ):
        self.module, self.limit = module, limit
        self.size = size or min(4, os.cpu_count() or 1)
        self._forget()

    def _forget(self) -> None:
        # Also after a fork: the child must never talk to the parent's workers.
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(self.size)

    def ask(self, job: dict[str, Any]) -> WorkerReply:
        """Run a job in a worker, at most `size` at a time.

        Raises:
            RunError: no worker starts, for instance without math-verify.
        """
        with self._room:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None or not worker.alive:
                worker = Worker(self.module, self.limit)
            try:
                answer = worker.ask(job)
            except BaseException:
                worker.close()  # Ctrl-C amid a job: its reply must not linger
                raise
            if worker.alive:
                with self._lock:
                    self._idle.append(worker)
            return answer

    def close(self) -> None:
        """End all idle workers."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()


_pools: list[WorkerPool] = []


@cache
def pool(module: str) -> WorkerPool:
    """The pool of this process for `phi_kit.verifiers.<module>`."""
    workers = WorkerPool(f"phi_kit.verifiers.{module}")
    _pools.append(workers)
    return workers


@atexit.register
def _close_all() -> None:
    for each in _pools:
        each.close()


def _after_fork() -> None:
    for each in _pools:
        each._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def serve(module: str, limit: float) -> None:
    """A worker's own main loop: jobs from stdin, results to stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no result
    logging.disable(logging.CRITICAL)
    work = importlib.import_module(module)
    work.warm()
    _bound_memory()
    out.write("ready\n")
    for line in sys.stdin:
        _deadline(limit * _STRETCH * 2)
        try:
            result = work.run(json.loads(line), lambda stage: out.write(f"#{stage}\n"))
        except (Exception, RecursionError, MemoryError) as error:
            result = f"failed: {type(error).__name__}"
        _deadline(0)
        out.write(result.replace("\n", " ") + "\n")


def _deadline(seconds: float) -> None:
    """End this process after that time even if its parent is gone."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _bound_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    except (ImportError, ValueError, OSError):
        pass  # not on this platform; the time limit remains
