"""Run a program that must not outlive who started it, whatever that one dies of.

    python process_guard.py PARENT COMMAND...

The guard starts the command and waits. When the process with the id PARENT is gone
(killed, for one), or the guard is told to end, it ends the command and all processes
that this has started. A vLLM server whose front has been killed leaves an engine that
holds the card's memory (vllm-project/vllm #55510), so the guard adopts what its
descendants leave behind. Linux only; nothing of phi_kit is imported.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

import psutil

GRACE_SECONDS = 15.0  # between asking the command to end and killing what is left
POLL_SECONDS = 0.2
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # prctl(2)


def main(parent: int, command: list[str]) -> int:
    """Run the command; returns its exit status."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Should the guard itself be killed, the command is told to end.
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: prctl(_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM)),
    )
    try:
        while server.poll() is None and os.getppid() == parent:
            time.sleep(POLL_SECONDS)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end(server)
    return server.returncode


def end(server: subprocess.Popen) -> None:
    """Ask the command to end, then kill what is left of it and of its children."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    while left := psutil.Process().children(recursive=True):
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(left, timeout=POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
