"""Time is counted once, whoever is inside whom."""

import contextlib
import threading

import pytest

from phi_kit.core import time_spent
from phi_kit.core.time_spent import SAMPLING, TRAINING, measure_time, spending


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""

    class Clock:
        now = 0.0

    monkeypatch.setattr(time_spent.time, "monotonic", lambda: Clock.now)
    return Clock


def test_kinds_add_up_and_the_rest_is_nobodys(clock):
    with measure_time() as spent:
        for kind, seconds in ((SAMPLING, 2), (TRAINING, 5), (SAMPLING, 4)):
            with spending(kind):
                clock.now += seconds
            clock.now += 100
    with spending(SAMPLING):
        clock.now += 1000  # nobody measures
    assert spent.as_dict() == {"sampling": 6, "training": 5}


def test_what_nobody_measured_stands_before_the_next_measuring(clock):
    with measure_time():
        pass  # whatever tests before this one have spent
    with spending(SAMPLING):
        clock.now += 3
    with measure_time() as spent, spending(SAMPLING):
        clock.now += 20
    with measure_time() as later:
        pass
    assert (spent.before.as_dict(), spent.as_dict()) == (
        {"sampling": 3},
        {"sampling": 20},
    )
    assert later.before.as_dict() == {}


def test_samples_drawn_while_training_are_training(clock):
    with measure_time() as spent, spending(TRAINING):
        clock.now += 1
        with spending(SAMPLING):
            clock.now += 10
        clock.now += 1
    assert spent.as_dict() == {"training": 12}


def test_two_draws_at_a_time_are_counted_once(clock):
    inside, leave = threading.Event(), threading.Event()

    def other():
        with spending(SAMPLING):
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with measure_time() as spent:
        with spending(SAMPLING):
            thread.start()
            inside.wait()
            clock.now += 3
        clock.now += 4
        leave.set()
        thread.join()
    assert spent.as_dict() == {"sampling": 7}


def test_a_failed_draw_counts_and_ends(clock):
    with measure_time() as spent:
        with contextlib.suppress(ValueError), spending(SAMPLING):
            clock.now += 3
            raise ValueError
        clock.now += 50
        with spending(TRAINING):
            clock.now += 1
    assert spent.as_dict() == {"sampling": 3, "training": 1}
