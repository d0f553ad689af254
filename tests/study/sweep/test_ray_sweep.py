"""Sweeps on a Ray cluster of two nodes, while everything goes wrong; real kernels."""

from __future__ import annotations

import signal
from collections import Counter

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
    started,
    two_nodes,
    write,
)

from phi_kit.study.sweep.sweep_state import read_state

pytestmark = pytest.mark.sweep


@pytest.fixture(scope="module")
def cluster():
    with two_nodes() as nodes:
        yield nodes


# --- the same everywhere ---

ROWS = """\
from phi_kit.core.rng import rng
from phi_kit.core.step_run import open_run
assert subprocess.run(["sh", "-c", "exit 3"]).returncode == 3
assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
with open_run(params) as opened:
    drawn = rng(params.rng_seed, "row", params.samples).random(100)
    (opened.staging / "rows.json").write_text(repr(drawn.tolist()))
gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
pathlib.Path(f"gpu.{here}.{gpu}").touch()
"""


def test_a_sweep_comes_to_the_same_in_process_on_local_ray_and_on_two_nodes(
    project, cluster
):
    write(project, [3, 4, 5, 6], ROWS)
    outcomes = {}
    for runs, workers, address in [
        ("process", 2, ""),
        ("nodes", 4, cluster.address),
        ("local", 3, ""),
    ]:
        sweep = start(project, workers=workers, address=address, runs=runs)
        code, out, error = ended(sweep)
        assert code == 0, error
        assert "5 notebooks run, 0 finished earlier" in out
        outcomes[runs] = {p: m["digest"] for p, m in manifests(project, runs).items()}
    assert len(outcomes["process"]) == 8
    assert outcomes["process"] == outcomes["local"] == outcomes["nodes"]
    gpus = {path.name for path in project.glob("gpu.*")}
    assert "gpu.here.none" in gpus
    pinned = {f"gpu.{node}.{gpu}" for node in ("one", "two") for gpu in "01"}
    assert gpus & pinned
    assert gpus - pinned == {"gpu.here.none"}
    require_no_kernel(project)


# --- whatever goes wrong ---

KERNEL, WORKER, RAISES, SLOW = 10, 11, 12, (13, 14, 15, 16)
WRONG = f"""\
if params.samples == {RAISES}:
    raise ValueError("poisoned")
if params.samples == {KERNEL} and first:
    os.kill(os.getpid(), signal.SIGKILL)
if params.samples == {WORKER} and first:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
if here == "two" and first:
    time.sleep(600)
if here == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (900, 900))
time.sleep(1)
"""


def test_whatever_goes_wrong_every_healthy_variant_is_finished_once(project, cluster):
    """A node, a worker and a kernel are killed, a disk is full, a variant raises."""
    write(project, [KERNEL, WORKER, RAISES, *SLOW], WRONG)
    (second,) = cluster.worker_nodes
    full = add_node(cluster, "full")
    process = start(project, workers=8, address=cluster.address)
    try:
        fake_study.until(
            lambda: list((project / "kernels").glob("*.two.*")) or process.poll(),
            seconds=200,
        )
        at_work = [one for one in read_state("demo").work.values() if one.worker]
        assert any("pid " in one.worker and "GPU" in one.worker for one in at_work)
        code, _, error = ended(start(project, workers=4, address=cluster.address))
        assert (code, "another phi-kit run of sweep 'demo'" in error) == (1, True)
        cluster.remove_node(second, allow_graceful=False)
        code, out, error = ended(process)
    finally:
        process.kill()
        cluster.remove_node(full)
        add_node(cluster, "two")
    assert code == 1
    assert f"1 variant of the sweep 'demo' failed: samples-{RAISES}" in error
    assert "ValueError: poisoned" in out
    state = read_state("demo")
    assert set(state.failures) == {f"samples-{RAISES}"}
    healthy = [KERNEL, WORKER, *SLOW]
    assert finished(project) == Counter(healthy)
    assert len([path for path in manifests(project) if "03_filter" in path]) == len(
        healthy
    )
    assert "was lost and is tried again" in out
    assert "nothing more is begun on" in out
    assert "the disk is full" in out
    require_no_kernel(project)
    assert list((project / "runs").rglob("*.lock")) == []


def await_three(project, process):
    """Wait until three kernels are at work."""
    fake_study.until(
        lambda: len(kernels(project)) > 2 or process.poll() is not None, seconds=200
    )
    assert process.poll() is None


def test_a_sweep_that_is_stopped_leaves_no_kernel_and_carries_on(project, cluster):
    write(project, [3, 4, 5], "if first: time.sleep(600)\n")
    with started(project, workers=4, address=cluster.address) as process:
        await_three(project, process)
        process.send_signal(signal.SIGINT)
        code, _, error = ended(process)
    assert code == 128 + signal.SIGINT, error
    assert error.strip().endswith("phi-kit: interrupted; the same command carries on")
    require_no_kernel(project)
    assert {one.kind for one in read_state("demo").variant_states().values()} == {
        "waiting"
    }
    code, _, error = ended(start(project, workers=4, address=cluster.address))
    assert code == 0, error
    assert finished(project) == Counter([3, 4, 5])


def test_a_driver_that_is_killed_leaves_no_kernel_and_the_same_command_carries_on(
    project, cluster
):
    write(project, [3, 4, 5], "if first: time.sleep(600)\n")
    with started(project, workers=4, address=cluster.address) as process:
        await_three(project, process)
        process.kill()
    code, _, error = ended(start(project, workers=4, address=cluster.address))
    assert code == 0, error
    assert finished(project) == Counter([3, 4, 5])
    require_no_kernel(project)
