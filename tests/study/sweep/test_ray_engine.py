"""What a notebook gets of a cluster, and which machines may work for a sweep."""

import threading
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple

import fake_study
import pytest

from phi_kit import __version__
from phi_kit.core.errors import DiskFullError, RunError
from phi_kit.core.file_locks import holding
from phi_kit.core.step_state import run_folder_path
from phi_kit.study.config import Unit
from phi_kit.study.sweep import ray_engine, ray_worker
from phi_kit.study.sweep.ray_engine import RayEngine, Share, share_of
from phi_kit.study.sweep.ray_worker import Mailbox, Orders, Place, Report

HERE = ray_worker.machine_id()


@pytest.mark.parametrize(
    ("nodes", "workers", "share"),
    [
        ([{"CPU": 4}], 4, Share(4, 1, 0)),
        ([{"CPU": 8}], 3, Share(3, 2, 0)),
        ([{"CPU": 8}, {"CPU": 8}], 3, Share(3, 4, 0)),  # not 5: two would fit
        ([{"CPU": 16, "GPU": 2}, {"CPU": 16, "GPU": 2}], 4, Share(4, 8, 1)),
        ([{"CPU": 1}], 4, Share(4, 1, 0)),  # three of them wait
    ],
)
def test_notebooks_share_a_cluster_out(nodes, workers, share):
    assert share_of(nodes, workers) == share


def test_a_cluster_without_processors_is_refused():
    with pytest.raises(RunError, match="no node of the Ray cluster has a processor"):
        share_of([{"memory": 1.0}], 2)


@pytest.fixture
def orders(tmp_path):
    (tmp_path / "notebooks").mkdir()
    held = tmp_path / "runs/.claims/0123.lock"
    held.parent.mkdir(parents=True)
    return Orders(str(tmp_path), {}, str(held))


def test_a_machine_that_sees_all_and_whose_locks_hold_may_work(orders, tmp_path):
    assert "does not see the run folders" in ray_worker.place_fault(orders)
    with holding(tmp_path / "runs/.claims/0123.lock"):
        assert ray_worker.place_fault(orders) == ""
    (tmp_path / "runs/.claims/0123.lock").touch()  # seen, and locked for nobody here
    assert "a lock on a file in" in ray_worker.place_fault(orders)
    (tmp_path / "notebooks").rmdir()
    assert "there is no" in ray_worker.place_fault(orders)
    other = Orders(orders.project, {}, orders.held, version="0.0")
    assert f"its phi_kit is {__version__}" in ray_worker.place_fault(other)


def test_machines_that_cannot_work_are_all_named():
    places = [
        Place("1", "one", HERE),
        Place("2", "two", HERE, "it does not see the run folders in /x"),
        Place("3", "three", HERE, "its phi_kit is 0.0"),
    ]
    with pytest.raises(RunError) as caught:
        ray_engine.require_fit_nodes(places, "auto", print)
    assert caught.value.what == (
        "2 nodes of 3 cannot work for this sweep\n"
        "  - two: it does not see the run folders in /x\n"
        "  - three: its phi_kit is 0.0"
    )


def test_one_ledger_in_a_file_is_not_for_several_machines(runs, monkeypatch):
    here, there = Place("1", "one", HERE), Place("2", "two", "other")
    ray_engine.require_fit_nodes([here, here], "auto", print)
    with pytest.raises(RunError, match="cannot be shared by 2 machines") as caught:
        ray_engine.require_fit_nodes([here, there], "auto", print)
    assert caught.value.where == str(runs / "ledger.sqlite")
    for fit in ("off", "postgresql://me@host/ledger"):
        monkeypatch.setenv("PHI_KIT_LEDGER", fit)
        ray_engine.require_fit_nodes([here, there], "auto", print)


def test_it_is_said_where_kernels_might_outlive_their_worker(runs):
    said = []
    left = Place("1", "one", HERE, ends_orphans=False)
    ray_engine.require_fit_nodes([left], "auto", said.append)
    assert said[0].startswith("on one Ray would not end what a killed worker leaves")


def test_what_workers_need_of_the_environment_goes_with_them(monkeypatch):
    monkeypatch.setenv("PHI_KIT_API_KEY", "k")
    monkeypatch.setenv("https_proxy", "http://p")
    monkeypatch.setenv("SECRET_OF_MINE", "s")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    handed = ray_engine.environment_of_workers(3)
    assert (handed["PHI_KIT_API_KEY"], handed["https_proxy"]) == ("k", "http://p")
    assert "SECRET_OF_MINE" not in handed
    assert handed["OMP_NUM_THREADS"] == "3"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert ray_engine.environment_of_workers(3)["OMP_NUM_THREADS"] == "1"


def test_a_line_is_taken_once():
    box = Mailbox()
    box.put("a", "said", "one")
    box.put("a", "said", "two")
    assert [line for *_, line in box.take()] == ["one", "two"]
    assert box.take() == []


# --- the engine, by a Ray of this process ---


class Task(NamedTuple):
    """One that has been submitted, and where it may run."""

    options: dict
    arguments: tuple


class FakeRay:
    """As much of Ray as the engine asks for; a test says how tasks end.

    Attributes:
        tasks: submitted and not ended, by their numbers.
        ends: what is known of those that have: a report, or an error.
        alive: the nodes.
    """

    class exceptions:  # noqa: N801
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            pass

        class WorkerCrashedError(RayError):
            pass

    def __init__(self, *alive):
        self.tasks, self.ends, self.alive, self.cancelled = {}, {}, alive, []

    def remote(self, function=None, **_):
        if function is None:
            return lambda given: self.remote(given)
        if function is Mailbox:
            return SimpleNamespace(remote=lambda: Actor(Mailbox()))

        def submit(options, *arguments):
            number = len(self.tasks) + len(self.ends)
            self.tasks[number] = Task(options, arguments)
            return number

        def with_options(**options):
            return SimpleNamespace(remote=partial(submit, options))

        return SimpleNamespace(options=with_options)

    def get_runtime_context(self):
        return SimpleNamespace(get_node_id=lambda: "head")

    def nodes(self):
        return [
            {"NodeID": node, "Alive": True, "Resources": {"CPU": 1.0}}
            for node in self.alive
        ]

    def wait(self, numbers, *, num_returns=1, timeout):
        done = [number for number in numbers if number in self.ends]
        return done, [number for number in numbers if number not in done]

    def get(self, number, timeout=None):
        end = number if isinstance(number, list) else self.ends[number]
        if isinstance(end, Exception):
            raise end
        return end

    def cancel(self, number, *, force=False):
        self.cancelled.append((number, force))
        self.ends[number] = self.tasks.pop(number)

    def end(self, number, how):
        self.tasks.pop(number)
        self.ends[number] = how


class Actor:
    """A mailbox, called as actors are."""

    def __init__(self, box):
        self.put, self.take = (
            SimpleNamespace(remote=getattr(box, name)) for name in ("put", "take")
        )


UNIT = Unit("pick_domain", "math", fake_study.Pick(study="toy"))
ENDPOINT = UNIT._replace(params=fake_study.Pick(model="http://localhost:1/v1#m"))


@pytest.fixture
def engine(runs):
    """Of two nodes, and what it says."""
    fake_study.run(UNIT.params)
    ray, said = FakeRay("one", "two"), []
    built = RayEngine(ray, "orders", Share(2, 4, 1), said.append)
    return SimpleNamespace(it=built, ray=ray, said=said)


def at(node, fault=""):
    return Place(node, f"host-{node}", HERE, fault)


def test_a_notebook_with_weights_gets_a_gpu_of_its_own(engine):
    engine.it.start("a", UNIT, print, print)
    engine.it.start("b", ENDPOINT, print, print)
    assert engine.it.free == 0
    options = [task.options for task in engine.ray.tasks.values()]
    assert [(one["num_cpus"], one["num_gpus"]) for one in options] == [(4, 1), (4, 0)]


def test_a_notebook_on_ray_samples_by_itself(engine):
    shared_out = UNIT.params.model_copy(update={"workers": 4})
    engine.it.start("a", UNIT._replace(params=shared_out), print, print)
    _, _, unit, _ = engine.ray.tasks[0].arguments
    assert unit.params.workers == 1


def test_lines_and_the_worker_come_before_the_end(engine):
    told = []
    engine.it.start("a", UNIT, told.append, lambda line: told.append(("at", line)))
    mailbox = engine.ray.tasks[0].arguments[-1]
    mailbox.put.remote("a", "at", "host pid 7 GPU 0")
    mailbox.put.remote("a", "said", "[03 filter_edge math] starts")
    mailbox.put.remote("", "said", "kernels start cold")
    engine.ray.end(0, Report(at("one")))
    assert engine.it.wait(0) == [("a", None, False)]
    assert told == [("at", "host pid 7 GPU 0"), "[03 filter_edge math] starts"]
    assert engine.said == ["kernels start cold"]


def test_a_lost_worker_is_none_of_the_notebooks_fault(engine):
    engine.it.start("a", UNIT, print, print)
    crash = engine.ray.exceptions.WorkerCrashedError("The worker died\nunexpectedly")
    engine.ray.end(0, crash)
    (outcome,) = engine.it.wait(0)
    assert (outcome.key, outcome.lost) == ("a", True)
    assert outcome.error.what == "its worker was lost: The worker died"


def test_what_raises_is_not_lost(engine):
    engine.it.start("a", UNIT, print, print)
    engine.it.start("b", UNIT, print, print)
    engine.ray.end(0, Report(at("one"), RunError("a cell raised")))
    missing = engine.ray.exceptions.RayTaskError("Traceback\nImportError: no phi_kit")
    engine.ray.end(1, missing)
    first, second = engine.it.wait(0)
    assert (first.lost, first.error.what) == (False, "a cell raised")
    assert (second.lost, second.error.what[-10:]) == (False, "no phi_kit")


def test_nothing_more_is_begun_where_the_disk_is_full(engine):
    full = Report(at("two", "the disk is full"), DiskFullError("the disk is full"))
    engine.it.start("a", UNIT, print, print)
    engine.ray.end(0, full)
    (outcome,) = engine.it.wait(0)
    assert outcome.lost
    assert engine.said == [
        "nothing more is begun on host-two (node two): the disk is full"
    ]
    engine.it.start("a", UNIT, print, print)
    assert engine.ray.tasks[1].options["label_selector"] == {
        "ray.io/node-id": "!in(two)"
    }
    engine.ray.end(1, Report(at("one", "the disk is full"), full.error))
    (outcome,) = engine.it.wait(0)  # no node is left: it is a failure like another
    assert not outcome.lost
    assert outcome.error.what == "the disk is full"
    engine.it.start("b", UNIT, print, print)
    assert "label_selector" not in engine.ray.tasks[2].options


def test_a_result_is_waited_for_until_it_is_seen_here(runs):
    folder = run_folder_path(UNIT.params)
    assert not ray_engine.is_seen(folder, seconds=0.3)
    later = threading.Timer(0.5, fake_study.run, [UNIT.params])
    later.start()
    assert ray_engine.is_seen(folder, seconds=60)
    later.join()


def test_what_runs_is_stopped(engine):
    engine.it.start("a", UNIT, print, print)
    engine.it.stop()
    assert engine.ray.cancelled == [(0, False)]
    assert engine.it.free == 2
