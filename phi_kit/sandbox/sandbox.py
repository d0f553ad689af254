"""Runs untrusted code: every resource is bounded, no key and no service is reachable.

The strongest isolation that this machine allows is found once, by trying it:

- `namespaces`: no network, its own process numbers, a file system that holds
  the interpreter and a small folder in memory (`kernel_isolation.py`);
- `bubblewrap`: the same by `bwrap`, for kernels that let only it do this;
- `limits`: a temporary folder and rlimits.

Landlock and seccomp are used in all three where the kernel has them. `limits` is
used only with both of them: untrusted code is not run where nothing holds it, unless
`PHI_KIT_UNSAFE_CODE=1` asks for that. `isolation()` says what is in force and what it
leaves open; nothing is promised that was not tried. The environment that a program
sees is empty.

Not covered: a flaw in the kernel itself. Code written to break out on purpose
belongs in a virtual machine.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from phi_kit.core.errors import RunError

from . import supervisor
from .supervisor import FinishedRun, ProcessPair, RunnerProcess, TestsRun
from .visible_paths import (
    WORK,
    interpreter_is_public,
    package_folders,
    runner_command,
    visible_paths,
)

Mode = Literal["namespaces", "bubblewrap", "limits"]
Why = Literal["disk", "timeout", "killed"]
MODES: tuple[Mode, ...] = ("namespaces", "bubblewrap", "limits")
# Set to 1, untrusted code is run even where nothing holds it.
UNSAFE = "PHI_KIT_UNSAFE_CODE"
# Megabytes for trusted tests, which may need numpy.
_TESTS_MEMORY = 512


@dataclass(frozen=True)
class Limits:
    """What one run may use (kit defaults).

    Args:
        seconds: wall-clock time, start-up included.
        cpu: processor seconds.
        memory: megabytes of address space.
        output: kilobytes of printed text.
        disk: megabytes it may keep. In mode `limits`, where no file system of its
            own holds it, it is ended at the first look that finds more: until then
            it can write what 30 ms are enough for. Nothing stays in any mode.
        files: how many files it may make.
        processes: how many threads it may have (where a user's are counted).
        calls: how often tests may call a solution.
        value: kilobytes of one value that it returns.
        traffic: megabytes that tests and solution may send each other.
    """

    seconds: float = 6.0
    cpu: int = 3
    memory: int = 256
    output: int = 256
    disk: int = 16
    files: int = 1000
    processes: int = 32
    calls: int = 50_000
    value: int = 1024
    traffic: int = 16


@dataclass(frozen=True)
class Isolation:
    """What isolates a program on this machine."""

    mode: Mode
    landlock: int = 0
    seccomp: bool = False
    uid: int = 0
    refused: tuple[str, ...] = ()

    @property
    def network(self) -> bool:
        """Whether the network is out of reach."""
        return self.mode != "limits" or self.seccomp

    @property
    def processes(self) -> bool:
        """Whether nothing it starts can outlive it."""
        return self.mode != "limits" or self.seccomp

    @property
    def files(self) -> bool:
        """Whether files outside its folder are out of reach."""
        return self.mode != "limits" or self.landlock > 0

    @property
    def attributes(self) -> bool:
        """Whether modes, owners and times of files outside cannot be changed."""
        return self.mode != "limits" or self.seccomp

    @property
    def names(self) -> bool:
        """Whether it cannot be found out which files there are outside."""
        return self.mode != "limits"

    @property
    def holds(self) -> bool:
        """Whether untrusted code may be run in this isolation."""
        return self.network and self.processes and self.files and self.attributes

    def __str__(self) -> str:
        parts = [self.mode]
        parts += ["landlock"] if self.landlock else []
        parts += ["seccomp"] if self.seccomp else []
        open_ = [] if self.network else ["the network"]
        open_ += [] if self.files else ["files this user can read"]
        open_ += [] if self.attributes else ["modes and times of this user's files"]
        open_ += [] if self.processes else ["this user's processes"]
        open_ += [] if self.names else ["names, sizes and times of files"]
        warning = f" (NOT closed off: {', '.join(open_)})" if open_ else ""
        return "+".join(parts) + warning


@dataclass(frozen=True)
class Program:
    """A program and its input.

    Args:
        code: the program's text.
        stdin: what it reads.
    """

    code: str
    stdin: str = ""


@dataclass(frozen=True)
class ProgramRun:
    """What one run left behind.

    Args:
        status: `finished`, `timeout`, `output` (too much of it), `disk`,
            `killed` (by a signal) or `broken` (the isolation could not be set up).
        code: exit code; above 128 a signal's number plus 128.
        stdout: what it printed, cut at the limit; undecodable bytes replaced.
        answers: the messages of the result channel, in order.
        seconds: how long it took.
    """

    status: Literal["finished", "timeout", "output", "disk", "killed", "broken"]
    code: int
    stdout: str
    answers: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0


def run_program(
    program: Program,
    limits: Limits = Limits(),
    *,
    mode: Mode | None = None,
    filters: bool = True,
) -> ProgramRun:
    """Run a program in the sandbox; this returns in bounded time whatever it does.

    Args:
        program: the program and its input.
        limits: what it may use.
        mode: which isolation; the strongest that works if not given.
        filters: whether Landlock and seccomp are used too; False is for tests.

    Raises:
        RunError: nothing would hold it on this machine, or no room to work.
    """
    mode = mode or _safe_mode()
    work, started = _work_folder(mode), time.monotonic()
    nonce = secrets.token_hex(16)
    job = _runner_job(limits, mode=mode, work=work) | {"nonce": nonce}
    job |= {"kind": "program", "code": program.code, "filters": filters}
    try:
        ended = supervisor.run_to_end(
            runner_command(mode, disk=limits.disk, packages={}),
            json.dumps(job).encode(),
            _bytes(program.stdin),
            limits=limits,
        )
    finally:
        if mode == "limits":
            supervisor.remove_folder(Path(work))
    return _collect(ended, limits, nonce=nonce, seconds=time.monotonic() - started)


def run_tests(
    tests: dict[str, Any],
    solution: dict[str, Any],
    limits: Limits = Limits(),
    *,
    needs: tuple[str, ...] = (),
    mode: Mode | None = None,
) -> TestsRun:
    """Run tests and the solution that they call, each in a sandbox of its own.

    Args:
        tests: the tests' job; the solution sees nothing of it.
        solution: the solution's job.
        limits: what the solution may use; time and traffic are for both.
        needs: packages that the tests import beside the standard library.
        mode: which isolation; the strongest that works if not given.

    Raises:
        RunError: nothing would hold it on this machine, or no room to work.
    """
    mode = mode or _safe_mode()
    packages = {k: v for name in needs for k, v in package_folders(name).items()}
    roomy = replace(limits, memory=_TESTS_MEMORY, cpu=int(limits.seconds) + 1)
    bounds = {
        "value": limits.value << 10,
        "calls": limits.calls,
        "traffic": limits.traffic << 20,
    }
    with ExitStack() as stack:
        to, back = (stack.enter_context(supervisor.pipe()) for _ in range(2))
        sides = (
            ("tests", tests | bounds, roomy, packages, (back.source, to.into)),
            ("solution", solution, limits, {}, (to.source, back.into)),
        )
        processes, folder = [], None
        for kind, side_job, room, packages, pipes in sides:
            work, nonce = _work_folder(mode), secrets.token_hex(16)
            if mode == "limits":
                folder = Path(work)
                stack.callback(supervisor.remove_folder, folder)
            job = _runner_job(room, mode=mode, work=work, packages=packages)
            job |= {**side_job, "kind": kind, "nonce": nonce, "filters": True}
            process = supervisor.start_runner(
                runner_command(mode, disk=limits.disk, packages=packages),
                json.dumps(job).encode(),
                pipes=pipes,
            )
            processes.append((stack.enter_context(process), nonce))
        # While they are open here too, neither side sees that the other is gone.
        to.close()
        back.close()
        result = ProcessPair(*processes, limits, folder).run()
    return _with_exit_reason(result, processes[1][0], limits)


def _with_exit_reason(
    result: TestsRun, solution: RunnerProcess, limits: Limits
) -> TestsRun:
    """The result, with the reason why a solution is gone if a signal ended it."""
    verdict = result.verdict
    if not verdict or not verdict.get("gone") or solution.code <= 128:
        return result
    return replace(result, verdict=None, stopped=_why_killed(solution, limits))


def _why_killed(
    ended: RunnerProcess | FinishedRun, limits: Limits
) -> Literal["disk", "timeout", "killed"]:
    """Why a signal ended a program: a limit of its own, or something else."""
    if ended.code == 128 + signal.SIGXFSZ:
        return "disk"
    spent = ended.code == 128 + signal.SIGXCPU or ended.cpu >= limits.cpu
    return "timeout" if spent else "killed"


@cache
def isolation() -> Isolation:
    """The strongest isolation that works here, found by running `1 + 1` in it.

    Raises:
        RunError: none works.
    """
    refused = []
    for mode in MODES:
        try:
            # The import shows that the library can be read from inside.
            done = run_program(Program("import decimal\nprint(1 + 1)"), mode=mode)
        except (RunError, OSError) as error:
            refused.append(f"{mode}: {error}")
            continue
        first = done.answers[0] if done.answers else {}
        if first.get("ready") and done.stdout == "2\n":
            in_force = {name: first[name] for name in ("landlock", "seccomp", "uid")}
            return Isolation(mode, refused=tuple(refused), **in_force)
        refused.append(f"{mode}: {first.get('words', done.status)}")
    raise RunError(
        "code cannot be run safely on this machine",
        where="; ".join(refused),
        todo="use Linux (or WSL, or a container), or leave coding out of the study",
    )


def _safe_mode() -> Mode:
    """The mode in which untrusted code runs."""
    strongest = isolation()
    if not strongest.holds and os.environ.get(UNSAFE) != "1":
        raise RunError(
            f"nothing here would hold code that nobody has read: {strongest}",
            where="; ".join(strongest.refused),
            todo="use Linux 5.13 or newer with Landlock and seccomp, user namespaces "
            f"or bubblewrap; or set {UNSAFE}=1 to run it all the same",
        )
    return strongest.mode


def in_force() -> str:
    """The isolation of what this process has run; empty if it has run nothing."""
    return str(isolation()) if isolation.cache_info().currsize else ""


def _bytes(text: str) -> bytes:
    """A text as the program reads it; half a surrogate pair is a question mark."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _work_folder(mode: Mode) -> str:
    if os.name != "posix":
        raise RunError(
            "the sandbox needs a POSIX system",
            where=sys.platform,
            todo="use Linux, macOS, WSL or a container",
        )
    if mode == "bubblewrap" and not shutil.which("bwrap"):
        raise RunError("there is no bwrap on the PATH", todo="install bubblewrap")
    if mode != "limits":
        return WORK
    # As the kernel names it, without links.
    return os.path.realpath(tempfile.mkdtemp(prefix="phi-kit-sandbox-"))


def _runner_job(
    limits: Limits, *, mode: Mode, work: str, packages: dict[str, str] | None = None
) -> dict[str, Any]:
    """The part of a runner's job that says how to isolate it."""
    # A user id that nobody else has, and that owns no files.
    uid = 1 << 30 | secrets.randbelow(1 << 29) if os.getuid() == 0 else 0
    packages = packages or {}
    # Python has to list the folder that a package lies in.
    paths = packages.values() if mode == "limits" else packages
    folders = sorted({str(Path(path).parent) for path in paths})
    return {
        "mode": mode,
        "work": work,
        "uid": uid if mode != "limits" or interpreter_is_public() else 0,
        "visible": visible_paths(),
        "shown": packages,
        "packages": folders,
        "readable": [*visible_paths(), *folders],
        "quota": {"megabytes": limits.disk, "files": limits.files},
        "processes": limits.processes,
        "seconds": limits.seconds,
        "host": os.getpid(),
        "limits": {
            "seconds": limits.cpu,
            "megabytes": limits.memory,
            "file_megabytes": limits.disk,
        },
    }


def _collect(
    ended: FinishedRun, limits: Limits, *, nonce: str, seconds: float
) -> ProgramRun:
    """The result of a run; lines without the nonce are not the runner's."""
    answers = []
    for line in ended.answers.splitlines():
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        # A program that finds the nonce can write here too: only objects count.
        if isinstance(message, dict) and message.pop("nonce", None) == nonce:
            answers.append(message)
    status = ended.stopped or "finished"
    if not answers or answers[0].get("ready") is not True:
        status = "broken" if not ended.stopped else status
    elif ended.code > 128 and not ended.stopped:
        status = _why_killed(ended, limits)
    text = ended.stdout.decode("utf-8", "replace")
    return ProgramRun(status, ended.code, text, tuple(answers), round(seconds, 3))
