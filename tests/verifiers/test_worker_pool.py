"""Checks that never end cost a second, wherever they are called from."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from phi_kit.core.errors import RunError
from phi_kit.data.records import Seed
from phi_kit.verifiers import worker_pool
from phi_kit.verifiers.math import verifier

ENDLESS = "10**10**10"


@pytest.fixture(scope="module")
def pool():
    made = worker_pool.WorkerPool("phi_kit.verifiers.math.sympy_worker", size=2)
    made.ask({"gold": "x", "answer": "x"})  # imports are no part of a check
    yield made
    made.close()


def test_an_endless_power_costs_about_a_second(pool):
    began = time.monotonic()
    said = pool.ask({"gold": "5", "answer": "10^{10^{10}}"})
    assert said.late
    assert said.stage == "answer"
    # One second of processor time; a busy machine gives it over at most ten.
    assert 0.5 < time.monotonic() - began < 12
    # The next check runs.
    assert pool.ask({"gold": "x+1", "answer": "1+x"}).result == "equal"


def test_workers_are_used_again(pool):
    before = [worker.process.pid for worker in pool._idle]
    for _ in range(5):
        pool.ask({"gold": "x+1", "answer": "1+x"})
    assert [worker.process.pid for worker in pool._idle] == before
    assert before


def test_a_worker_that_died_idle_is_replaced(pool):
    for worker in pool._idle:
        worker.process.kill()
        worker.process.wait()
    assert pool.ask({"gold": "x+1", "answer": "1+x"}).result == "equal"


def test_the_verdict_names_the_time_and_is_remembered():
    seed = Seed("math", "", "5")
    verdict = verifier.verify(seed, ENDLESS)
    assert verdict.value == "wrong"
    assert "ran out of time" in verdict.reason
    began = time.monotonic()
    for _ in range(100):
        verifier.verify(seed, ENDLESS)
    assert time.monotonic() - began < 1


def test_threads_share_the_pool(pool):
    said = {}

    def ask(index):
        said[index] = pool.ask({"gold": f"x+{index}", "answer": f"{index}+x"}).result

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(said.values()) == {"equal"}
    assert len(said) == 8
    assert len(pool._idle) <= 2


def _in_child(queue):
    queue.put(verifier.verify(Seed("math", "", "x+1"), r"\boxed{1+x}").value)


@pytest.mark.parametrize(
    "method", [pytest.param("spawn", marks=pytest.mark.slow), "fork"]
)
def test_other_processes_have_their_own(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    verifier.verify(Seed("math", "", "y+1"), r"\boxed{1+y}")
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=60) == "right"
    child.join(10)
    assert verifier.verify(Seed("math", "", "y+2"), r"\boxed{2+y}").right


def test_no_alarm_is_left_or_used():
    before = signal.getsignal(signal.SIGALRM)
    verifier.verify(Seed("math", "", "z+1"), r"\boxed{1+z}")
    assert signal.getsignal(signal.SIGALRM) is before


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs /proc")  # noqa: PTH112
def test_workers_die_with_their_parent():
    code = textwrap.dedent("""
        import os, signal
        from phi_kit.verifiers import worker_pool
        pool = worker_pool.WorkerPool("phi_kit.verifiers.math.sympy_worker")
        pool.ask({"gold": "x", "answer": "x"})
        print(pool._idle[0].process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    worker = int(done.stdout)
    for _ in range(100):
        if not _runs(worker):
            break
        time.sleep(0.05)
    assert not _runs(worker)


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_worker_that_cannot_start_is_a_message():
    with pytest.raises(RunError, match="does not start") as caught:
        worker_pool.WorkerPool("phi_kit.verifiers.no_such_module").ask({})
    assert "no_such_module" in caught.value.where
