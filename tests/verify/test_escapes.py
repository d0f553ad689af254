"""Ways out of the sandbox, each tried alone; and what has to stay possible."""

from __future__ import annotations

import os
import platform
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from phi_kit.verify.sandbox import Job, run
from phi_kit.verify.sandbox_calls import ALLOWED, CHOSEN, OWN_FILES

from .escapes import DAILY, ESCAPES, NUMBERS, program
from .walls import host, mode

__all__ = ["host", "mode"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux walls")


def escape(name, host, mode):
    done = run(Job(program(name, host), stdin="ab"), mode=mode)
    assert "GOT OUT" not in done.stdout, name
    assert (done.code, done.stdout[:8]) == (1, "refused:"), (name, done)


@pytest.fixture
def untouched(host):
    """That nothing of the host's is another afterwards."""
    secret, pid = host["canary"] / "secret", host["pid"]

    def state():
        affinity, nice = os.sched_getaffinity(pid), os.getpriority(os.PRIO_PROCESS, pid)
        told = secret.stat()
        return told.st_mode, told.st_mtime, told.st_uid, affinity, nice

    before = state()
    yield
    assert state() == before


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of its calls")
@pytest.mark.parametrize("name", DAILY)
def test_nothing_gets_out(name, host, mode, untouched):
    escape(name, host, mode)


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of its calls")
def test_nothing_gets_out_in_any_other_way(host, mode, untouched):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: escape(name, host, mode), ESCAPES.keys() - DAILY))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of its calls")
def test_a_call_that_is_not_on_the_list_is_refused(mode):
    listed = [*ALLOWED.values(), *OWN_FILES.values(), (2, 0), (257, 0), (56, 0)]
    listed += [numbers for numbers, *_ in CHOSEN.values()]
    # sendto; uretprobe and uprobe, which no filter sees: they only end who calls.
    spared = {pair[0] for pair in listed} | {44, 335, 336}
    code = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for number in set(range(1024)) - {spared!r}:
    for given in (0, -1):
        done = libc.syscall(number, *[ctypes.c_long(given)] * 6)
        if done >= 0 or ctypes.get_errno() not in (1, 38):
            print(number, done, ctypes.get_errno())
print("all")
"""
    assert run(Job(code), mode=mode).stdout == "all\n"


def test_the_numbers_of_calls_are_the_kernels():
    headers = ("x86_64-linux-gnu/asm/unistd_64.h", "asm-generic/unistd.h")
    paths = [Path("/usr/include", name) for name in headers]
    if not all(path.exists() for path in paths):
        pytest.skip("no headers here")
    ours = {name: pair for name, (pair, *_) in CHOSEN.items()} | ALLOWED | OWN_FILES
    for column, path in enumerate(paths):
        found = re.findall(r"define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text())
        real = {name: int(number) for name, number in found}
        real.setdefault("newfstatat", real.get("fstatat"))
        for name, pair in ours.items():
            assert pair[column] in (real.get(name), -1), name
        if column == 0:
            # The kernel may be newer than the headers.
            wrong = {n: v for n, v in NUMBERS.items() if real.get(n, v) != v}
            assert set(wrong) <= {"landlock", "sched_rr"}


HARMLESS = {
    "asyncio": "import asyncio\nprint(asyncio.run(asyncio.sleep(0.01, 1)))",
    "sqlite": """
import sqlite3
with sqlite3.connect("x.db") as base:
    base.execute("create table a (b)")
    base.execute("insert into a values (1)")
print(base.execute("select b from a").fetchone()[0])
""",
    "files": """
import os, shutil, tempfile
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "a")
    open(path, "w").write("1")
    shutil.copyfile(path, "b")
shutil.move("b", "c")
print(open("c").read())
os.remove("c")
""",
    "signals": """
import os, signal, time
told = []
signal.signal(signal.SIGALRM, lambda *_: told.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.01)
time.sleep(0.03)
os.kill(os.getpid(), signal.SIGALRM)
print(len(told) // 2)
""",
    "a deep stack": """
import sys, threading
sys.setrecursionlimit(10 ** 5)
threading.stack_size(1 << 26)
def f(n):
    return 1 if n == 0 else f(n - 1)
worker = threading.Thread(target=lambda: print(f(20000)))
worker.start()
worker.join()
""",
    "the system": """
import os, platform, resource, select, mmap, uuid, faulthandler
faulthandler.enable()
r, w = os.pipe()
os.write(w, b"1")
select.select([r], [], [], 1)
resource.setrlimit(resource.RLIMIT_STACK, resource.getrlimit(resource.RLIMIT_STACK))
mmap.mmap(-1, 4096)[:1] = b"1"
print(platform.system() and os.cpu_count() and uuid.uuid4() and os.read(r, 1).decode())
""",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_programs_need_is_allowed(name, mode):
    done = run(Job(HARMLESS[name]), mode=mode)
    assert (done.status, done.stdout) == ("finished", "1\n"), done
