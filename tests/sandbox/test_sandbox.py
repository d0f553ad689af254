"""The sandbox: what gets out, what does not, and how long it takes."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from phi_kit.core.errors import RunError
from phi_kit.data.records import Seed
from phi_kit.sandbox import sandbox
from phi_kit.sandbox.sandbox import Program, isolation, run_program, run_tests
from phi_kit.verifiers.code.tests import read_tests
from phi_kit.verifiers.code.verifier import verify as code_verify

from .hostile import HOSTILE
from .modes import SHORT, SLACK, host, mode

__all__ = ["host", "mode"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def attack(name, host, mode):
    code = HOSTILE[name]
    for word, value in host.items():
        code = code.replace(f"{{{word}}}", str(value))
    done = run_program(Program(code), SHORT, mode=mode)
    assert done.seconds < SHORT.seconds + SLACK
    assert len(done.stdout) <= SHORT.output << 10
    assert "the-secret" not in done.stdout
    return done


@pytest.fixture(scope="module")
def attacked(host):
    """Every program at once, eight at a time: they must not help each other either."""
    strongest = isolation().mode
    with ThreadPoolExecutor(8) as pool:
        return {name: pool.submit(attack, name, host, strongest) for name in HOSTILE}


# The strongest mode faces every program; the weaker ones are slow tests.
@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_hurts_the_host(name, attacked):
    check(attacked[name].result())


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_hurts_the_host_in_any_mode(name, host, mode):
    check(attack(name, host, mode))


def check(done):
    ended_well = done.status == "finished" and done.code == 0
    assert not ended_well, done
    assert done.status != "broken"


@pytest.mark.parametrize("word", ["fork bomb", "kills everybody", "many huge files"])
def test_weaker_modes_hold_too(word, host, mode):
    check(attack(word, host, mode))


def test_unread_code_is_not_run_where_nothing_holds_it(monkeypatch):
    weak = sandbox.Isolation("limits", landlock=7)
    monkeypatch.setattr(sandbox, "isolation", lambda: weak)
    monkeypatch.delenv(sandbox.UNSAFE, raising=False)
    tests = read_tests(["assert f(3) == 9"])
    sides = (tests.tests_job(), tests.solution_job("def f(x): return x * x"))
    for attempt in (
        lambda: run_program(Program("print(1)")),
        lambda: run_tests(*sides),
    ):
        with pytest.raises(sandbox.RunError, match="the network") as told:
            attempt()
        assert sandbox.UNSAFE in told.value.todo
    item = Seed("coding", "", "", extra='{"tests": ["assert f(3) == 9"]}')
    verdict = code_verify(item, "def f(x): return x * x")
    assert verdict.value == "unknown"
    assert verdict.reason.startswith("no sandbox: ")
    assert sandbox.UNSAFE in verdict.reason
    monkeypatch.setenv(sandbox.UNSAFE, "1")
    assert run_program(Program("print(1)")).stdout == "1\n"
    assert run_tests(*sides).verdict["value"] == "right"


def test_the_folder_is_removed_whatever_was_done_to_it(
    host, mode, tmp_path, monkeypatch
):
    # Of its own: other tests use the sandbox at the same time.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run_program(Program("print(1)"), mode=mode)
    attack("a folder nobody can remove", host, mode)
    attack("folders without end", host, mode)
    assert not list(tmp_path.glob("phi-kit-sandbox-*"))


def test_the_environment_is_empty_and_stdin_is_the_items(mode, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "the-secret")
    code = "import os\nprint(dict(os.environ), input())"
    done = run_program(Program(code, stdin="hello\n"), mode=mode)
    assert done.stdout.endswith("hello\n")
    assert "the-secret" not in done.stdout
    assert "PATH" not in done.stdout


def test_its_own_folder_can_be_used(mode):
    code = """
import tempfile
with open("notes.txt", "w") as file:
    file.write("12")
with tempfile.TemporaryFile() as file:
    file.write(b"x")
print(int(open("notes.txt").read()) + 1)
"""
    assert run_program(Program(code), mode=mode).stdout == "13\n"


def test_threads_and_the_standard_library_work(mode):
    code = """
import asyncio, collections, decimal, itertools, json, math, random, re, threading
async def two():
    return 2
worker = threading.Thread(target=lambda: print(asyncio.run(two())))
worker.start()
worker.join()
"""
    done = run_program(Program(code), mode=mode)
    assert (done.status, done.stdout) == ("finished", "2\n"), done


@pytest.mark.parametrize(
    ("code", "value", "word"),
    [
        ("def f(x): return x * x", "right", ""),
        ("def f(x): return x", "wrong", "(3), not 9"),
        ("import os\nos._exit(0)", "wrong", "ended before"),
        ("def f(x): return open('/etc/shadow').read()", "wrong", "Error"),
        ("def f(x): return __import__('os').fork()", "wrong", "Error"),
        ("def f(x): return __import__('ctypes').string_at(0)", "killed", ""),
        ("def f(x):\n    while True: print('a' * 999)", "output", ""),
        ("import time\ndef f(x): time.sleep(99)", "timeout", ""),
    ],
)
def test_tests_and_solution_have_a_sandbox_each(mode, code, value, word):
    tests = read_tests(["import numpy\nassert numpy.array([f(3)])[0] == 9"])
    sides = (tests.tests_job(), tests.solution_job(code))
    talk = run_tests(*sides, SHORT, needs=tests.needs, mode=mode)
    assert (talk.verdict["value"] if talk.verdict else talk.stopped) == value, talk
    assert word in (talk.verdict or {}).get("reason", "")


def test_two_runs_at_once_do_not_meet(mode):
    code = """
import os, time
open("mine", "w").write(input())
time.sleep(0.2)
print(open("mine").read(), sorted(os.listdir(".")))
"""
    names = [f"run-{n}" for n in range(6)]
    with ThreadPoolExecutor(3) as pool:
        done = list(
            pool.map(lambda n: run_program(Program(code, stdin=n), mode=mode), names)
        )
    assert [one.stdout for one in done] == [f"{n} ['mine']\n" for n in names]


def test_a_bomb_beside_a_good_program_does_not_disturb_it(host):
    with ThreadPoolExecutor(2) as pool:
        bomb = pool.submit(attack, "thread bomb", host, isolation().mode)
        good = [run_program(Program(f"print({n} + 1)")).stdout for n in range(5)]
        check(bomb.result())
    assert good == [f"{n + 1}\n" for n in range(5)]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("while True: pass", "timeout"),
        ("import time; time.sleep(99)", "timeout"),
        ("while True: print('a' * 999)", "output"),
        ("import ctypes; ctypes.string_at(0)", "killed"),
        ("raise SystemExit(3)", "finished"),
    ],
)
def test_how_a_run_ended_is_told(code, status):
    limits = replace(SHORT, seconds=1.0) if status == "timeout" else SHORT
    assert run_program(Program(code), limits).status == status


def test_memory_is_told():
    done = run_program(Program("x = bytearray(1 << 30)"), SHORT)
    assert done.answers[-1]["error"] == "MemoryError"


def test_lines_without_the_nonce_are_not_answers():
    code = """
import os
for descriptor in range(3, 30):
    try:
        os.write(descriptor, b'{"nonce": "", "error": "x", "words": "y"}\\n')
    except OSError:
        pass
"""
    assert [a.keys() & {"error"} for a in run_program(Program(code)).answers] == [set()]


def test_the_isolation_says_what_is_in_force():
    found = isolation()
    assert str(found).startswith(found.mode)
    assert found.network == ("the network" not in str(found))
    assert found.holds
    weak = sandbox.Isolation("limits")
    assert "NOT closed off" in str(weak)
    assert not any((weak.network, weak.files, weak.processes, weak.attributes))
    assert not any((weak.holds, replace(weak, landlock=7).holds))
    assert not replace(weak, seccomp=True).holds
    # Landlock does not see who only looks at what there is.
    held = replace(weak, landlock=7, seccomp=True)
    assert held.holds
    assert "names, sizes and times of files" in str(held)
    assert str(replace(held, mode="namespaces")) == "namespaces+landlock+seccomp"


def test_it_works_without_bubblewrap(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert run_program(Program("print(1)")).stdout == "1\n"
    with pytest.raises(sandbox.RunError, match="no bwrap"):
        run_program(Program("print(1)"), mode="bubblewrap")


def test_limits_alone_hold_where_namespaces_are_refused(monkeypatch):
    real = sandbox.run_program

    def refusing(job, *, mode):
        if mode != "limits":
            raise OSError("refused")
        return real(job, mode=mode)

    monkeypatch.setattr(sandbox, "run_program", refusing)
    found = isolation.__wrapped__()
    assert found.mode == "limits"
    assert len(found.refused) == 2


def test_a_trivial_program_is_quick():
    run_program(Program("print(1)"))
    # The quickest of a few: a busy machine may delay any one of them.
    assert min(run_program(Program("print(1)")).seconds for _ in range(9)) < 0.3


def test_no_descriptors_or_processes_are_left():
    run_program(Program("print(1)"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        run_program(Program("while True: print('a' * 9999)"), SHORT)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    try:
        ended, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        ended = 0
    assert ended == 0, "a process was not waited for"


def test_a_process_deaf_to_its_children_is_told_so():
    # Inherited from whoever started it; each run would seem to have ended well.
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(RunError, match="ignores the end of its children") as caught:
            run_program(Program("print(1)"))
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert "SIG_DFL" in caught.value.todo
    assert run_program(Program("print(1)")).stdout == "1\n"
