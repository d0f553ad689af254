"""The kernel of a headless notebook: this interpreter, on its own sockets."""

from __future__ import annotations

import os
import signal
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from traitlets.config import Config

from phi_kit.core.paths import ledger_address, runs_root
from phi_kit.core.progress import HEADLESS
from phi_kit.core.replay_mode import REPLAY, replayed_ledger

from .warm_kernels import WarmKernels

_LONGEST = 80  # a Unix socket's path may have some 100 characters


class OwnKernel(AsyncKernelManager):
    """Starts `sys.executable -m ipykernel_launcher`.

    A kernel installed under the name `python3` may be another Python (another
    virtual environment's, `pip install --user`'s): it is not asked for.
    """

    warm: WarmKernels | None = None

    async def start_kernel(self, **options: Any) -> None:
        """Start it; what the process itself prints goes to its log."""
        if self.warm and self.provisioner is None:
            self.kernel_id = self.kernel_id or str(uuid.uuid4())
            self.provisioner = WarmProvisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
        with log_beside(self.connection_file).open("ab") as log:
            await AsyncKernelManager.start_kernel(
                self, **{**options, "stdout": log, "stderr": log}
            )
        _started.add(self)

    @property
    def kernel_spec(self) -> KernelSpec:
        """The kernel of the running interpreter."""
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


_started: WeakSet[OwnKernel] = WeakSet()  # of this process, by whatever thread


def end_kernels(*, kill: bool = False) -> None:
    """Interrupt the cells of all kernels of this process, or kill the kernels.

    For another thread than those that wait for them.
    """
    for kernel in list(_started):
        process = kernel.provisioner
        if process is not None and process.has_process:
            with suppress(ProcessLookupError):
                os.killpg(process.pgid, signal.SIGKILL if kill else signal.SIGINT)


class WarmProvisioner(LocalProvisioner):
    """Forks the process of a kernel, or starts it where that fails."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> dict[str, Any]:
        """Launch it; its connection."""
        forked = self.parent.warm.fork(
            cmd,
            options["env"],
            folder=options.get("cwd") or str(Path.cwd()),
            log=log_beside(self.parent.connection_file),
        )
        if forked is None:
            return await super().launch_kernel(cmd, **options)
        # It leads a process group of its own, as the others do.
        self.process, self.pid, self.pgid = forked, forked.pid, forked.pid
        self.cwd = options.get("cwd")
        return self.connection_info


def kernel_class(warm: WarmKernels | None) -> type[OwnKernel]:
    """`OwnKernel`, warm where that is to be had."""
    return type("WarmKernel", (OwnKernel,), {"warm": warm})


def log_beside(connection_file: str) -> Path:
    """Where a kernel's process writes what no cell shows: crashes of C code."""
    return Path(connection_file).with_name("kernel.log")


@contextmanager
def kernel_config() -> Iterator[Config]:
    """A kernel's settings for one run.

    Its sockets are files in a private folder, so that parallel runs do not race
    for a port.
    """
    with tempfile.TemporaryDirectory(prefix="phi-kit-") as folder:
        settings = {"connection_file": f"{folder}/kernel.json"}
        if len(folder) <= _LONGEST:
            settings["transport"] = "ipc"
        yield Config({"OwnKernel": settings})


def log_tail(config: Config, *, lines: int = 5) -> str:
    """The last lines of a kernel's log, without those of ipykernel itself."""
    try:
        text = log_beside(config.OwnKernel.connection_file).read_text(errors="replace")
    except OSError:
        return ""
    log = [line for line in text.splitlines() if line and "[IPKernelApp]" not in line]
    return "\n".join(log[-lines:])


@contextmanager
def kernel_environment() -> Iterator[None]:
    """Set what kernels inherit: the headless flag, and absolute paths."""
    # A relative path would mean another place in the folder of the kernel.
    variables = {
        HEADLESS: "1",
        "PHI_KIT_RUNS": str(runs_root()),
        REPLAY if replayed_ledger() else "PHI_KIT_LEDGER": ledger_address() or "off",
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
