"""Notebooks on Ray: a task each, on this machine's cores or a cluster's nodes.

A worker that is lost, or a node, takes its notebooks with it; the sweep tries them
again. All nodes have to see the run folders and the project under the same path.

Not covered: a notebook whose own sampling is shared out. Here `workers` of a study
counts as one, for the sweep's notebooks have taken all that there is.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from phi_kit.cluster import ray_session
from phi_kit.core.endpoint_url import is_endpoint
from phi_kit.core.errors import RunError
from phi_kit.core.file_locks import holding
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.number_format import plural
from phi_kit.core.paths import display_path, ledger_file, project_root
from phi_kit.core.step_state import run_folder_path
from phi_kit.study.config import Unit

from . import ray_worker
from .notebook_engine import POLITE_SECONDS, Outcome, Say, cores
from .ray_worker import Mailbox, Orders, Place
from .work_claims import claims_folder

# Variables by their first letters that notebooks on other machines need as well.
_HANDED_ON = (
    *("PHI_KIT_", "HF_", "OPENAI_", "WANDB_", "MLFLOW_", "TRACKIO_", "OMP_"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
)
_NODE = "ray.io/node-id"  # a label that Ray gives every node
_LOOK_SECONDS = 120.0  # for a node to start a worker that imports the kit
_LINES_SECONDS = 2.0  # to wait for the workers' lines
_SEEN_SECONDS = 90.0  # acdirmax of Linux's NFS client is 60
_GOODBYE_SECONDS = 10.0  # for a stopped task to end, beyond its notebook's


class _Running(NamedTuple):
    key: str
    unit: Unit
    say: Say
    at: Say


class Share(NamedTuple):
    """What a notebook gets of a cluster.

    Attributes:
        at_once: notebooks.
        cpus: processors of each, as Ray counts them.
        gpus: of each whose model is no endpoint.
    """

    at_once: int
    cpus: int
    gpus: int


class RayEngine:
    """Runs notebooks as tasks of Ray.

    Args:
        ray: the module, initialised.
        orders: for the workers.
        share: of the cluster.
        say: is told what concerns no single notebook.
    """

    def __init__(self, ray: ModuleType, orders: Orders, share: Share, say: Say):
        self._ray, self._orders, self._share, self.say = ray, orders, share, say
        self._task = ray.remote(max_retries=0)(ray_worker.carry_out)
        # Beside the sweep: if that node goes, the sweep goes as well.
        here = {_NODE: ray.get_runtime_context().get_node_id()}
        box = ray.remote(num_cpus=0, label_selector=here)(Mailbox)
        self._mailbox = box.remote()
        self._running: dict[Any, _Running] = {}  # by the task's reference
        self._aside: set[str] = set()  # nodes on which nothing is begun

    @property
    def free(self) -> int:
        """How many more it would begin at once."""
        return self._share.at_once - len(self._running)

    def start(self, key: str, unit: Unit, say: Say, at: Say) -> None:
        """Begin a notebook, as soon as a node has room."""
        unit = unit._replace(params=unit.params.model_copy(update={"workers": 1}))
        gpus = 0 if is_endpoint(unit.params.model) else self._share.gpus
        options = {"num_cpus": self._share.cpus, "num_gpus": gpus}
        if self._aside and self._nodes_left():
            nodes = ",".join(sorted(self._aside))
            options["label_selector"] = {_NODE: f"!in({nodes})"}
        task = self._task.options(**options)
        reference = task.remote(self._orders, key, unit, self._mailbox)
        self._running[reference] = _Running(key, unit, say, at)

    def wait(self, seconds: float) -> list[Outcome]:
        """What has ended since, waiting at most so long for a first one."""
        self._pass_lines_on()
        if not self._running:
            time.sleep(seconds)
            return []
        running = list(self._running)
        ended, _ = self._ray.wait(running, timeout=seconds)
        if ended:
            ended, _ = self._ray.wait(running, num_returns=len(running), timeout=0)
            self._pass_lines_on()
        return [self._outcome(reference) for reference in ended]

    def stop(self) -> None:
        """Interrupt every notebook as Ctrl-C would; kill the workers that go on.

        A second Ctrl-C kills them at once.
        """
        end = time.monotonic() + POLITE_SECONDS + _GOODBYE_SECONDS
        for reference in self._running:
            self._ray.cancel(reference)
        left = list(self._running)
        while left and time.monotonic() < end:
            try:
                _, left = self._ray.wait(left, timeout=0.5)
            except KeyboardInterrupt:
                end = 0.0
        for reference in left:
            self._ray.cancel(reference, force=True)
        self._running.clear()

    def _pass_lines_on(self) -> None:
        try:
            take = self._mailbox.take.remote()
            lines = self._ray.get(take, timeout=_LINES_SECONDS)
        except self._ray.exceptions.RayError:
            return  # they come with the next ones, or nobody misses them
        running = {one.key: one for one in self._running.values()}
        for key, kind, line in lines:
            if not key:
                self.say(line)
            elif key in running:
                (running[key].at if kind == "at" else running[key].say)(line)

    def _outcome(self, reference: Any) -> Outcome:
        """How a task has ended, and whether that was the fault of its place."""
        key, unit, *_ = self._running.pop(reference)
        errors = self._ray.exceptions
        try:
            report = self._ray.get(reference)
        except errors.RayTaskError as error:
            last = str(error).strip().splitlines()[-1]
            return Outcome(key, RunError(f"the worker could not begin: {last}"))
        except errors.RayError as error:
            why = str(error).strip().splitlines()[0]
            return Outcome(key, RunError(f"its worker was lost: {why}"), lost=True)
        lost = report.lost
        if report.place.fault and not lost:
            lost = self._put_aside(report.place)
        error = report.error
        if error is None and not is_seen(run_folder_path(unit.params)):
            error = RunError(
                f"{unit.title} has finished on {report.place.host}, and its result is "
                "not to be seen here",
                where=display_path(run_folder_path(unit.params)),
                todo="look at the disk that they share; the same command carries on",
            )
        return Outcome(key, error, lost)

    def _put_aside(self, place: Place) -> bool:
        """Begin nothing more on a node; whether another one is left."""
        new = place.node not in self._aside
        self._aside.add(place.node)
        left = self._nodes_left()
        if new and left:
            self.say(
                f"nothing more is begun on {place.host} "
                f"(node {place.node[:8]}): {place.fault}"
            )
        return left

    def _nodes_left(self) -> bool:
        return any(node not in self._aside for node in _nodes(self._ray))


def is_seen(folder: Path, *, seconds: float = _SEEN_SECONDS) -> bool:
    """Whether a step that another machine has just finished is seen here as well.

    A network file system may say from memory that a file is not there; to list its
    folder makes it look.

    Args:
        folder: the run folder.
        seconds: to wait for it.
    """
    end = time.monotonic() + seconds
    while not RunFolder(folder).finished:
        if time.monotonic() > end:
            return False
        for above in (folder.parent, folder):
            with suppress(OSError):
                list(above.iterdir())
        time.sleep(0.2)
    return True


@contextmanager
def on_ray(workers: int, address: str, say: Say) -> Iterator[RayEngine]:
    """An engine on Ray; what it still runs at the end is stopped.

    Args:
        workers: notebooks at once.
        address: of a cluster; a Ray of its own, on this machine, if empty or `local`.
        say: is told what concerns no single notebook.

    Raises:
        RunError: Ray is not there, or a node cannot work for the sweep; all of them
            are named.
    """
    from phi_kit.study.notebook.kernel import kernel_environment

    with ExitStack() as stack:
        stack.enter_context(kernel_environment())
        ray = stack.enter_context(ray_session.session(address, workers=workers))
        held = claims_folder() / f"{uuid.uuid4().hex}.lock"
        stack.enter_context(holding(held))
        nodes = _nodes(ray)
        share = share_of(list(nodes.values()), workers)
        elsewhere = address not in ("", ray_session.OWN)
        threads = share.cpus if elsewhere else max(1, cores() // workers)
        orders = Orders(str(project_root()), environment_of_workers(threads), str(held))
        if elsewhere:
            require_fit_nodes(_places(ray, nodes, orders), address, say)
        say(
            f"{plural(workers, 'notebook')} at once on "
            f"{plural(len(nodes), 'node')} of Ray"
        )
        engine = RayEngine(ray, orders, share, say)
        stack.callback(engine.stop)
        yield engine


def share_of(nodes: Sequence[Mapping[str, float]], workers: int) -> Share:
    """On how many processors each of the notebooks runs, and whether on a GPU.

    Args:
        nodes: the resources of each, `CPU` and `GPU`.
        workers: notebooks at once.

    Raises:
        RunError: no node has a processor.
    """
    cpus = [int(node.get("CPU", 0)) for node in nodes]
    if not any(cpus):
        raise RunError("no node of the Ray cluster has a processor to run on")
    # The most of which so many have room; on a node none shares one with another.
    most = (each for each in range(max(cpus), 0, -1) if _room(cpus, each) >= workers)
    gpus = any(int(node.get("GPU", 0)) for node in nodes)
    return Share(workers, next(most, 1), int(gpus))


def _room(cpus: Sequence[int], each: int) -> int:
    return sum(own // each for own in cpus)


def _nodes(ray: ModuleType) -> dict[str, Mapping[str, float]]:
    """The resources of the nodes that are alive and have processors, by their names."""
    return {
        node["NodeID"]: node["Resources"]
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU")
    }


def environment_of_workers(threads: int) -> dict[str, str]:
    """Variables for the workers; `threads` where nobody says how many."""
    handed = {
        name: value
        for name, value in os.environ.items()
        if name.upper().startswith(_HANDED_ON)
    }
    return {"OMP_NUM_THREADS": str(threads)} | handed


def _places(
    ray: ModuleType, nodes: Mapping[str, Mapping[str, float]], orders: Orders
) -> list[Place]:
    """Every node, looked at by a task that runs there."""
    task = ray.remote(num_cpus=0, max_retries=1)(ray_worker.look_around)
    looks = {
        node: task.options(label_selector={_NODE: node}).remote(orders)
        for node in nodes
    }
    end, places = time.monotonic() + _LOOK_SECONDS, []
    for node, look in looks.items():
        try:
            places.append(ray.get(look, timeout=max(0.0, end - time.monotonic())))
        except ray.exceptions.RayError as error:
            fault = str(error).strip().splitlines()[-1]
            places.append(Place(node, f"node {node[:8]}", "", fault))
    return places


def require_fit_nodes(places: Sequence[Place], address: str, say: Say) -> None:
    """Refuse nodes that cannot work for the sweep.

    Raises:
        RunError: they are named, or the ledger is a file that several machines cannot
            share.
    """
    faulty = [place for place in places if place.fault]
    if faulty:
        listed = "\n".join(f"  - {place.host}: {place.fault}" for place in faulty)
        raise RunError(
            f"{plural(len(faulty), 'node')} of {len(places)} cannot work for this "
            f"sweep\n{listed}",
            where=address,
            todo="put the project and the run folders (PHI_KIT_RUNS) where every node "
            "sees them under the same path, on a disk with locks, and install the "
            "same phi_kit everywhere; or take the node out of the cluster",
        )
    machines = {ray_worker.machine_id(), *(place.machine for place in places)}
    if ledger_file() and len(machines) > 1:
        raise RunError(
            f"a ledger in an SQLite file cannot be shared by {len(machines)} machines",
            where=str(ledger_file()),
            todo="PHI_KIT_LEDGER=postgresql://user@host/database for one that can, or "
            "PHI_KIT_LEDGER=off for none",
        )
    leaving = {place.host for place in places if not place.ends_orphans}
    if leaving:
        say(
            f"on {', '.join(sorted(leaving))} Ray would not end what a killed worker "
            f"leaves behind: start it with {ray_session.SUBREAPER}=true and "
            f"{ray_session.PROCESS_GROUPS}=false"
        )
