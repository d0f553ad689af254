"""The process that warm kernels are forked from: libraries imported, nothing done.

`python -m phi_kit.study.notebook.kernel_template FD MODULE…`, started and spoken to by
`warm_kernels`. FD is a socket: whatever comes through it is the end of a stream on
which one kernel is asked for, and on which its fate is told. The template itself
computes nothing and touches no GPU, for a forked copy of OpenMP's threads or of a CUDA
context hangs or fails. Linux only.

Not `multiprocessing`'s fork server: that runs the caller's main script again in every
child, skips `atexit`, knows one template per process, and outlives a killed caller as
long as one kernel lives.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib.util
import json
import os
import random
import select
import signal
import socket
import sys
import threading
import warnings
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

# Imported where there is no GPU only: bitsandbytes asks for its properties as it is
# imported, which makes a CUDA context; the others import bitsandbytes.
ASK_THE_GPU = ("bitsandbytes", "peft", "transformers.trainer")
_GPU_FILES = ("nvidia*", "kfd", "dxg", "dri/render*")
_DRIVER_NOT_INITIALISED = 3  # CUDA_ERROR_NOT_INITIALIZED of the driver's interface
_PR_SET_PDEATHSIG = 1  # prctl(2)
# Generators that libraries seed as they are imported. Of `datasets` it names cache
# files: two kernels with one name would read each other's rows.
_GENERATORS = (
    ("datasets.fingerprint", "fingerprint_rng"),
    ("sympy.core.random", "rng"),
    ("sympy.core.random", "_assumptions_rng"),
    ("sympy.core.symbol", "Dummy._prng"),
    ("trio._core._run", "_r"),
)
_kernel = 0  # the process that became one
# Seconds between two looks at the kernels and at the runner.
_BUSY, _IDLE = 0.05, 1.0


def main() -> None:
    """Serve until the runner is gone; in a fork, be its kernel."""
    atexit.register(_end_kernel)  # first of all, so that it comes last
    runner, template = os.getppid(), os.getpid()
    control = socket.socket(fileno=int(sys.argv[1]))
    # As ipykernel's launcher does; the shell puts it back.
    if Path(sys.path[0] or ".").resolve() == Path.cwd():
        del sys.path[0]
    preload(sys.argv[2:], runner)
    if why := unfit_to_fork():
        sys.exit(why)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # or every kernel would write it once more
    gc.collect()
    gc.freeze()  # or the first collection in a kernel would copy all of these pages
    line = serve(control, runner)
    if line is None:
        os._exit(0)
    be_kernel(line, template)


# --- the template --------------------------------------------------------------


def preload(names: list[str], runner: int) -> None:
    """Import modules as a kernel would, settings first; not for a runner that is gone.

    Args:
        names: of the modules.
        runner: the runner's process id.
    """
    import ipykernel.kernelapp  # noqa: F401

    # A kernel's shell sets it before anything is imported.
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    if not names:
        return
    from phi_kit.models import loading

    loading.prepare_libraries()
    gpu = has_gpu()
    for name in names:
        if os.getppid() != runner:
            os._exit(0)
        if not (gpu and name in ASK_THE_GPU):
            importlib.import_module(name)
    if not gpu:  # what reading models imports is not known to leave one alone
        loading.prepare_loading()


def has_gpu() -> bool:
    """Whether torch could use a GPU of this machine; asks no driver.

    In doubt yes: one that cannot be used costs a kernel some seconds of imports.
    """
    from torch import version

    built = any(getattr(version, name, None) for name in ("cuda", "hip", "xpu"))
    files = (path for pattern in _GPU_FILES for path in Path("/dev").glob(pattern))
    return built and any(files)


def unfit_to_fork() -> str:
    """Why copies of this process would not work; empty if they will."""
    if threading.active_count() > 1:
        names = [thread.name for thread in threading.enumerate()[1:]]
        return f"a library has started a thread ({', '.join(names)})"
    torch = sys.modules.get("torch")
    if (torch and torch.cuda.is_initialized()) or _cuda_driver_is_initialised():
        return "a library has initialised CUDA"
    return ""


def _cuda_driver_is_initialised() -> bool:
    # `cuInit` is remembered by the process, and fails in its forks; a count of
    # devices, asked for before it, initialises nothing and says so.
    if "libcuda.so" not in Path("/proc/self/maps").read_text():
        return False
    count = ctypes.c_int()
    asked = ctypes.CDLL("libcuda.so.1").cuDeviceGetCount(ctypes.byref(count))
    return asked != _DRIVER_NOT_INITIALISED


def serve(control: socket.socket, runner: int) -> socket.socket | None:
    """Fork a kernel for every stream that arrives, and report how each ends.

    Args:
        control: gives streams; its end, or the runner's, ends all kernels.
        runner: the runner's process id.

    Returns:
        In a fork the stream it was asked for on; in the template `None`, once the
        runner is gone.
    """
    kernels: dict[int, socket.socket] = {}
    while os.getppid() == runner:
        wait = _BUSY if kernels else _IDLE
        if select.select([control], [], [], wait)[0]:
            _, received, _, _ = socket.recv_fds(control, 1, 1)
            if not received:
                break
            line = socket.socket(fileno=received[0])
            try:
                pid = _fork()
            except OSError as error:
                _tell(line, f"refused {error}")
                line.close()
                continue
            if not pid:
                for other in (control, *kernels.values()):
                    other.close()
                return line
            kernels[pid] = line
        _report_ended(kernels)
    for pid in kernels:
        for kill in (os.killpg, os.kill):  # it may not have its own group yet
            with suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)
    return None


def _fork() -> int:
    with warnings.catch_warnings():
        # Python warns of threads. Its own are checked; the others are OpenBLAS's,
        # which ends them before a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _report_ended(kernels: dict[int, socket.socket]) -> None:
    for pid in [*kernels]:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with kernels.pop(pid) as line:
                _tell(line, f"ended {os.waitstatus_to_exitcode(status)}")


def _tell(line: socket.socket, text: str) -> None:
    with suppress(OSError):  # the runner may have gone
        line.sendall(f"{text}\n".encode())


# --- a kernel ------------------------------------------------------------------


def be_kernel(line: socket.socket, template: int) -> None:
    """Become the kernel that the stream asks for, as if started from nothing.

    Args:
        line: the stream.
        template: the process id of the template, that this kernel ends with.
    """
    global _kernel
    _kernel = os.getpid()
    os.setsid()
    _end_with(template)
    _tell(line, f"pid {os.getpid()}")
    with line.makefile(encoding="utf-8") as lines:
        request = json.loads(lines.readline())
    _take_over(**request)
    reseed()
    from ipykernel.kernelapp import IPKernelApp

    # As ipykernel itself does it: it looks for its parent once a second.
    parent = f"--IPKernelApp.parent_handle={template}"
    app = IPKernelApp.instance()
    app.initialize([*request["arguments"], parent])
    _tell(line, "ready")
    line.close()
    app.start()
    # Of ipykernel 7.4's threads two may wait for each other here, without end (one in
    # 50 times); what they would tidy up goes with the process.
    atexit.unregister(app.close)


def _end_with(template: int) -> None:
    # A look at the parent, as ipykernel's, never comes inside one long operation.
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != template:  # it has ended in between
        os._exit(1)


def _end_kernel() -> None:
    # To tear down thousands of modules takes half a second and ends nothing else.
    if os.getpid() == _kernel:
        for stream in (sys.__stdout__, sys.__stderr__):
            stream.flush()
        os._exit(0)


def _take_over(
    arguments: list[str], environment: dict[str, str], folder: str, log: str
) -> None:
    os.environ.clear()
    os.environ.update(environment, JPY_PARENT_PID=str(os.getppid()))
    os.chdir(folder)
    launcher = importlib.util.find_spec("ipykernel_launcher")
    sys.argv = [launcher.origin if launcher else "", *arguments]
    with Path(os.devnull).open("rb") as nothing, Path(log).open("ab") as file:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def reseed() -> None:
    """Give every generator that the template has handed down a state of its own."""
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if torch := sys.modules.get("torch"):
        torch.seed()
    for module, name in _GENERATORS:
        if module in sys.modules:
            attrgetter(name)(sys.modules[module]).seed()


if __name__ == "__main__":
    main()
