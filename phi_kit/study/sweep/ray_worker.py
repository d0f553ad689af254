"""A worker of a Ray cluster: what it does for a sweep, one notebook at a time.

It runs notebooks as the sweep's own process would, with kernels of its own. An error
goes back as a value, for only the sweep knows what is to be tried again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from phi_kit import __version__
from phi_kit.cluster.ray_session import PROCESS_GROUPS, SUBREAPER, as_any_process
from phi_kit.core.errors import DiskFullError, KernelDiedError, PhiKitError, RunError
from phi_kit.core.file_locks import is_held
from phi_kit.study.config import Unit

from .notebook_engine import InProcessEngine

# Of a machine that has gone a network file system keeps the locks for a while: a
# server of NFS 4 for 90 s (nfsd's default lease).
_LOCKS_OF_THE_DEAD = 120.0
_LAST_LINES_SECONDS = 10.0
_LOOK_SECONDS = 0.5  # until a cancelled task notices


@dataclass(frozen=True)
class Orders:
    """What a worker needs to be like the sweep's own process.

    Attributes:
        project: the folder that holds `notebooks/`.
        environment: variables to set, where the run folders and the ledger are among
            them.
        held: a file beside the run folders that the sweep holds the lock of.
        version: of the kit.
    """

    project: str
    environment: Mapping[str, str]
    held: str
    version: str = __version__


class Place(NamedTuple):
    """A worker's machine.

    Attributes:
        node: Ray's name of it.
        host: its own.
        machine: equal for two that share their memory, such as two containers.
        fault: why it cannot work for the sweep; empty if it can.
        ends_orphans: whether what a killed worker leaves is ended.
    """

    node: str
    host: str
    machine: str
    fault: str = ""
    ends_orphans: bool = True


class Report(NamedTuple):
    """How a notebook ended on a worker.

    Attributes:
        place: where it ran.
        error: why it failed; `None` if its step is finished.
        lost: whether its kernel died.
    """

    place: Place
    error: PhiKitError | None = None
    lost: bool = False


class Mailbox:
    """Lines on their way from the workers to the sweep; an actor."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str, str]] = []

    def put(self, key: str, kind: str, line: str) -> None:
        """Leave a line: what a notebook says, or `at` which worker it is."""
        self._lines.append((key, kind, line))

    def take(self) -> list[tuple[str, str, str]]:
        """All lines that nobody has taken."""
        lines, self._lines = self._lines, []
        return lines


def look_around(orders: Orders) -> Place:
    """This machine, and whether it can work for the sweep."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    here = socket.gethostname(), machine_id(), place_fault(orders)
    return Place(node, *here, _is_on(SUBREAPER) and not _is_on(PROCESS_GROUPS, "1"))


def _is_on(setting: str, default: str = "0") -> bool:
    return os.environ.get(setting, default).lower() in ("1", "true")


def machine_id() -> str:
    """What two processes have in common if they share a machine's memory."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return socket.gethostname()


def place_fault(orders: Orders) -> str:
    """Why this machine cannot work for the sweep; empty if it can."""
    if orders.version != __version__:
        return f"its phi_kit is {__version__}, the sweep's is {orders.version}"
    if not (Path(orders.project) / "notebooks").is_dir():
        return f"there is no {orders.project}/notebooks"
    held = Path(orders.held)
    if not held.exists():
        return f"it does not see the run folders in {held.parents[1]}"
    if not is_held(held):
        return f"a lock on a file in {held.parents[1]} does not reach it"
    return ""


def carry_out(orders: Orders, key: str, unit: Unit, mailbox: Any) -> Report:
    """Run a notebook, as a task.

    Args:
        orders: of the sweep.
        key: of the work.
        unit: what to run.
        mailbox: takes its lines.
    """
    import ray

    as_any_process()
    os.environ.update(orders.environment)
    place = look_around(orders)
    if place.fault:
        return Report(place, RunError(place.fault, where=place.host))
    os.chdir(orders.project)
    last = [mailbox.put.remote(key, "at", _whereabouts(place.host))]

    def say(line: str) -> None:
        last[0] = mailbox.put.remote(key, "said", line)

    engine = _engine(partial(mailbox.put.remote, "", "said"))
    engine.start(key, unit, say, say)
    try:
        while not (ended := engine.wait(_LOOK_SECONDS)):
            pass
    except BaseException:  # cancelled
        _engines.clear()
        engine.stop()
        raise
    ray.wait(last, timeout=_LAST_LINES_SECONDS)
    error = ended[0].error
    if isinstance(error, DiskFullError):
        place = place._replace(fault=error.what.splitlines()[0])
    return Report(place, error, isinstance(error, KernelDiedError))


_engines: list[InProcessEngine] = []  # of this process: one, with its template


def _engine(say: Any) -> InProcessEngine:
    if not _engines:
        _engines.append(InProcessEngine(1, say, patience=_LOCKS_OF_THE_DEAD))
    return _engines[0]


def _whereabouts(host: str) -> str:
    import ray

    gpus = ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
    return " ".join([host, f"pid {os.getpid()}", *(f"GPU {gpu}" for gpu in gpus)])
