"""Kernels that start warm: forked from a process that has imported the libraries.

A kernel started from nothing imports for seconds, in every notebook again; a forked one
is ready at once. `kernel_template` is that process. Linux only: elsewhere, and whenever
anything about it fails, kernels start cold, as if there were no such thing.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from phi_kit.core.paths import project_root

COLD = "PHI_KIT_COLD_KERNELS"  # any value: no warm kernels
# What notebooks import, the steps first: whatever they import by themselves is theirs.
PRELOAD = (
    "phi_kit.steps.pick_domain",
    "phi_kit.steps.collect_seeds",
    "phi_kit.steps.filter_edge",
    "phi_kit.steps.probe_sft",
    "phi_kit.steps.synthesize",
    "phi_kit.steps.expand_domains",
    "phi_kit.steps.benchmark",
    "torch",
    "transformers.modeling_utils",
    "transformers.trainer",
    "peft",
    "datasets",
    "matplotlib.figure",
    "reasoning_gym",
)
_LAUNCHER = "ipykernel_launcher"
_CODE = Path(__file__).resolve().parents[2]  # phi_kit/
# Generous on purpose: what is slow here would be as slow in every cold kernel.
_TEMPLATE_SECONDS, _KERNEL_SECONDS = 300.0, 180.0
# Variables that are read when they are used, never on import: another value is no
# reason for another template.
_READ_WHEN_USED = ("PHI_KIT_", "JPY_", "PYTHONEXECUTABLE")


class ForkError(Exception):
    """A template or a forked kernel did not start; says why."""


class ForkedKernel:
    """A forked kernel's process, as far as `subprocess.Popen` is asked about one.

    Its parent is the template, which tells on a stream how it ended.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, line: socket.socket):
        self.pid, self.returncode, self._line = pid, None, line

    def poll(self) -> int | None:
        """The exit status; `None` while it runs."""
        if self.returncode is None:
            self._line.setblocking(False)
            try:
                told = self._line.recv(64).decode()
            except BlockingIOError:
                return None
            # Told nothing: the template has gone, and its kernels end with it.
            self.returncode = int(told.split()[1]) if told else -signal.SIGKILL
            self._line.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it takes longer than so many seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("kernel", timeout)
            time.sleep(0.05)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class WarmKernels:
    """Forks kernels from a template, for as long as that works.

    Several may run at a time, all of one environment: a new template ends the kernels
    of the one before.
    Changed code, other libraries, another environment or other processors make
    another template: what was imported from the old ones would be out of date.
    """

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._template: _Template | None = None
        self._given_up = False
        self._lock = threading.Lock()  # of two that need a template one starts it

    def prepare(self) -> None:
        """Start the template; it imports while the runner does other things."""
        with self._cold_on_failure():
            self._current(dict(os.environ))

    def fork(
        self,
        command: list[str],
        environment: dict[str, str],
        *,
        folder: str,
        log: Path,
    ) -> ForkedKernel | None:
        """A kernel that is ready, a process of its own; `None`: start it cold.

        Args:
            command: that would start it, `python -m ipykernel_launcher ARGUMENT…`.
            environment: all of the kernel's.
            folder: that it works in.
            log: takes what its process prints outside cells.
        """
        with self._cold_on_failure():
            request = {
                "arguments": command[command.index(_LAUNCHER) + 1 :],
                "environment": environment,
                "folder": folder,
                "log": str(log),
            }
            return self._current(environment).fork(request)
        return None

    def close(self) -> None:
        """End the template, and with it kernels that still run."""
        if self._template:
            self._template.close()
            self._template = None

    def _current(self, environment: dict[str, str]) -> _Template:
        with self._lock:
            if self._given_up:
                raise ForkError
            made_from = _what_templates_are_made_from(environment)
            if self._template and self._template.made_from != made_from:
                self.close()
            if not self._template:
                self._template = _Template(environment, made_from)
            return self._template

    @contextmanager
    def _cold_on_failure(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever it is: no fault of theirs ends a run
            if not self._given_up:
                why = error if isinstance(error, ForkError | OSError) else repr(error)
                self._say(f"kernels start cold, some seconds slower each: {why}")
            self._given_up = True
            self.close()


def wanted() -> bool:
    """Whether kernels are to be forked here."""
    return sys.platform.startswith("linux") and not os.environ.get(COLD)


@contextmanager
def warm_kernels(say: Callable[[str], None]) -> Iterator[WarmKernels | None]:
    """Warm kernels for a run, on their way already; `None` where there are none.

    Args:
        say: is told, once, if they fail and why.
    """
    if not wanted():
        yield None
        return
    kernels = WarmKernels(say)
    kernels.prepare()
    try:
        yield kernels
    finally:
        kernels.close()


class _Template:
    """A running template, and what it was made from."""

    def __init__(self, environment: dict[str, str], made_from: Any):
        self.made_from = made_from
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._control, theirs = socket.socketpair()
        template, stream = f"{__package__}.kernel_template", str(theirs.fileno())
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", template, stream, *PRELOAD],
                cwd=project_root(),
                # Whoever looks for CUDA must not initialise it, or forks could not.
                env={**environment, "PYTORCH_NVML_BASED_CUDA_CHECK": "1"},
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C in a terminal is for the runner
            )
        self._ready_by = time.monotonic() + _TEMPLATE_SECONDS

    def close(self) -> None:
        """End it, and with it the kernels that still run."""
        self._control.close()
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:  # it is inside its imports
            self._process.kill()
            self._process.wait()
        self._log.close()

    def fork(self, request: dict[str, Any]) -> ForkedKernel:
        """A kernel that is ready.

        Raises:
            ForkError: there is none.
        """
        line, theirs = socket.socketpair()
        pid = 0
        try:
            with theirs:
                socket.send_fds(self._control, [b"k"], [theirs.fileno()])
            line.sendall(f"{json.dumps(request)}\n".encode())
            pid = int(self._told(line, "pid", by=self._ready_by))
            self._told(line, "ready")
            return ForkedKernel(pid, line)
        except BaseException as error:
            line.close()
            if pid:
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            if isinstance(error, _EndedError):
                raise ForkError(_last_line(Path(request["log"]))) from None
            if isinstance(error, BrokenPipeError | ConnectionResetError | EOFError):
                raise ForkError(self._last_words()) from None
            raise

    def _told(self, line: socket.socket, wanted: str, *, by: float = 0.0) -> str:
        """Wait for a word; what else its line says.

        Raises:
            EOFError: the template has ended.
            ForkError: the kernel has, or was refused, or it takes too long.
        """
        line.settimeout(max(by - time.monotonic(), _KERNEL_SECONDS))
        try:
            word, _, rest = _read_line(line).partition(" ")
        except TimeoutError:
            raise ForkError(f"none was ready after {line.gettimeout():.0f} s") from None
        if word == wanted:
            return rest
        if word == "ended":
            raise _EndedError
        raise ForkError(rest) if word else EOFError

    def _last_words(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        return _last_line(Path(f"/proc/self/fd/{self._log.fileno()}"))


class _EndedError(Exception):
    """A kernel ended before it was ready."""


def _read_line(line: socket.socket) -> str:
    # Byte by byte: what follows it is read by others.
    text = b""
    while (byte := line.recv(1)) not in (b"", b"\n"):
        text += byte
    return text.decode()


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "one ended without a word"


def _what_templates_are_made_from(environment: dict[str, str]) -> Any:
    code = [
        (str(path), (stat := path.stat()).st_mtime_ns, stat.st_size)
        for path in sorted(_CODE.rglob("*.py"))
    ]
    # Whatever is installed or removed changes its folder.
    libraries = [
        Path(sysconfig.get_path(name)).stat().st_mtime_ns
        for name in ("purelib", "platlib")
    ]
    variables = sorted(
        item for item in environment.items() if not item[0].startswith(_READ_WHEN_USED)
    )
    processors = sorted(os.sched_getaffinity(0))  # OpenMP counts them on import
    return code, libraries, variables, processors, str(project_root()), PRELOAD
