"""A sweep that is stopped or killed, with real kernels."""

import signal
import subprocess

import fake_study
import pytest

from phi_kit.study.sweep import sweep_status
from phi_kit.study.sweep.sweep_state import read_state

TEXT = (
    "base: toy\nsets: {domains: [math]}\nto: filter_edge\nworkers: 2\n"
    "grid:\n  filter_edge.samples: [3, 4, 5]\n"
)
SLEEP = (
    "import os, time\nname = f'kernel.{params.samples}'\n"
    "open(name + '.new', 'w').write(str(os.getpid()))\nos.rename(name + '.new', name)\n"
    "print('inside', flush=True)\ntime.sleep(600)"
)
COMMAND = ("sweep", "demo")


@pytest.fixture
def in_the_middle(project):
    """A sweep both of whose workers are inside a cell; the ids of their kernels."""
    (project / "params/sweeps/demo.yaml").write_text(TEXT)
    fake_study.write_notebook(project, "filter_edge", SLEEP)
    fake_study.run(fake_study.Pick(study="toy"))
    process = fake_study.start(project, command=COMMAND)
    pids = [project / f"kernel.{samples}" for samples in (3, 4)]
    fake_study.until(
        lambda: all(pid.exists() for pid in pids) or process.poll(), seconds=300
    )
    assert process.poll() is None, process.stderr.read()
    yield process, [int(pid.read_text()) for pid in pids]
    process.kill()


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_sweep_that_is_stopped_leaves_no_kernel(project, in_the_middle, how):
    process, kernels = in_the_middle
    states = read_state("demo").variant_states()
    assert [one.kind for one in states.values()] == [
        "in flight",
        "in flight",
        "waiting",
    ]
    process.send_signal(how)
    try:
        _, error = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == 128 + how
    assert error.strip() == "phi-kit: interrupted; the same command carries on"
    fake_study.until(lambda: not any(map(fake_study.alive, kernels)))
    assert not list(project.glob("runs/demo/*/*/.*.partial"))
    assert {one.kind for one in read_state("demo").variant_states().values()} == {
        "waiting"
    }
    assert read_state("demo").failures == {}


@pytest.mark.slow
def test_kill_9_leaves_no_kernel_and_the_same_command_carries_on(
    project, in_the_middle, load
):
    process, kernels = in_the_middle
    process.kill()
    process.wait()
    sweep = load(TEXT.removeprefix("base: toy\n"))
    states = sweep_status.sweep_state(sweep).variant_states()  # nobody is at work
    assert {one.kind for one in states.values()} == {"waiting"}
    assert {(one.done, one.of) for one in states.values()} == {(1, 2)}
    fake_study.write_notebook(project, "filter_edge")
    again = fake_study.start(project, command=COMMAND)
    out, error = again.communicate(timeout=500)
    assert again.returncode == 0, error
    assert "3 notebooks run, 1 finished earlier" in out
    assert fake_study.executions(project).count("01_pick_domain math") == 1
    fake_study.until(lambda: not any(map(fake_study.alive, kernels)))
