"""Ways out of the sandbox, each tried alone; and what has to stay possible."""

from __future__ import annotations

import os
import platform
import re
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from phi_kit.sandbox.inside.system_calls import ALLOWED, CHOSEN, OWN_FILES, PID
from phi_kit.sandbox.inside.system_calls import filter_program as filter_of
from phi_kit.sandbox.sandbox import Program, run_program

from .escapes import DAILY, ESCAPES, NUMBERS, program
from .modes import host, mode

__all__ = ["host", "mode"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def escape(name, host, mode):
    done = run_program(Program(program(name, host), stdin="ab"), mode=mode)
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
    assert run_program(Program(code), mode=mode).stdout == "all\n"


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


def decided(lines, audit, number, *given):
    """What the kernel makes of a filter: allowed, or the error's number."""
    data = struct.pack("IIQ6Q", number, audit, 0, *[*given, *[0] * 6][:6])
    at, value = 0, 0
    while True:
        code, yes, no, operand = lines[at]
        at += 1
        if code == 0x20:
            (value,) = struct.unpack_from("I", data, operand)
        elif code == 0x54:
            value &= operand
        elif code == 0x06:
            return operand == 0x7FFF0000 or operand & 0xFFFF
        else:
            tests = {0x15: value == operand, 0x35: value >= operand}
            at += yes if (tests | {0x45: bool(value & operand)})[code] else no


@pytest.mark.parametrize(
    ("machine", "audit", "column"),
    [("x86_64", 0xC000003E, 0), ("aarch64", 0xC00000B7, 1)],
)
def test_the_filter_of_every_machine(machine, audit, column):
    lines = filter_of(machine, 77, own_files=False)

    def made(pair, *given):
        return decided(lines, audit, pair[column], *given)

    for pair in ALLOWED.values():
        assert pair[column] < 0 or made(pair) is True
    for pair in OWN_FILES.values():
        assert pair[column] < 0 or made(pair) == 1
        whole = filter_of(machine, 77, own_files=True)
        assert pair[column] < 0 or decided(whole, audit, pair[column]) is True
    for pair, place, values in CHOSEN.values():
        before = [0] * place
        for value in values:
            assert made(pair, *before, 77 if value == PID else value) is True
        assert made(pair, *before, 78) == 1
        assert made(pair, *before, 2**32 - 1) == 1
    openat, clone, sendto = (257, 56), (56, 220), (44, 206)
    for flags in (0, 1, 2, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, os.O_CLOEXEC):
        assert made(openat, 0, 0, flags) is True
    for flags in (3, os.O_TRUNC, os.O_TRUNC | os.O_CREAT):
        assert made(openat, 0, 0, flags) == 1
    assert made(clone, 0x3D0F00) is True
    for flags in (17, 0x11, 0x4111, 0x100, 0x10010000 | 0x3D0F00, 0x20010000):
        assert made(clone, flags) == 1
    assert made(sendto, 3, 0, 1, 0, 0) is True
    assert made(sendto, 3, 0, 1, 0, 1) == made(sendto, 3, 0, 1, 0, 1 << 32) == 1
    assert [decided(lines, audit, n) for n in (435, 437, 999, 1 << 30)] == [38] * 3 + [
        1
    ]
    assert decided(lines, 0x40000003, 0) == 0  # another architecture's: killed


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
    done = run_program(Program(HARMLESS[name]), mode=mode)
    assert (done.status, done.stdout) == ("finished", "1\n"), done
