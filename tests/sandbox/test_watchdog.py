"""Programs are ended in time, store what they may, and do not outlive their host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from phi_kit.sandbox.sandbox import Program, run_program, run_tests
from phi_kit.verifiers.code.tests import read_tests

from .modes import SHORT, mode

__all__ = ["mode"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

TOO_MUCH = {
    "removed while open": """
import os
kept = []
for n in range(60):
    kept.append(open("x", "wb"))
    os.unlink("x")
    kept[-1].write(b"x" * (1 << 23))
""",
    "never named": """
import os
kept = [os.open(".", os.O_TMPFILE | os.O_RDWR) for _ in range(20)]
for one in kept:
    os.write(one, b"x" * (1 << 23))
import time
time.sleep(1)
""",
    "removed while mapped": """
import mmap, os, time
kept = []
for n in range(20):
    with open("x", "w+b") as file:
        file.write(b"x" * (1 << 22))
        file.flush()
        kept.append(mmap.mmap(file.fileno(), 4096))
    os.unlink("x")
time.sleep(1)
""",
    "all at once": """
for n in range(100):
    open(str(n), "wb").write(b"x" * (1 << 20))
""",
    "behind a door": """
import os
os.mkdir("a", 0o300)
for n in range(100):
    open(f"a/{n}", "wb").write(b"x" * (1 << 20))
""",
    "far down": """
import os
for n in range(20):
    os.mkdir("a" * 255)
    os.chdir("a" * 255)
for n in range(100):
    open(str(n), "wb").write(b"x" * (1 << 20))
""",
    "many empty ones": "for n in range(2000):\n    open(str(n), 'w').close()",
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_the_disk_is_held_without_a_quota_too(name, mode):
    done = run_program(Program(f"{TOO_MUCH[name]}\nprint('stored')"), SHORT, mode=mode)
    if mode == "limits":
        assert done.status == "disk", done
    else:
        assert done.code, done


def test_a_verdict_needs_a_folder_that_fits(mode):
    code = "def f(x):\n" + "".join(
        f"    {line}\n" for line in TOO_MUCH["all at once"].strip().splitlines()
    )
    tests = read_tests(["assert f(3) is None"])
    talk = run_tests(tests.tests_job(), tests.solution_job(code), SHORT, mode=mode)
    assert talk.stopped == "disk" or talk.verdict["value"] == "wrong"


SLEEPS = """
import ctypes, signal, threading, time
libc = ctypes.CDLL(None)
libc.prctl(1, 0, 0, 0, 0)
for number in signal.valid_signals() - {9, 19}:
    signal.signal(number, signal.SIG_IGN)
threading.Thread(target=time.sleep, args=(45,)).start()
time.sleep(45)
"""
HOST = """
import sys
from phi_kit.verifiers.code.tests import read_tests
from phi_kit.sandbox.sandbox import Limits, Program, run_program, run_tests
mode, kind, seconds, code = sys.argv[1:]
if kind == "program":
    run_program(Program(code), Limits(seconds=float(seconds)), mode=mode)
else:
    tests = read_tests(["assert f(3) == 9"])
    sides = (tests.tests_job(), tests.solution_job(code))
    run_tests(*sides, Limits(seconds=float(seconds)), mode=mode)
"""


def stat(pid):
    """A process's state, and who started it; a dead one is a zombie."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "Z", 0
    return told[0], int(told[1])


def alive(pid):
    return stat(pid)[0] != "Z"


def below(pid):
    """Every process that a process started, with those that they did."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        state, parent = stat(path.name)
        parents.setdefault(parent, []).append((int(path.name), state))
    found, waiting = [], [pid]
    while waiting:
        for child, state in parents.get(waiting.pop(), ()):
            waiting.append(child)
            found += [child] if state != "Z" else []
    return found


def begun(folder, mode, kind, seconds):
    """A host of its own that runs a sleeper; killed, it leaves its folder behind."""
    words = [sys.executable, "-c", HOST, mode, kind, str(seconds), SLEEPS]
    env = {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folder)}
    return subprocess.Popen(words, env=env)


@contextmanager
def hosting(folder, mode, kind, *, seconds):
    """Such a host, and all its processes."""
    host = begun(folder, mode, kind, seconds)
    try:
        expected, deadline = 2 if kind == "program" else 4, time.monotonic() + 20
        while len(started := below(host.pid)) < expected:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)
        yield host, started
    finally:
        for pid in (host.pid, *below(host.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        host.wait()


def gone(pids, *, within):
    deadline = time.monotonic() + within
    while any(map(alive, pids)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["program", "item"])
def test_nothing_outlives_a_host_that_is_killed(mode, kind, tmp_path):
    with hosting(tmp_path, mode, kind, seconds=6) as (host, started):
        host.kill()
        host.wait()
        assert gone(started, within=1.0)


@pytest.mark.slow
def test_a_program_ends_in_time_while_its_host_cannot_see_to_it(mode, tmp_path):
    if mode == "bubblewrap":
        pytest.skip("its watchdog is not its host's child")
    with hosting(tmp_path, mode, "program", seconds=2) as (host, started):
        host.send_signal(signal.SIGSTOP)
        assert gone(started, within=4.0)


@pytest.mark.slow
def test_nothing_outlives_a_host_that_is_killed_at_any_time(mode, tmp_path):
    for delay in range(0, 120, 8):
        host = begun(tmp_path, mode, "program", 6)
        deadline = time.monotonic() + 20
        while not below(host.pid):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(delay / 1000)
        started = below(host.pid)
        host.kill()
        host.wait()
        assert gone(started, within=1.0)
