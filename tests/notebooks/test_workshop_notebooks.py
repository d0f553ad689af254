"""A student's seven notebooks, Run All, with neither a model nor a network."""

import os
import shutil
import subprocess
import sys

import pytest

from phi_kit.course.workshop_folder import build_workshop

pytestmark = pytest.mark.sweep  # a minute and a half of computing


def cut_off() -> list[str]:
    """What runs a command without a network; nothing where that is not allowed."""
    words = ["unshare", "--map-root-user", "--net", "sh", "-c"]
    script = 'ip link set lo up && exec "$@"'  # kernels talk over the loopback
    able = shutil.which("unshare") and shutil.which("ip")
    if able and subprocess.run([*words, script, "sh", "true"], check=False).returncode:
        able = False
    return [*words, script, "sh"] if able else []


def test_all_seven_run_from_the_recording(tmp_path):
    notebooks = build_workshop(tmp_path / "ours")
    environment = {
        **os.environ,
        "PHI_KIT_RUNS": str(tmp_path / "runs"),
        "PHI_KIT_CACHE": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
    }
    for path in notebooks:
        out = tmp_path / path.name
        words = [sys.executable, "-m", "papermill", str(path), str(out)]
        done = subprocess.run(
            [*cut_off(), *words],
            env=environment,
            cwd=path.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (path.name, done.stderr[-2000:])
        assert "no model ran." in out.read_text()  # the figure says so
