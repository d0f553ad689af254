"""A Ray cluster of two nodes on this machine, and sweeps of toy studies on it."""

from __future__ import annotations

import contextlib
import inspect
import json
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

import fake_study
import pytest

from phi_kit.cluster.ray_session import ADDRESS, SETTINGS
from phi_kit.study.notebook.warm_kernels import COLD

ORPHAN_SECONDS = 15  # that a kernel may outlive its worker
START_SECONDS = 300  # generous on purpose
# What every notebook does at first, and when it has finished its step. A test may kill
# it as soon as it is among the kernels: that it was here has to be noted before.
NOTE = """\
import os, pathlib, resource, signal, subprocess, time
here = os.environ.get("TOY_NODE", "here")
once = pathlib.Path(f"once.{params.samples}")
first, _ = not once.exists(), once.touch()
pathlib.Path(f"kernels/{params.samples}.{here}.{os.getpid()}").touch()
"""
FINISH = """
_ = fake_study.run(params)
with open("finished.log", "a") as file:
    file.write(f"{params.samples}\\n")
"""


def start(
    project: Path, *, workers: int, address: str = "", runs: str = "runs"
) -> subprocess.Popen:
    """`phi-kit sweep demo`, with these run folders, on this cluster if any."""
    words = ("sweep", "demo", "--workers", str(workers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHI_KIT_RUNS", str(project / runs))
        patch.setenv(ADDRESS, address)
        return fake_study.start(project, command=words)


@contextlib.contextmanager
def started(project: Path, **where):
    """A sweep that does not outlive the block."""
    process = start(project, **where)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ended(process: subprocess.Popen, *, seconds: float = 400) -> tuple[int, str, str]:
    """Its exit code, and what it said."""
    try:
        out, error = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, error


def write(project: Path, samples: list[int], cell: str) -> None:
    """The sweep, and what its notebooks do."""
    (project / "params/sweeps/demo.yaml").write_text(
        "base: toy\nsets: {domains: [math]}\nto: filter_edge\n"
        f"grid:\n  filter_edge.samples: {samples}\n"
    )
    (project / "kernels").mkdir(exist_ok=True)
    fake_study.write_notebook(project, "filter_edge", NOTE + cell + FINISH)


def kernels(project: Path) -> list[int]:
    """Of all that have begun."""
    return [int(path.suffix[1:]) for path in (project / "kernels").iterdir()]


def require_no_kernel(project: Path) -> None:
    fake_study.until(
        lambda: not any(map(fake_study.alive, kernels(project))),
        seconds=ORPHAN_SECONDS,
    )


def manifests(project: Path, runs: str = "runs") -> dict[str, dict]:
    """Of every finished step of the sweep, by its place."""
    root = project / runs / "demo"
    return {
        str(path.parent.relative_to(root)): json.loads(path.read_text())
        for path in root.glob("*/math/*/manifest.json")
    }


def finished(project: Path) -> Counter[int]:
    """How often each variant's second step has been finished."""
    return Counter(map(int, (project / "finished.log").read_text().split()))


@contextlib.contextmanager
def two_nodes():
    """Nodes `one` and `two`, of two GPUs each that are not there."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        wait_longer(patch)
        for name, value in (SETTINGS | fake_study.environment()).items():
            patch.setenv(name, value)
        patch.setenv(COLD, "1")  # toy steps import nothing
        nodes = Cluster()
        try:
            add_node(nodes, "one", include_dashboard=False)
            add_node(nodes, "two")
            yield nodes
        finally:
            nodes.shutdown()


def add_node(nodes, name: str, **options):
    """A further node; its notebooks find its name in `TOY_NODE`."""
    size = {"num_cpus": 2, "num_gpus": 2}
    # A node that chooses them waits 15 s for its agents to say which, and gives up.
    agents = ("metrics_agent_port", "metrics_export_port", "runtime_env_agent_port")
    agents = dict(zip(agents, ports(3), strict=True))
    return nodes.add_node(**size, env_vars={"TOY_NODE": name}, **agents, **options)


def ports(number: int) -> list[int]:
    """Some that are free."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_longer(patch) -> None:
    """A busy machine takes longer to start a node than Ray waits.

    For the node itself that is 30 s, and 15 s for its agent to say that it has no page.
    """
    from ray._private import services
    from ray._raylet import DASHBOARD_AGENT_LISTEN_PORT_NAME, persist_port

    once, start = services.get_node, services.start_raylet

    def start_raylet(*words, **options):
        told = inspect.signature(start).bind(*words, **options).arguments
        place = told["session_dir"], told["node_id"]
        persist_port(*place, DASHBOARD_AGENT_LISTEN_PORT_NAME, -1)
        return start(*words, **options)

    def get_node(*words, **options):
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                return once(*words, **options)
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    patch.setattr(services, "get_node", get_node)
    patch.setattr(services, "start_raylet", start_raylet)
