"""Locks that are files: one holder, and no file afterwards."""

import subprocess
import sys
import threading

import pytest
from filelock import FileLock, Timeout

from phi_kit.core.file_locks import holding, is_held, let_go, take_lock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.lock"


def test_a_lock_has_one_holder_and_leaves_no_file(path):
    assert not is_held(path)
    with holding(path):
        assert is_held(path)
        with pytest.raises(Timeout), holding(path):
            pass
    assert not path.exists()
    assert not is_held(path)


def test_a_file_that_a_killed_process_left_is_removed(path):
    path.touch()
    assert not is_held(path)
    assert not path.exists()


def test_it_can_be_let_go_by_another_thread(path):
    lock = take_lock(path)
    thread = threading.Thread(target=let_go, args=[lock])
    thread.start()
    thread.join()
    assert not is_held(path)


def test_whoever_waits_gets_a_lock_that_others_see(path):
    """The file that it waits for is removed under its eyes."""
    lock = take_lock(path)
    got = []
    waiting = threading.Thread(target=lambda: got.append(take_lock(path, seconds=30)))
    waiting.start()
    let_go(lock)
    waiting.join(30)
    assert path.exists()
    with pytest.raises(Timeout):
        FileLock(path, timeout=0).acquire()
    let_go(got[0])
    assert not path.exists()


COUNT = """
import sys
from pathlib import Path
from phi_kit.core.file_locks import holding
lock, number = Path(sys.argv[1]), Path(sys.argv[2])
for _ in range(100):
    with holding(lock, seconds=60):
        number.write_text(str(int(number.read_text()) + 1))
"""


@pytest.mark.slow
def test_many_processes_never_hold_it_at_once(path, tmp_path):
    number = tmp_path / "number"
    number.write_text("0")
    command = [sys.executable, "-c", COUNT, str(path), str(number)]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0] * 4
    assert number.read_text() == "400"
