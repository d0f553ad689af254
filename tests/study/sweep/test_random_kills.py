"""A sweep whose kernels, workers, nodes and drivers are killed at random."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import fake_study
import pytest
from ray_nodes import (
    add_node,
    ended,
    finished,
    kernels,
    manifests,
    require_no_kernel,
    start,
    two_nodes,
    write,
)

from phi_kit.core.rng import rng

pytestmark = pytest.mark.sweep

KILLS = 20
VARIANTS = list(range(3, 15))
ROWS = """\
from phi_kit.core.rng import rng
from phi_kit.core.step_run import open_run
time.sleep(2)
drawn = rng(params.rng_seed, "row", params.samples).random(100)
with open_run(params) as opened:
    (opened.staging / "rows.json").write_text(repr(drawn.tolist()))
"""


def outcomes(project, runs):
    return {place: one["digest"] for place, one in manifests(project, runs).items()}


def kill(what, project, cluster, driver):
    """Kill one at random; whether there was one."""
    if what == "driver":
        driver.kill()
        driver.wait()
        return True
    if what == "node":
        (node,) = cluster.worker_nodes
        cluster.remove_node(node, allow_graceful=False)
        add_node(cluster, "two")
        return True
    alive = [pid for pid in kernels(project) if fake_study.alive(pid)]
    if not alive:
        return False
    with suppress(ProcessLookupError):
        pid = alive[-1]
        if what == "worker":
            stat = open(f"/proc/{pid}/stat").read()  # noqa: PTH123, SIM115
            pid = int(stat.rpartition(")")[2].split()[1])
        os.kill(pid, signal.SIGKILL)
    return True


def test_twenty_random_kills_end_in_the_same_tables(project):
    write(project, VARIANTS, ROWS)
    code, _, error = ended(start(project, workers=2, runs="undisturbed"))
    assert code == 0, error
    wanted = outcomes(project, "undisturbed")
    assert len(wanted) == 2 * len(VARIANTS)
    (project / "finished.log").unlink()
    random, kills, rounds = rng(7, "kills"), [], 0
    with two_nodes() as cluster:
        how = {"workers": 4, "address": cluster.address}
        while len(kills) < KILLS:
            rounds += 1
            runs = f"round-{rounds}"
            driver = start(project, **how, runs=runs)
            while len(kills) < KILLS:
                time.sleep(random.uniform(0.5, 4))
                if driver.poll() is not None:
                    if driver.returncode == 0:
                        break
                    driver = start(project, **how, runs=runs)  # the same command
                what = random.choice(["kernel", "kernel", "worker", "node", "driver"])
                if kill(str(what), project, cluster, driver):
                    kills.append(str(what))
            for _ in range(5):  # a variant may have been hit three times
                if ended(driver)[0] == 0:
                    break
                driver = start(project, **how, runs=runs)
            assert outcomes(project, runs) == wanted, kills
        require_no_kernel(project)
    assert len(set(kills)) == 4
    assert max(finished(project).values()) <= rounds  # none of them twice
