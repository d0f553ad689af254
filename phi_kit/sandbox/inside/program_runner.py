"""Runs one program in the sandbox: the inside half of `sandbox.py`.

A script of its own, standard library only, started with `python -I -S`. It
reads a job (JSON) from one descriptor and answers on another, JSON lines marked
with the job's nonce; both numbers are arguments. A job is a program, or one side
of a code item: its tests, or the solution that the tests call. The two sides talk
over two more descriptors. What is expected is never part of a solution's job, so a
solution that takes this file apart gains nothing.
"""

from __future__ import annotations

import builtins
import json
import os
import sys

TYPE_CHECKING = False  # loading `typing` takes longer than a small solution
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _describe_error(error: BaseException) -> dict[str, str]:
    try:
        words = str(error)[:200]
    except BaseException:
        words = ""
    return {"error": type(error).__name__[:80], "words": words}


def _run_program(job: dict, answer) -> None:
    """Run the program as a script would be run."""
    namespace = {"__name__": "__main__", "__builtins__": __builtins__}
    try:
        exec(compile(job["code"], "<program>", "exec"), namespace)
    except SystemExit:
        raise
    except BaseException as error:
        answer(**_describe_error(error))
        sys.exit(1)


def _run_side(side: Any, job: dict, pipes: list[int], answer) -> None:
    """Run one side of a code item: JSON lines to and from the other side."""
    write, dumps, target = os.write, json.dumps, pipes[1]
    lines = os.fdopen(pipes[0], "rb")

    def send(message: dict) -> None:
        line = dumps(message).encode() + b"\n"
        while line:
            line = line[write(target, line) :]

    side.run_side(job, send, lines.readline, answer)
    os._exit(0)  # threads that still run change nothing any more


def _package_loader(folder: str) -> Callable[[str], Any]:
    """A function that imports this file's neighbours, as the package `inside`.

    They are not found by `sys.path`: some are named like modules of the standard
    library.
    """
    package = type(sys)("inside")
    package.__path__ = [folder]
    sys.modules["inside"] = package
    return lambda name: getattr(__import__(f"inside.{name}"), name)


def _isolate(job: dict, kernel: Any, calls: Any) -> dict[str, Any]:
    """Set the limits and filters, and say which of them are in force."""
    kernel.set_limits(**job["limits"])
    in_force = {"landlock": 0, "seccomp": False, "uid": os.getuid()}
    if sys.platform.startswith("linux"):
        kernel.no_new_privileges()
        if job["filters"]:
            readable, work = job["readable"], job["work"]
            own_files = job["mode"] != "limits"
            in_force["landlock"] = kernel.restrict_files(readable, work)
            in_force["seccomp"] = calls.restrict_system_calls(own_files=own_files)
    # Counted per user: a user of its own has no other processes to count.
    if job["uid"] or not in_force["seccomp"]:
        kernel.limit_processes(job["processes"])
    return in_force | {"uid": os.getuid()}


def main() -> None:
    """Run one job, from the first byte read to the last answer sent."""
    folder, (source, answers, *pipes) = sys.argv[1], map(int, sys.argv[2:])
    with os.fdopen(source, encoding="utf-8") as file:
        job = json.load(file)
    load = _package_loader(folder)
    kernel, calls = load("kernel_isolation"), load("system_calls")
    watchdog = load("watchdog")
    # Everything is loaded while the files can still be seen.
    sides = {"solution": "solution", "tests": "tester"}
    side = load(sides[job["kind"]]) if pipes else None
    write, nonce, dumps = os.write, job["nonce"], json.dumps

    def answer(**fields: Any) -> None:
        line = (dumps({"nonce": nonce, **fields}) + "\n").encode()
        while line:
            line = line[write(answers, line) :]

    try:
        if job["mode"] == "namespaces":
            kernel.enter_namespaces(job["visible"], job["shown"], **job["quota"])
        watchdog.fork_program(job, 0, 1, 2, answers, *pipes)
        os.chdir(job["work"])
        answer(ready=True, **_isolate(job, kernel, calls))
    except (OSError, ValueError, MemoryError) as error:
        answer(ready=False, **_describe_error(error))
        os._exit(70)
    sys.setrecursionlimit(1000)
    sys.argv = ["solution.py"]
    builtins.exit = builtins.quit = sys.exit  # `-S` leaves them out
    if pipes:
        _run_side(side, job, pipes, answer)
    else:
        _run_program(job, answer)


if __name__ == "__main__":
    main()
