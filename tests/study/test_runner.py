import base64
import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import fake_study
import pytest

from phi_kit.core import step_table
from phi_kit.core.errors import ModelError, RunError, StudyError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.step_state import up_to_date
from phi_kit.study import config, runner
from phi_kit.study.notebook import scrub

SECRET = "sk-verysecret-0123"


def run(*sets, **options):
    lines = []
    study = config.load("params/toy.yaml", ("domains=[math]", *sets))
    runner.run_study(study, say=lines.append, **options)
    return lines


def finish(project, study="toy", domain="math"):
    """Finish the first step without a kernel."""
    fake_study.run(fake_study.Pick(study=study, domain=domain))


def test_an_engine_that_is_not_here_is_refused_before_anything_runs(
    project, monkeypatch
):
    monkeypatch.setenv("PHI_KIT_VLLM", str(project / "no-such-program"))
    with pytest.raises(ModelError, match="engine: vllm needs the program vllm"):
        run("engine=vllm")
    assert fake_study.executions(project) == []


def test_a_study_runs_once_and_redoes_what_a_change_touches(project, monkeypatch):
    assert not os.environ.get("PHI_KIT_HEADLESS")
    fake_study.write_notebook(project, "pick_domain", "import os, sys\n" + "\n".join([
        "assert os.environ['PHI_KIT_HEADLESS']",
        f"assert sys.executable == {sys.executable!r}",
        f"assert os.getcwd() == {str(project)!r}",
        "print('a\\nb', end='')",
        "print('in', os.getcwd() + '/x', os.path.expanduser('~/y'))",
        "print('key', os.environ['SOME_API_KEY'])",
    ]))  # fmt: skip
    # A kernel of that name that is another Python must not be asked for.
    hijack = project / "jupyter/kernels/python3"
    hijack.mkdir(parents=True)
    spec = {"argv": ["/bin/false"], "display_name": "x", "language": "python"}
    (hijack / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(project / "jupyter"))
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    monkeypatch.chdir(project / "params")

    lines = run()
    assert fake_study.executions(project) == [
        "01_pick_domain math",
        "03_filter_edge math",
        "07_benchmark -",
    ]
    assert lines[:2] == ["[01 pick_domain math] starts", "[01 pick_domain math] a"]
    assert lines[2].startswith("[01 pick_domain math] bin ")
    assert lines[3] == "[01 pick_domain math] key ***"
    assert "read 3 = kept 2 + dropped 1 too long" in lines[4]
    assert lines[-2].startswith("study 'toy' is finished after")
    assert re.fullmatch(
        "of these steps, sampling took 0 s, training 0 s, everything else 100.0.% of "
        r"the time \(\d+ s to start kernels\)",
        lines[-1],
    )
    assert not os.environ.get("PHI_KIT_HEADLESS")
    manifest = RunFolder.of("toy", step_table.FILTER_EDGE, domain="math").manifest
    assert manifest["params"]["samples"] == 3  # the study's, not the notebook's
    text = (project / "runs/toy/math/01_pick_domain/notebook.ipynb").read_text()
    assert "in x" in text
    for hidden in (SECRET, str(project), str(Path.home())):
        assert hidden not in text

    again = run()
    assert len(fake_study.executions(project)) == 3
    assert sum("nothing changed" in line for line in again) == 3
    run("benchmark.items=5")
    assert fake_study.executions(project)[3:] == ["07_benchmark -"]


def test_a_failed_cell_is_named(project):
    cell = (
        "# why it fails\nfrom phi_kit.core.errors import DataError\n"
        "raise DataError('no column answr', where='x.csv', todo='name it')"
    )
    fake_study.write_notebook(project, "filter_edge", cell)
    finish(project)
    with pytest.raises(RunError) as caught:
        run()
    assert str(caught.value).splitlines() == [
        "notebooks/03_filter_edge.ipynb stopped in cell In [4]: "
        "from phi_kit.core.errors import DataError",
        "  DataError: no column answr",
        "    where: x.csv",
        "    to do: name it",
        "  where: runs/toy/math/03_filter_edge/notebook.ipynb",
        "  to do: open that notebook to see all of it and mend the cause; "
        "the same command carries on from here",
    ]
    assert fake_study.executions(project) == ["01_pick_domain math"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("import os\nos.kill(os.getpid(), 9)", "died in cell In [4]: import os"),
        ("import sys; sys.exit(0)", "it left the notebook by sys.exit"),
        ("params = params.model_copy(update={'items': 9})", "items was 9 instead of 3"),
    ],
    ids=["killed", "sys.exit", "other parameters"],
)
def test_only_the_manifest_counts_as_success(project, cell, said):
    fake_study.write_notebook(project, "pick_domain", cell)
    with pytest.raises(RunError, match="01_pick_domain") as caught:
        run(last="1")
    assert said in str(caught.value)
    assert "runs/toy/math/01_pick_domain/notebook.ipynb" in str(caught.value)


@pytest.mark.slow
def test_an_old_manifest_does_not_count(project):
    finish(project)
    fake_study.write_notebook(project, "pick_domain", "fake_study.run = lambda p: None")
    with pytest.raises(RunError, match="did not finish its step"):
        run(last="pick_domain", redo=True)
    assert RunFolder.of("toy", step_table.PICK_DOMAIN, domain="math").finished


@pytest.mark.slow
def test_redo_does_a_finished_step_again(project):
    finish(project)
    run(last="1")
    assert len(fake_study.executions(project)) == 1
    lines = run("redo=true", last="1")
    assert any("runs again (REDO was asked for)" in line for line in lines)
    assert len(fake_study.executions(project)) == 2
    folder = RunFolder.of("toy", step_table.PICK_DOMAIN, domain="math")
    assert "redo" not in folder.manifest["params"]
    assert len(run(last="1")) == 2  # nothing changed, and that it is finished


def test_from_runs_no_earlier_step(project):
    with pytest.raises(RunError, match="have not finished: math/01_pick_domain"):
        run(first="filter_edge")
    assert fake_study.executions(project) == []


@pytest.mark.parametrize("text", ["filter_edge", "03_filter_edge", "03", "3"])
def test_a_step_has_many_names(project, text):
    assert runner.step_named(text) == "filter_edge"


def test_a_wrong_step_is_refused(project):
    for text in ("03_filtr_edge", "filter-edge"):
        with pytest.raises(StudyError, match="did you mean 'filter_edge'"):
            run(first=text)
    with pytest.raises(StudyError, match="known: benchmark, filter_edge, pick_domain"):
        run(last="9")
    with pytest.raises(StudyError, match="--from 7 comes after --to 3"):
        run(first="7", last="3")


def test_one_run_of_a_study_at_a_time(project):
    class StopError(Exception):
        pass

    def begin_another(line):
        assert line == "[01 pick_domain math] starts"
        with pytest.raises(RunError, match="another phi-kit run of study 'toy'"):
            run()
        raise StopError  # before a kernel starts

    with pytest.raises(StopError):
        runner.run_study(config.load("toy"), say=begin_another)


@pytest.mark.slow
def test_a_study_starts_from_anothers_finished_steps(project):
    run(last="3")
    started = fake_study.executions(project)
    lines = run("study=second", "from=toy", "filter_edge.samples=9", last="3")
    assert lines[:2] == [
        "[01 pick_domain math] taken over from 'toy'",
        "[03 filter_edge math] 'toy' has another result: samples is 9, was 3",
    ]
    assert fake_study.executions(project) == [*started, "03_filter_edge math"]
    assert any("nothing changed" in line for line in run("study=second", last="1"))
    run("study=third", "from=toy", last="1", redo=True)
    assert fake_study.executions(project)[3:] == ["01_pick_domain math"]
    with pytest.raises(RunError, match=r"no run of a study 'ty' .*did you mean 'toy'"):
        run("study=fourth", "from=ty")


def test_status_tells_finished_stale_and_missing(project):
    finish(project)
    fake_study.run(fake_study.Edge(study="toy", samples=9))
    lines = runner.status(config.load("toy"))
    assert [line.split()[:-1] for line in lines[:2]] == [
        ["01", "pick_domain", "math", "finished"],
        ["03", "filter_edge", "math", "stale"],
    ]
    assert lines[2].split() == ["01", "pick_domain", "puzzles", "missing"]


def test_an_unreadable_manifest_is_run_again(project):
    finish(project)
    (project / "runs/toy/math/01_pick_domain/manifest.json").write_text("{")
    unit = config.load("toy").units()[0]
    assert not up_to_date(unit.params)


def test_paths_are_scrubbed_only_where_they_are_paths(project, monkeypatch):
    monkeypatch.setenv("HOME", "/home")
    outputs = ["/home/a /home", "/homeric x/home", "https://home/x", f"{project}"]
    assert scrub.scrubbed({"a": outputs, "image/png": "/home"}) == {
        "a": ["~/a ~", "/homeric x/home", "https://home/x", "."],
        "image/png": "/home",
    }


def test_a_picture_inside_html_is_scrubbed_in_no_time(project):
    picture = base64.b64encode(random.Random(1).randbytes(6_000_000)).decode()
    home = Path.home()
    html = f'<img alt="of {home}/a.png" src="data:image/png;base64,{picture}">'
    cell = {"outputs": [{"data": {"text/html": html}}]}
    # Quadratic in the picture's length this would take days.
    done = scrub.scrubbed({"cells": [cell]})["cells"][0]["outputs"][0]["data"]
    assert done["text/html"] == html.replace(str(home), "~")


KERNEL = "import os, time\nopen('kernel.pid', 'w').write(str(os.getpid()))"


def started_in_the_middle(project):
    """A run whose kernel is inside the second step; both process ids."""
    cell = f"{KERNEL}\nprint('inside', flush=True)\ntime.sleep(600)"
    fake_study.write_notebook(project, "filter_edge", cell)
    finish(project)
    process = fake_study.start(project, "--set", "domains=[math]")
    pid = project / "kernel.pid"
    fake_study.until(lambda: (pid.exists() and pid.read_text()) or process.poll())
    assert process.poll() is None, process.stderr.read()
    return process, int(pid.read_text())


@pytest.mark.slow
def test_kill_9_leaves_no_kernel_and_the_next_run_carries_on(project):
    process, kernel = started_in_the_middle(project)
    process.kill()
    process.wait()
    fake_study.write_notebook(project, "filter_edge")
    again = fake_study.start(project, "--set", "domains=[math]", "--to", "3")
    out, error = again.communicate(timeout=120)
    assert again.returncode == 0, error
    assert "[01 pick_domain math] finished earlier, nothing changed" in out
    assert fake_study.executions(project) == [
        "01_pick_domain math",
        "03_filter_edge math",
    ]
    fake_study.until(lambda: not fake_study.alive(kernel))


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_so_and_leaves_no_kernel(project, how, code):
    process, kernel = started_in_the_middle(project)
    process.send_signal(how)
    try:
        _, error = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == code
    assert "Traceback" not in error
    assert error.strip() == "phi-kit: interrupted; the same command carries on"
    fake_study.until(lambda: not fake_study.alive(kernel))
    assert not list(project.glob("runs/toy/math/.*.partial"))
