"""What tests of the sandbox share: its modes, and things no program may reach."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from phi_kit.sandbox.sandbox import MODES, Limits, Program, run_program

SHORT = Limits(seconds=2.0, cpu=1, memory=192, output=64, disk=8, files=300)
# How long the host may take to notice and to clean up, on a busy machine.
SLACK = 4.0


def works(mode):
    try:
        done = run_program(Program("print(7)"), mode=mode)
    except Exception:
        return False
    return done.stdout == "7\n"


@pytest.fixture(scope="module", params=MODES)
def mode(request):
    if not works(request.param):
        pytest.skip(f"no {request.param} here")
    return request.param


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Things of the host's that no program may touch or reach."""
    canary = tmp_path_factory.mktemp("home")
    (canary / "secret").write_text("the-secret")
    bystander = subprocess.Popen(
        [sys.executable, "-S", "-c", "import time; time.sleep(600)"],
        env={"PHI_KIT_SECRET": "the-secret"},
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield {"canary": canary, "pid": bystander.pid, "port": server.getsockname()[1]}
        with pytest.raises(BlockingIOError):
            server.accept()
    assert bystander.poll() is None, "a process of the host's was killed"
    bystander.kill()
    bystander.wait()
    assert [path.name for path in canary.iterdir()] == ["secret"]
    assert not Path("/dev/shm/phi-kit-hostile").exists()
    assert not Path("/usr/lib/phi-kit-hostile").exists()
