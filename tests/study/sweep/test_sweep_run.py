"""Sweeps of the toy study; with kernels only where kernels matter."""

import json
import threading
import time

import fake_study
import pytest
from filelock import FileLock, Timeout

from phi_kit.core.errors import KernelDiedError, RunError, StudyError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.step_run import open_run
from phi_kit.core.step_state import fingerprint
from phi_kit.study import config, runner
from phi_kit.study.sweep import ray_engine, sweep_run
from phi_kit.study.sweep.notebook_engine import in_process
from phi_kit.study.sweep.sweep_state import read_state
from phi_kit.study.sweep.sweep_status import show_status

SMALL = "sets: {domains: [math]}\nto: filter_edge\n"
THREE = f"{SMALL}grid:\n  filter_edge.samples: [3, 4, 5]\n"


def result(variant, step=fake_study.FILTER_EDGE):
    return RunFolder.of(f"demo/{variant}", step, domain="math").result


def test_what_variants_share_runs_once(project, run, no_kernels):
    lines = run(THREE)
    assert fake_study.executions(project) == [
        "01_pick_domain math",
        *["03_filter_edge math"] * 3,
    ]
    assert [result(f"samples-{n}")["samples"] for n in (3, 4, 5)] == [3, 4, 5]
    assert lines[0] == "samples-3 (+2) [01 pick_domain math] starts"
    assert lines[-2] == (
        "sweep 'demo': 3 variants: 3 finished; 4 of 4 notebooks finished"
    )
    assert lines[-1].startswith("4 notebooks run, 0 finished earlier; ")

    again = run(THREE)
    assert again[-1].startswith("0 notebooks run, 4 finished earlier; ")
    grown = run(THREE.replace("[3,", "[6, 3,"))
    assert grown[-1].startswith("1 notebook run, 4 finished earlier; ")
    # Other sweeps and studies have done it before.
    other = f"{SMALL}variants:\n- {{filter_edge.samples: 6, filter_edge.note: x}}\n"
    lines = run(f"{other}- {{filter_edge.samples: 4}}\n", name="other")
    assert lines[-1].startswith("1 notebook run, 2 finished earlier; ")
    assert len(fake_study.executions(project)) == 6
    study = config.load("toy", ["study=demo/samples-4", "filter_edge.samples=4"])
    states = [line.split()[3] for line in runner.status(study)[:2]]
    assert states == ["finished", "finished"]  # as any study


def test_a_study_that_was_run_alone_is_a_variant_done(project, run, no_kernels):
    fake_study.run(fake_study.Pick(study="toy"))
    fake_study.run(fake_study.Edge(study="toy", samples=4))
    lines = run(THREE.replace("[3, 4, 5]", "[4]"))
    assert lines[-1].startswith("0 notebooks run, 2 finished earlier; ")
    assert len(fake_study.executions(project)) == 2


def test_a_variant_that_always_raises_fails_alone(project, run, no_kernels):
    no_kernels.failing.add(4)
    with pytest.raises(RunError) as caught:
        run(THREE)
    assert caught.value.what == "1 variant of the sweep 'demo' failed: samples-4"
    assert "phi-kit sweep demo --only samples-4" in caught.value.todo
    assert fake_study.executions(project)[1:] == ["03_filter_edge math"] * 2
    state = read_state("demo")
    kinds = {name: one.kind for name, one in state.variant_states().items()}
    assert kinds == {
        "samples-3": "finished",
        "samples-4": "failed",
        "samples-5": "finished",
    }
    assert state.failures["samples-4"].title == "03 filter_edge math"
    assert state.failures["samples-4"].why == "it raised\n  where: a cell"

    no_kernels.failing.clear()  # the cause is mended
    lines = run(THREE, names=["samples-4"])
    assert lines[-1].startswith("1 notebook run, 1 finished earlier; ")
    assert "3 variants: 3 finished; 4 of 4" in lines[-2]
    assert read_state("demo").failures == {}


def test_what_has_failed_is_tried_after_the_others(project, run, no_kernels):
    no_kernels.failing.add(3)
    with pytest.raises(RunError):
        run(THREE.replace("[3, 4, 5]", "[3]"))
    no_kernels.failing.clear()
    lines = run(THREE)
    begun = [line.split()[0] for line in lines if "filter_edge math] starts" in line]
    assert begun == ["samples-4", "samples-5", "samples-3"]


def test_a_failure_that_all_share_is_met_once(project, run, no_kernels):
    no_kernels.failing.add(3)
    text = "sets: {domains: [math]}\ngrid:\n  benchmark.items: [5, 6]\n"
    with pytest.raises(RunError, match="2 variants of the sweep 'demo' failed") as got:
        run(text)
    assert len(fake_study.executions(project)) == 1
    assert got.value.what.endswith("failed: items-5, items-6")
    kinds = {work.title: work.kind for work in read_state("demo").work.values()}
    assert kinds == {
        "01 pick_domain math": "finished",
        "03 filter_edge math": "failed",
        "07 benchmark": "left out",
    }


def test_what_came_out_alike_above_is_read_by_one_run(project, run, no_kernels):
    def carry_out(params):
        if params.STEP is fake_study.FILTER_EDGE:
            return fake_study.run(params)
        with open_run(params) as opened:
            opened.result = {"alike": True}
        return opened

    no_kernels.carry_out = carry_out
    lines = run(f"{SMALL}workers: 2\ngrid:\n  pick_domain.items: [3, 4]\n")
    assert lines[-1].startswith("3 notebooks run, 1 finished earlier; ")
    assert fake_study.executions(project) == ["03_filter_edge math"]
    assert result("items-3")["samples"] == result("items-4")["samples"] == 3


@pytest.mark.slow
def test_two_sweeps_do_not_run_the_same_at_once(project, run, no_kernels):
    """What another process works at is waited for, and taken over."""
    others = []

    def carry_out(params):
        if params.STEP is fake_study.FILTER_EDGE and not others:
            others.append(params)
            claim = FileLock(
                project / f"runs/.claims/{fingerprint(params)}.lock", timeout=0
            )
            with pytest.raises(Timeout):
                claim.acquire()
        return fake_study.run(params)

    no_kernels.carry_out = carry_out
    run(THREE.replace("[3, 4, 5]", "[3]"))
    params = fake_study.Edge(study="toy", samples=4)
    fake_study.run(fake_study.Pick(study="toy"))
    with FileLock(project / f"runs/.claims/{fingerprint(params)}.lock"):
        later = threading.Timer(0.5, fake_study.run, [params])
        later.start()
        waiting = threading.Thread(target=run, args=[THREE])
        waiting.start()
        later.join()
        time.sleep(0.3)
        assert waiting.is_alive()
    waiting.join(60)
    assert fake_study.executions(project).count("03_filter_edge math") == 3


def test_what_another_process_has_just_finished_is_not_run(project, run, no_kernels):
    def carry_out(params):
        if params.STEP is fake_study.PICK_DOMAIN:
            done = fake_study.run(params)
            fake_study.run(fake_study.Pick(study="other"))
            fake_study.run(fake_study.Edge(study="other", samples=4))
            return done
        return fake_study.run(params)

    no_kernels.carry_out = carry_out
    lines = run(THREE.replace("[3, 4, 5]", "[3, 4]"))
    assert lines[-1].startswith("2 notebooks run, 1 finished earlier; ")


def test_two_workers_come_to_the_same(project, run, no_kernels):
    lines = run(f"{THREE}workers: 2\n")
    assert lines[-1].startswith("4 notebooks run, 0 finished earlier; ")
    assert [result(f"samples-{n}")["samples"] for n in (3, 4, 5)] == [3, 4, 5]


def test_a_sweep_and_a_study_keep_apart(project, run, no_kernels):
    fake_study.run(fake_study.Pick(study="demo"))
    with pytest.raises(StudyError, match="'demo' is a study's name already"):
        run(THREE)
    fake_study.run(fake_study.Pick(study="toy"))
    run(f"{SMALL.replace('filter_edge', 'pick_domain')}rng_seeds: [7]\n", name="other")
    with pytest.raises(StudyError, match="'other' is a sweep"):
        runner.run_study(config.load("toy", ["study=other"]))


def test_after_its_hours_a_sweep_begins_nothing(project, run, no_kernels):
    lines = run(f"{THREE}limits: {{hours: 1e-9}}\n")
    assert lines[0].startswith("the limit of hours is reached; 4 notebooks left")
    assert fake_study.executions(project) == []


@pytest.mark.slow
def test_24_variants_run_as_many_notebooks_as_differ(
    project, run, no_kernels, monkeypatch
):
    """The issue's case: all differ from one step on, what lies before runs once."""
    asked, units = [], sweep_run._SweepRun._units
    monkeypatch.setattr(
        sweep_run._SweepRun,
        "_units",
        lambda self, key: asked.append(key) or units(self, key),
    )
    grid = "grid:\n  filter_edge.samples: [2, 3, 4, 5, 6, 7]\n"
    grid += "  filter_edge.rate: [1e-3, 1e-4]\n  filter_edge.adapt: [true, false]\n"
    lines = run(SMALL + grid)
    assert lines[-1].startswith("25 notebooks run, 0 finished earlier; ")
    assert len(asked) <= 6 * 25  # who wants one is not asked whenever another ends
    steps = [line.split()[0] for line in fake_study.executions(project)]
    assert (steps.count("01_pick_domain"), steps.count("03_filter_edge")) == (1, 24)
    # A second sweep shares all of that, and executes only what comes after it.
    more = run(SMALL.replace("to: filter_edge\n", "") + grid, name="further")
    assert more[-1].startswith("24 notebooks run, 25 finished earlier; ")
    steps = [line.split()[0] for line in fake_study.executions(project)[25:]]
    assert set(steps) == {"07_benchmark"}


def test_what_changes_no_outcome_makes_no_other_notebook(project, run, no_kernels):
    text = f"{SMALL}grid:\n  endpoint: [{{concurrency: 4}}, {{timeout: 9}}]\n"
    lines = run(text)
    assert "2 variants: 2 finished; 2 of 2 notebooks finished" in lines[-2]
    assert len(fake_study.executions(project)) == 2


def test_a_name_that_would_mean_another_variant_is_refused(project, run, no_kernels):
    run(THREE)
    run(f"{THREE}  benchmark.items: [5]\n")  # other labels, nothing lost
    with pytest.raises(StudyError, match=r"'samples' was filter_edge\.samples, and"):
        run(THREE.replace("filter_edge.samples", "math.filter_edge.samples"))
    assert result("samples-3")["samples"] == 3


SPOILT = """
import os, sys
key, here, home = os.environ["SOME_API_KEY"], os.getcwd(), os.path.expanduser("~")
for n in range(3000):
    print(f"\\r{n}/3000", end="", file=sys.stderr, flush=True)
print(key, here + "/x", home + "/y")
if getattr(params, "samples", 0) == 4:
    raise ValueError(f"no {key} in {here}/a.csv or {home}/b.csv")
"""


@pytest.mark.slow
def test_no_secret_no_machine_path_and_no_flood_is_left(
    project, load, run, monkeypatch
):
    secret, home = "sk-verysecret-0123", "/home/somebody"
    monkeypatch.setenv("SOME_API_KEY", secret)
    monkeypatch.setenv("HOME", home)
    fake_study.write_notebook(project, "filter_edge", SPOILT)
    fake_study.run(fake_study.Pick(study="toy"))
    lines = []
    with pytest.raises(RunError) as caught:
        sweep_run.run_sweep(
            load(THREE.replace("[3, 4, 5]", "[3, 4]")), say=lines.append
        )
    show_status(load(THREE), say=lines.append)
    assert any("ValueError: no *** in a.csv or ~/b.csv" in line for line in lines)
    assert len(lines) < 40
    told = ["\n".join([*lines, str(caught.value)])]
    files = [path for path in (project / "runs/demo").rglob("*") if path.is_file()]
    assert {"notebook.ipynb", "sweep.json"} <= {path.name for path in files}
    for text in [*told, *(path.read_text(errors="replace") for path in files)]:
        assert secret not in text
        assert str(project) not in text
        assert home not in text
        assert "2999/3000" not in text or "1500/3000" not in text
        assert len(text) < 100_000
    assert json.loads((project / "runs/demo/sweep.json").read_text())["variants"]


@pytest.mark.parametrize(
    ("workers", "address", "on_ray"),
    [(2, "", False), (3, "", True), (2, "auto", True), (1, "auto", False)],
)
def test_many_notebooks_at_once_are_on_ray(
    run, no_kernels, monkeypatch, workers, address, on_ray
):
    asked = []

    def instead(*words):
        asked.append(words[:2])
        return in_process(1, words[2])

    monkeypatch.setattr(ray_engine, "on_ray", instead)
    monkeypatch.setenv("RAY_ADDRESS", address)
    run(f"{THREE}workers: {workers}\n")
    assert asked == [(workers, address)] * on_ray


def test_what_was_lost_is_tried_again_after_the_others(project, run, no_kernels):
    died = []

    def carry_out(params):
        if getattr(params, "samples", None) == 3 and len(died) < 2:
            died.append(params)
            raise KernelDiedError("its kernel died")
        return fake_study.run(params)

    no_kernels.carry_out = carry_out
    lines = run(THREE)
    begun = [line.split()[0] for line in lines if "filter_edge math] starts" in line]
    assert begun == [f"samples-{n}" for n in (3, 4, 5, 3, 3)]
    assert lines[-1].startswith("4 notebooks run, 0 finished earlier; ")
    assert "1 of 2 times: its kernel died" in "\n".join(lines)


def test_what_is_lost_every_time_fails_alone(project, run, no_kernels):
    def carry_out(params):
        if getattr(params, "samples", None) == 4:
            raise KernelDiedError("its kernel died")
        return fake_study.run(params)

    no_kernels.carry_out = carry_out
    with pytest.raises(RunError, match=r"1 variant of .* failed: samples-4"):
        run(THREE)
    assert fake_study.executions(project).count("03_filter_edge math") == 2


def test_no_lock_is_left(project, run, no_kernels):
    claims = project / "runs/.claims"
    claims.mkdir(parents=True)
    (claims / "0123456789abcdef.lock").touch()  # of a sweep that was killed
    run(f"{THREE}workers: 2\n")
    assert list((project / "runs").rglob("*.lock")) == []
    assert list((project / "runs").rglob(".lock")) == []
