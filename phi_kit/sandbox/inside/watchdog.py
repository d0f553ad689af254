"""The process that waits for a program, ends it in time, and dies with its host.

Standard library only, loaded by `program_runner.py`. Nothing of the program's runs
in it. The host ends a program by a signal to its watchdog; should the host itself be
killed, the kernel kills the watchdog, and with it the program. A program that
sleeps uses no processor time, so the watchdog also measures wall-clock time.
"""

from __future__ import annotations

# Not `signal`, whose enumerations take longer to load than a program runs.
import _signal
import os
import sys
import time

from . import disk_usage, kernel_isolation

TYPE_CHECKING = False  # loading `typing` takes longer than a small solution
if TYPE_CHECKING:
    from typing import Any

# Seconds between two checks of the quota, and beyond the host's own deadline.
_TICK, _GRACE = 0.03, 0.5
_AWAITED = {_signal.SIGCHLD, _signal.SIGTERM}
_LINUX = sys.platform.startswith("linux")
# Exit codes as a shell gives them for a signal.
KILLED, TOO_LARGE = 128 + _signal.SIGKILL, 128 + _signal.SIGXFSZ


def fork_program(job: dict[str, Any], *descriptors: int) -> None:
    """Return in a new process, the program's; this process waits for its end.

    Args:
        job: the runner's job.
        descriptors: those that only the program uses.

    Raises:
        OSError: no process can be started, or it cannot drop its privileges.
    """
    if job["mode"] == "limits":
        # The same user as the program, so that it may see the program's open files.
        _drop_privileges(job)
    _die_with_parent()
    # Inside `bwrap`, which dies with the host itself, no parent can be seen.
    if job["mode"] != "bubblewrap" and os.getppid() != job["host"]:
        os._exit(KILLED)
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _AWAITED)
    ours, theirs = os.pipe()
    child = os.fork()
    if child:
        for descriptor in (*descriptors, ours):
            os.close(descriptor)
        os._exit(_Watchdog(child, job).code())
    os.close(theirs)
    _drop_privileges(job)
    # Set after the last change of privileges, which would reset it.
    _die_with_parent()
    # If the watchdog ended before this was set, the other end is closed by now.
    if _closed(ours):
        os._exit(KILLED)
    os.close(ours)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _AWAITED)


def _closed(end: int) -> bool:
    """Whether nobody holds the other end of a pipe that nobody writes to."""
    os.set_blocking(end, False)
    try:
        return not os.read(end, 1)
    except BlockingIOError:
        return False


def _drop_privileges(job: dict[str, Any]) -> None:
    if _LINUX:
        kernel_isolation.drop_privileges(job["uid"], job["work"])
        if job["mode"] == "limits":
            kernel_isolation.make_dumpable()


def _die_with_parent() -> None:
    if _LINUX:
        kernel_isolation.die_with_parent()


class _Watchdog:
    """Waits for one child and ends it at its limits."""

    def __init__(self, child: int, job: dict[str, Any]):
        self._child, self._work, self._quota = child, job["work"], job["quota"]
        self._deadline = time.monotonic() + job["seconds"] + _GRACE
        # In the other modes the kernel bounds the size of the program's folder.
        self._watches = job["mode"] == "limits"

    def code(self) -> int:
        """How the child ended, or why it had to."""
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0 or _signal.SIGTERM in _received_signals(
                left, watches=self._watches
            ):
                return self._end(KILLED)
            if code := self._ended(os.WNOHANG):
                return code - 1
            if self._watches and not self._within_quota():
                return self._end(TOO_LARGE)

    def _ended(self, how: int) -> int:
        """One more than the exit code; 0 while it runs."""
        pid, status = os.waitpid(self._child, how)
        if not pid:
            return 0
        code = os.waitstatus_to_exitcode(status)
        if self._watches and not self._within_quota():
            return TOO_LARGE + 1
        return (code if code >= 0 else 128 - code) + 1

    def _end(self, code: int) -> int:
        try:
            os.kill(self._child, _signal.SIGKILL)
        except OSError:  # no right to: it dies with this process
            return code
        os.waitpid(self._child, 0)
        return code

    def _within_quota(self) -> bool:
        megabytes = self._quota["megabytes"]
        hidden = disk_usage.unlinked_bytes(self._child, self._work, megabytes << 20)
        return disk_usage.within_quota(self._work, **self._quota, hidden=hidden)


def _received_signals(left: float, *, watches: bool) -> set[int]:
    """The signals received in that time, or until the quota is checked again."""
    wait = min(left, _TICK) if watches else left
    if hasattr(_signal, "sigtimedwait"):
        received = _signal.sigtimedwait(_AWAITED, wait)
        return {received.si_signo} if received else set()
    time.sleep(min(left, _TICK))
    return set(_signal.sigpending())
