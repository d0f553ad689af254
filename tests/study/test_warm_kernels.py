"""Kernels forked from a template: as good as cold ones, and never in their way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fake_study
import nbformat
import pytest
from started_kernel import run, started

from phi_kit.core.errors import RunError
from phi_kit.core.replay_mode import REPLAY
from phi_kit.study.notebook import warm_kernels
from phi_kit.study.notebook.execute import LineWriter, execute
from phi_kit.study.notebook.kernel import kernel_environment

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="kernels are forked on Linux"
)


KERNELS = 1000
READ_WHEN_USED = warm_kernels._READ_WHEN_USED
PRELOAD = warm_kernels.PRELOAD  # before a fixture takes another one
PARENT = "import os; print(os.getppid())"


@pytest.fixture
def template(monkeypatch):
    """Warm kernels of a small template, and what was said about them."""

    @contextlib.contextmanager
    def opened(*preload):
        monkeypatch.setattr(warm_kernels, "PRELOAD", preload)
        said = []
        with kernel_environment(), warm_kernels.warm_kernels(said.append) as warm:
            yield warm, said

    return opened


@pytest.fixture(scope="module")
def tensors():
    """Warm kernels whose template has imported torch, numpy and sympy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm_kernels, "PRELOAD", ("torch", "numpy", "sympy", "datasets"))
        # pytest names the test in the environment: each would make a template.
        patch.setattr(warm_kernels, "_READ_WHEN_USED", (*READ_WHEN_USED, "PYTEST_"))
        said = []
        # Not on its way before it is known which environment a test wants.
        warm = warm_kernels.WarmKernels(said.append)
        with kernel_environment(), contextlib.closing(warm):
            yield warm
        assert said == []


# Cells compare it with a cold kernel's.
FACTS = """
import json, locale, logging, os, resource, signal, sys, threading, warnings
import torch
mask = os.umask(0o22); os.umask(mask)
limits = [n for n in dir(resource) if n.startswith("RLIMIT_")]
print(json.dumps({
    "environment": {k: v for k, v in os.environ.items() if k != "JPY_PARENT_PID"},
    "path": sys.path,
    "program": sys.argv[0], "arguments": len(sys.argv), "flags": list(sys.flags),
    "options": sys._xoptions, "python": sys.executable,
    "folder": os.getcwd(),
    "signals": {int(s): str(signal.getsignal(s)) for s in signal.valid_signals()
                if s != signal.SIGINT},
    "blocked": [int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "umask": mask, "niceness": os.nice(0), "locale": locale.getlocale(),
    "limits": {n: resource.getrlimit(getattr(resource, n)) for n in limits},
    "processors": sorted(os.sched_getaffinity(0)),
    "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
    "names": sorted(t.name for t in threading.enumerate() if "Thread-" not in t.name),
    "leads": [os.getpid() == os.getpgid(0), os.getpid() == os.getsid(0)],
    "default dtype": str(torch.get_default_dtype()),
    "handlers": [str(h) for h in logging.getLogger().handlers],
    "main": [__name__, sys.modules["__main__"].__dict__ is globals()],
    "stdin": sys.stdin.isatty(), "handles": len(os.listdir("/proc/self/fd")),
}, default=str))
"""


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["2", ""], ids=["two", "all"])
def test_a_warm_kernel_is_like_a_cold_one(tensors, monkeypatch, threads):
    monkeypatch.setenv("SOME_NAME", "some value")
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    if not threads:
        monkeypatch.delenv("OMP_NUM_THREADS")
    warm, cold = (json.loads(*run(kernels, FACTS)) for kernels in (tensors, None))
    assert warm["environment"]["SOME_NAME"] == "some value"
    for fact, value in cold.items():
        assert warm[fact] == value, fact


@pytest.mark.slow
def test_each_notebook_has_a_kernel_of_its_own(tensors):
    draws = (
        "import random, numpy, torch\n"
        "print(random.random(), numpy.random.rand(), torch.rand(1).item())"
    )
    # Every generator there is, whoever made it: none may be as in another kernel.
    states = (
        "import gc, random\ngc.unfreeze()\n"
        "print([hash(g.getstate()) for g in gc.get_objects(generation=None)"
        " if isinstance(g, random.Random) and not isinstance(g, random.SystemRandom)])"
    )
    cells = (PARENT, "x = 1", draws, states)
    first = run(tensors, *cells)
    second = run(tensors, "print(x)", *cells)
    assert second[0] == "NameError"
    assert first[0] == second[1] != f"{os.getpid()}\n"
    pairs = list(zip(first[2].split(), second[3].split(), strict=True))
    assert all(a != b for a, b in pairs), pairs
    known = [set(json.loads(text)) for text in (first[3], second[4])]
    assert len(known[0]) >= 3
    assert not known[0] & known[1]


@pytest.mark.slow
def test_the_units_environment_reaches_a_kernel(template, monkeypatch, tmp_path):
    shown = (
        "import os; print(os.getppid(), *map(os.environ.get, "
        "['PHI_KIT_REPLAY', 'PHI_KIT_HEADLESS', 'TOY']), os.getcwd())"
    )
    with template() as (warm, said):
        (first,) = run(warm, shown)
        monkeypatch.setenv(REPLAY, "/recorded")
        (second,) = run(warm, shown)
        monkeypatch.setenv("TOY", "1")  # a library may have read it on import
        (third,) = run(warm, shown)
        monkeypatch.delenv(REPLAY)
        monkeypatch.delenv("TOY")
        monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path))
        (fourth,) = run(warm, shown)
    assert said == []
    first, second, third, fourth = (t.split() for t in (first, second, third, fourth))
    assert first[1:] == ["None", "1", "None", str(Path.cwd())]
    assert second[1:4] == ["/recorded", "1", "None"]
    assert third[1:4] == ["/recorded", "1", "1"]
    assert fourth[1:4] == first[1:4]
    assert first[0] == second[0]
    assert len({first[0], third[0], fourth[0]}) == 3


@pytest.mark.slow
def test_changed_code_and_other_processors_make_another_template(
    template, monkeypatch, tmp_path
):
    (tmp_path / "module.py").write_text("x = 1")
    monkeypatch.setattr(warm_kernels, "_CODE", tmp_path)
    all_of_them = os.sched_getaffinity(0)
    with template() as (warm, said):
        parents = run(warm, PARENT) + run(warm, PARENT)
        (tmp_path / "module.py").write_text("x = 22")
        parents += run(warm, PARENT)
        try:
            os.sched_setaffinity(0, {min(all_of_them)})
            parents += run(warm, PARENT)
        finally:
            os.sched_setaffinity(0, all_of_them)
    assert said == []
    assert parents[0] == parents[1]
    several = 3 if len(all_of_them) > 1 else 2
    assert len(set(parents)) == several
    for pid in {int(text) for text in parents}:
        assert not fake_study.alive(pid)


# Modules for a template, each with something that cannot work, and what is said of it.
BROKEN = {
    "does_not_import": ("import no_such_library", "No module named 'no_such_library'"),
    "ends": ("import os; os._exit(3)", "one ended without a word"),
    "has_a_thread": (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "a library has started a thread",
    ),
    "cannot_fork": (
        "import os\ndef fork(): raise BlockingIOError(11, 'no more processes')\n"
        "os.fork = fork",
        "no more processes",
    ),
    "dies_in_the_fork": (
        "import os; os.register_at_fork(after_in_child=lambda: os._exit(3))",
        "one ended without a word",
    ),
    "fails_in_the_fork": (
        "from ipykernel.kernelapp import IPKernelApp\n"
        "def initialize(self, argv): raise ValueError('not today')\n"
        "IPKernelApp.initialize = initialize",
        "ValueError: not today",
    ),
    "hangs_in_the_fork": (
        "from ipykernel.kernelapp import IPKernelApp\n"
        "import time\n"
        "IPKernelApp.initialize = lambda self, argv: time.sleep(600)",
        "none was ready after 2 s",
    ),
    "hangs_on_import": ("import time; time.sleep(600)", "none was ready after 2 s"),
    "is_confused": (
        "import __main__\n"
        "__main__._tell = lambda line, text: line.sendall(b'pid one\\n')",
        "invalid literal for int()",
    ),
}
EVERYDAY = ("does_not_import", "dies_in_the_fork")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in EVERYDAY else pytest.mark.slow)
        for name in BROKEN
    ],
)
def test_whatever_fails_kernels_start_cold_and_that_is_said_once(
    template, monkeypatch, tmp_path, name
):
    code, why = BROKEN[name]
    (tmp_path / f"toy_{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    if "hangs" in name:
        monkeypatch.setattr(warm_kernels, "_KERNEL_SECONDS", 2.0)
        monkeypatch.setattr(warm_kernels, "_TEMPLATE_SECONDS", 2.0)
    with template(f"toy_{name}") as (warm, said):
        assert run(warm, PARENT) == [f"{os.getpid()}\n"]
        command = [sys.executable, "-m", "ipykernel_launcher"]
        options = {"folder": str(tmp_path), "log": tmp_path / "log"}
        assert warm.fork(command, dict(os.environ), **options) is None
    assert len(said) == 1
    assert said[0].startswith("kernels start cold")
    assert why in said[0]


def test_no_warm_kernels_where_they_are_not_wanted(monkeypatch):
    monkeypatch.setenv(warm_kernels.COLD, "1")
    with warm_kernels.warm_kernels(print) as warm:
        assert warm is None
    monkeypatch.delenv(warm_kernels.COLD)
    monkeypatch.setattr(sys, "platform", "darwin")
    with warm_kernels.warm_kernels(print) as warm:
        assert warm is None


async def killed(kernel):
    """Kill a kernel as the system does; what the runner sees of it."""
    os.kill(kernel.pid, signal.SIGKILL)
    process = kernel.manager.provisioner.process
    while await kernel.manager.is_alive():
        await asyncio.sleep(0.01)
    return process.returncode


@pytest.mark.slow
def test_signals_do_what_they_do_to_any_kernel(template):
    async def several():
        async with started(warm) as kernel:
            cell = await kernel.asleep()
            await kernel.manager.interrupt_kernel()
            assert await cell == "KeyboardInterrupt"
            assert await kernel.run("print(1 + 1)") == "2\n"
            assert await kernel.manager.is_alive()
            cell = await kernel.asleep()
            assert await killed(kernel) == -signal.SIGKILL
            assert not fake_study.alive(kernel.pid)
            cell.cancel()

    with template() as (warm, said):
        asyncio.run(several())
    assert said == []


@pytest.mark.slow
def test_a_template_that_dies_takes_its_kernel_along_and_that_is_seen(template):
    async def left_alone():
        async with started(warm) as kernel:
            parent = int(await kernel.run(PARENT))
            # Nothing in this kernel could look for its parent meanwhile.
            cell = asyncio.ensure_future(kernel.run("print('well')\n9 ** 9 ** 9"))
            await asyncio.sleep(0.5)
            os.kill(parent, signal.SIGKILL)
            async with asyncio.timeout(10):
                while await kernel.manager.is_alive() or fake_study.alive(kernel.pid):
                    await asyncio.sleep(0.05)
            cell.cancel()

    with template() as (warm, said):
        asyncio.run(left_alone())
        assert said == []  # that kernel had started well
        assert run(warm, PARENT) == [f"{os.getpid()}\n"]
    assert len(said) == 1


@pytest.mark.slow
def test_two_runs_at_a_time_are_not_in_each_others_way(template):
    with template() as (one, said):
        run(one, PARENT)
        with warm_kernels.warm_kernels(said.append) as other:

            async def side_by_side():
                async with started(one) as first:
                    async with started(other) as second:
                        parents = [await k.run(PARENT) for k in (first, second)]
                    other.close()
                    return [*parents, await first.run(PARENT)]

            first, second, again = asyncio.run(side_by_side())
    assert said == []
    assert first == again != second


@pytest.mark.slow
def test_kernels_that_start_at_the_same_time_share_a_template(template):
    with template() as (warm, said), ThreadPoolExecutor(3) as pool:
        warm.close()  # so that each of them finds none
        parents = list(pool.map(lambda _: run(warm, PARENT), range(3)))
    assert said == []
    assert len({parent for (parent,) in parents}) == 1


@pytest.mark.slow
def test_what_a_library_does_at_exit_is_done(template, tmp_path):
    note = tmp_path / "note"
    cell = f"import atexit, pathlib\natexit.register(pathlib.Path({str(note)!r}).touch)"
    with template() as (warm, said):
        run(warm, cell)
    assert note.exists()
    assert said == []


@pytest.mark.slow
def test_a_runner_killed_at_any_moment_leaves_nothing(tmp_path):
    # No signal handler runs, and no thread, while this is worked out.
    cell = (
        "import os\nopen('pids', 'w').write(f'{os.getpid()} {os.getppid()} ')\n"
        "9 ** 9 ** 9"
    )
    project = fake_study.make_project(tmp_path, pick_domain=cell)
    run = fake_study.start(project)
    pids = project / "pids"
    fake_study.until(lambda: (pids.exists() and pids.read_text()) or run.poll())
    kernel, template = map(int, pids.read_text().split())
    assert template != run.pid
    run.kill()
    run.wait()
    for pid in kernel, template:
        fake_study.until(lambda pid=pid: not fake_study.alive(pid), seconds=20)


@pytest.mark.slow
def test_a_runner_killed_while_its_template_imports_leaves_nothing(tmp_path):
    code = (
        "import time\n"
        "from phi_kit.study.notebook import warm_kernels\n"
        "warm_kernels.PRELOAD = ('toy_slow', 'toy_next')\n"
        "with warm_kernels.warm_kernels(print) as warm: time.sleep(60)"
    )
    note = tmp_path / "pid"
    slow = f"open({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(2)"
    (tmp_path / "toy_slow.py").write_text(f"import os, time\n{slow}")
    late = tmp_path / "late"
    (tmp_path / "toy_next.py").write_text(f"open({str(late)!r}, 'w')")
    environment = fake_study.environment()
    environment["PYTHONPATH"] += f":{tmp_path}"
    runner = subprocess.Popen([sys.executable, "-c", code], env=environment)
    fake_study.until(lambda: note.exists() and note.read_text())
    runner.kill()
    runner.wait()
    fake_study.until(lambda: not fake_study.alive(int(note.read_text())), seconds=10)
    assert not late.exists()  # it looks before it imports on


@pytest.mark.slow
def test_a_thousand_kernels_none_hangs_and_none_is_left(tensors):
    """Four at a time; a third ends by itself, is interrupted and is killed, each."""
    training = (
        "import numpy, os, random, torch\n"
        "torch.set_num_threads(2)\n"  # begins OpenMP's threads after the fork
        "x = torch.randn(512, 512, requires_grad=True)\n"
        "(x @ x).relu().sum().backward()\n"
        "assert x.grad.isfinite().all()\n"
        "print(os.getpid(), random.random(), numpy.random.rand(), torch.rand(1).item())"
    )

    async def one(number):
        async with started(tensors) as kernel:
            draws = await kernel.run(training)
            if number % 3:
                cell = await kernel.asleep()
            if number % 3 == 1:
                await kernel.manager.interrupt_kernel()
                assert await cell == "KeyboardInterrupt"
                assert await kernel.run("print('well')") == "well\n"
            if number % 3 == 2:
                assert await killed(kernel) == -signal.SIGKILL
                cell.cancel()
        return draws.split()

    with ThreadPoolExecutor(4) as pool:
        lines = list(pool.map(lambda n: asyncio.run(one(n)), range(KERNELS)))
    for draws in zip(*lines, strict=True):
        assert len(set(draws)) == KERNELS
    (pid,) = set(run(tensors, PARENT))
    children = Path(f"/proc/{int(pid)}/task/{int(pid)}/children").read_text()
    assert children == ""
    assert not [pid for pid, *_ in lines if fake_study.alive(int(pid))]


REAL = """
import gc, json, os, sys
print(json.dumps({
    "imported": sorted(sys.modules), "template": os.getppid(),
    "frozen": gc.get_freeze_count() > 0,
}))
"""


@pytest.mark.slow
def test_the_real_template_has_no_threads_of_its_own_to_lose(template):
    """OpenMP's would be missing in its forks, and they would wait for them."""
    with template(*PRELOAD) as (warm, said):
        (facts,) = map(json.loads, run(warm, REAL))
        threads = Path(f"/proc/{facts['template']}/task").glob("*/comm")
        names = sorted(path.read_text().strip() for path in threads)
    assert said == []
    assert {"torch", "transformers.trainer", "peft"} <= set(facts["imported"])
    assert facts["frozen"]
    # OpenBLAS has ended its own before the fork; jemalloc (pyarrow's) knows of forks.
    names = [name for name in names if name != "jemalloc_bg_thd"]
    assert len(names) == 1, names


@pytest.mark.slow
def test_nothing_that_asks_a_gpu_is_imported_where_there_is_one():
    code = (
        "import os, sys\n"
        "from phi_kit.study.notebook import kernel_template, warm_kernels\n"
        "kernel_template.has_gpu = lambda: True\n"
        "kernel_template.preload([*warm_kernels.PRELOAD], os.getppid())\n"
        "assert 'phi_kit.steps.probe_sft' in sys.modules\n"
        "print(*{*kernel_template.ASK_THE_GPU} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


CELLS = (
    "print('out')",
    "import sys\nprint('err', file=sys.stderr)",
    "import os\n_ = os.system('echo from another program')",
    "import subprocess\nprint(subprocess.run('pwd', capture_output=True).stdout)",
    "import warnings\nwarnings.warn('careful')",
    "import logging\nlogging.warning('more careful')",
    "from IPython.display import HTML\ndisplay(HTML('<b>rich</b>'))\n{'n': N}",
    "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2])",
    "try:\n    input()\nexcept Exception as error:\n    print(repr(error))",
    "print(__name__, get_ipython().execution_count, In[1], sys.argv[0])",
    "class Here: ...\nimport pickle\npickle.loads(pickle.dumps(Here())).__class__",
    "def fail():\n    return 1 / 0\nfail()",
)


def test_an_executed_notebook_is_as_a_cold_kernel_leaves_it(template, tmp_path):
    first = nbformat.v4.new_code_cell("N = 1", metadata={"tags": ["parameters"]})
    cells = [first, *map(nbformat.v4.new_code_cell, CELLS)]
    spec = {"name": "python3", "display_name": "", "language": "python"}
    book = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    nbformat.write(book, tmp_path / "book.ipynb")

    def executed(kernels):
        lines = []
        with pytest.raises(RunError) as stopped:
            execute(
                tmp_path / "book.ipynb",
                tmp_path / "done.ipynb",
                {"N": 2},
                out=LineWriter("", lines.append),
                warm=kernels,
            )
        done = nbformat.read(tmp_path / "done.ipynb", as_version=4)
        outputs = json.dumps([cell.get("outputs") for cell in done.cells])
        # IPython names the files of cells after the process.
        outputs = re.sub(r"ipykernel_\d+", "", outputs)
        return json.loads(outputs), lines, str(stopped.value)

    with template() as (warm, said):
        ours, theirs = executed(warm), executed(None)
    assert said == []
    assert len(ours[0]) >= len(CELLS)
    for mine, cold in zip(*(side[0] for side in (ours, theirs)), strict=True):
        assert mine == cold
    assert ours[1:] == theirs[1:]
    assert "ZeroDivisionError" in ours[2]
