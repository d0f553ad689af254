"""Ray is started, connected to and left as the program found it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import fake_study
import pytest

from phi_kit.cluster import ray_session
from phi_kit.core.child_exits import child_action, set_child_action
from phi_kit.core.errors import RunError

# Those that start a Ray are not among the slow tests: beside others that may take
# minutes, and Ray's own patience ends after 15 to 30 seconds.
ORPHAN_SECONDS = 15  # after the death of its worker


def test_without_ray_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with (
        pytest.raises(RunError, match="needs the package ray") as caught,
        ray_session.session(),
    ):
        pass
    assert caught.value.todo == "pip install 'phi-kit[cluster]'"


def test_a_ray_that_does_not_start_in_time_is_started_again(monkeypatch):
    monkeypatch.setattr(ray_session, "_imported", lambda: ray)
    ray = SlowRay(2)
    with ray_session.session(workers=4):
        assert ray.asked == ["local"] * 3
    assert ray.ended == 3  # what had come up of the first two as well
    ray = SlowRay(3)
    with pytest.raises(RunError, match="does not start on this machine: timed out"):
        ray_session.session(workers=4).__enter__()
    ray = SlowRay(1)
    monkeypatch.setattr(ray_session, "_knock_at", lambda address: None)
    with pytest.raises(RunError, match="there is no Ray that can be used: timed out"):
        ray_session.session("auto").__enter__()


@pytest.mark.parametrize("thread", [False, True], ids=["main", "another thread"])
@pytest.mark.parametrize("fails", [False, True], ids=["starts", "does not start"])
def test_how_children_end_is_still_heard(monkeypatch, thread, fails):
    # Ignored below Python, as Ray does it, every child would seem to have ended well.
    class DeafRay(SlowRay):
        def init(self, address, **_):
            ctypes.CDLL(None).signal(int(signal.SIGCHLD), int(signal.SIG_IGN))
            super().init(address)

    def code_of_a_child():
        return subprocess.run([sys.executable, "-c", "exit(3)"], check=False).returncode

    def inside_and_afterwards():
        codes = []
        with suppress(RunError), ray_session.session():
            codes.append(code_of_a_child())
        return [*codes, code_of_a_child()]

    monkeypatch.setattr(ray_session, "_imported", lambda: DeafRay(9 if fails else 0))
    if thread:
        with ThreadPoolExecutor() as others:
            codes = others.submit(inside_and_afterwards).result()
    else:
        codes = inside_and_afterwards()
    assert codes == ([3] if fails else [3, 3])


def test_a_worker_hears_how_its_children_end():
    before = child_action()
    ctypes.CDLL(None).signal(int(signal.SIGCHLD), int(signal.SIG_IGN))  # as Ray does it
    try:
        ray_session.as_any_process()
        assert subprocess.run(["false"], check=False).returncode == 1
    finally:
        set_child_action(before)


def test_a_system_without_prctl_has_ray_all_the_same(monkeypatch):
    monkeypatch.setattr(ray_session, "_imported", lambda: SlowRay(0))
    monkeypatch.setattr(ray_session, "_PRCTL", None)  # macOS
    with ray_session.session(workers=1) as ray:
        assert ray.asked == ["local"]


class SlowRay:
    """So often it does not start in time."""

    def __init__(self, times):
        self.times, self.asked, self.ended = times, [], 0

    def is_initialized(self):
        return False

    def init(self, address, **_):
        self.asked.append(address)
        if len(self.asked) <= self.times:
            raise RuntimeError("timed out")

    def shutdown(self):
        self.ended += 1


@pytest.mark.sweep
def test_a_ray_of_its_own_is_gone_afterwards(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    before, on_term = dict(os.environ), signal.getsignal(signal.SIGTERM)
    with ray_session.session(workers=2) as ray:
        assert signal.getsignal(signal.SIGTERM) is on_term
        assert subprocess.run(["false"], check=False).returncode == 1
        assert ray.cluster_resources()["CPU"] == 2
        with ray_session.session("auto") as same:
            assert same is ray
        assert ray.is_initialized()
        pids = ray.get(ray.remote(lambda: [os.getpid(), os.getppid()]).remote())
    assert not ray.is_initialized()
    assert subprocess.run(["false"], check=False).returncode == 1
    assert dict(os.environ) == before
    fake_study.until(lambda: not any(map(fake_study.alive, pids)))


@pytest.mark.sweep
def test_what_a_killed_worker_has_started_ends_with_it(tmp_path):
    from ray.exceptions import WorkerCrashedError

    note = tmp_path / "pid"

    def start_and_die():
        import subprocess

        # In a session of its own, as kernels are.
        sleeper = subprocess.Popen(["sleep", "600"], start_new_session=True)
        note.write_text(str(sleeper.pid))
        os.kill(os.getpid(), signal.SIGKILL)

    with ray_session.session(workers=1) as ray:
        died = ray.remote(start_and_die).options(max_retries=0).remote()
        with pytest.raises(WorkerCrashedError):
            ray.get(died)
        pid = int(note.read_text())
        fake_study.until(lambda: not fake_study.alive(pid), seconds=ORPHAN_SECONDS)


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1", "ray://127.0.0.1:1"])
def test_where_no_ray_is_it_is_said_at_once(monkeypatch, address):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    start = time.monotonic()
    with (
        pytest.raises(RunError, match="there is no Ray that can be used") as caught,
        ray_session.session(address),
    ):
        pass
    assert "refused" in str(caught.value)
    assert caught.value.where.endswith("127.0.0.1:1")
    assert time.monotonic() - start < 10  # Ray itself: 205 s
