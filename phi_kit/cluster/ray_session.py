"""Ray: started on this machine, or a cluster that runs already.

The one module that imports it, and only when several workers are wanted: with one,
nobody needs it.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from phi_kit.core.child_exits import child_action, hear_of_children, set_child_action
from phi_kit.core.errors import RunError

# Ray's own names. Without them what a killed worker has started lives on: a Jupyter
# kernel leads a session of its own, and no process group of the worker's holds it.
# With the first a node ends all of that within ten seconds; the second, on in Ray
# 2.60, would turn it off:
# https://docs.ray.io/en/latest/ray-core/user-spawn-processes.html
# Without the last, workers and all that they start yield to every other process
# (`nice` 15).
SUBREAPER = "RAY_kill_child_processes_on_worker_exit_with_raylet_subreaper"
PROCESS_GROUPS = "RAY_process_group_cleanup_enabled"
SETTINGS = {
    SUBREAPER: "true",
    PROCESS_GROUPS: "false",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
}
ADDRESS = "RAY_ADDRESS"  # Ray's own name of the cluster to use; else this machine
OWN = "local"  # Ray's word for one that is started, whatever else runs here
# Ray gives up where its own helpers are not up within 15 s, which a busy machine may
# need to read their libraries once; then they are in memory.
_STARTS = 3
_KNOCK_SECONDS = 15.0
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)  # of Linux alone
_SET_CHILD_SUBREAPER, _GET_CHILD_SUBREAPER = 36, 37  # prctl(2)


@contextmanager
def session(
    address: str | None = None, *, workers: int | None = None
) -> Iterator[ModuleType]:
    """Ray, for as long as the block lasts.

    Inside another session of this process it is that one. A Ray that the block has
    started ends with it; a cluster goes on.

    Args:
        address: of a cluster: `auto` for the one that this machine is a node of,
            `host:6379`, or `ray://host:10001` from a machine that is none. Without
            it, or with `local`, a Ray of its own is started on this machine.
        workers: processors that a Ray of its own counts, so many tasks of one at a
            time; all of the machine's without it. A cluster knows its own.

    Yields:
        The module `ray`, initialised.

    Raises:
        RunError: Ray is not installed, does not start, or does not answer there.
    """
    address = address or OWN
    with _variables_put_back():
        ray = _imported()
        if ray.is_initialized():
            yield ray
            return
        os.environ.update(SETTINGS)
        _initialise(ray, address, workers)
        try:
            yield ray
        finally:
            ray.shutdown()


def _initialise(ray: ModuleType, address: str, workers: int | None) -> None:
    """Start Ray, or connect to it.

    Raises:
        RunError: there is none, or it does not start, however often.
    """
    if address != OWN:
        _knock_at(os.environ.get(ADDRESS, address) if address == "auto" else address)
    own = {"num_cpus": workers, "include_dashboard": False} if address == OWN else {}
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    for left in reversed(range(_STARTS if own else 1)):
        try:
            with _process_put_back():
                ray.init(address, **quiet, **own)
        except Exception as error:  # where it does not start in time, it is just that
            ray.shutdown()  # what it may have started
            if not left:
                raise _not_there(address, error) from error
        else:
            return


def _knock_at(address: str) -> None:
    """See at once whether anybody answers; Ray itself tries for three minutes.

    Raises:
        RunError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return  # `auto`, or a kind of address that only Ray knows
    try:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()
    except OSError as error:
        raise _not_there(address, error) from error


def _imported() -> ModuleType:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise RunError(
            f"work on several workers needs the package {error.name}",
            todo="pip install 'phi-kit[cluster]'",
        ) from error
    return ray


@contextmanager
def _variables_put_back() -> Iterator[None]:
    """Leave the environment as it was; Ray sets variables of its own as it starts."""
    before = _own_variables()
    try:
        yield
    finally:
        for name in _own_variables():
            del os.environ[name]
        os.environ.update(before)


def _own_variables() -> dict[str, str]:
    """Those of Ray; by the second one its debugger is found."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("RAY_", "PYTHONBREAKPOINT"))
    }


@contextmanager
def _process_put_back() -> Iterator[None]:
    """Keep the program's own way to end, and to hear of the end of its children.

    Ray sets a SIGTERM handler of its own. It also makes the program adopt what its
    children leave behind and, to be rid of those, has SIGCHLD ignored: from then on
    the system clears away every child by itself, so that `subprocess` takes each for
    one that ended well and `os.wait4` finds none.
    """
    on_term, on_child = signal.getsignal(signal.SIGTERM), child_action()
    adopts = _adopts_orphans()
    try:
        yield
    finally:
        set_child_action(on_child)
        if _PRCTL:
            _PRCTL(_SET_CHILD_SUBREAPER, ctypes.c_ulong(adopts))
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_term or signal.SIG_DFL)


def as_any_process() -> None:
    """In a worker of Ray: take back what Ray changes for itself, in any thread.

    Its workers are deaf to the end of their children: a download or a server that has
    failed would seem to have ended well, here and in whatever the worker starts.
    """
    hear_of_children()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _adopts_orphans() -> bool:
    answer = ctypes.c_int()
    if _PRCTL:
        _PRCTL(_GET_CHILD_SUBREAPER, ctypes.byref(answer))
    return bool(answer.value)


def _not_there(address: str, error: Exception) -> RunError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if address == OWN:
        return RunError(
            f"Ray does not start on this machine: {reason}",
            todo="its logs are in /tmp/ray/session_latest/logs; one worker needs none",
        )
    return RunError(
        f"there is no Ray that can be used: {reason}",
        where=address,
        todo="start one there (ray start --head), with the Python and the packages of "
        "this machine, or leave the address out",
    )
