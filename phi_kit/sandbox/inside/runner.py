"""Runs one program behind the walls: the inside half of `sandbox.py`.

A script of its own, standard library only, started with `python -I -S`. It
reads a job (JSON) from one descriptor and answers on another, JSON lines marked
with the job's nonce; both numbers are arguments. A job is a program, or one side
of a code item: its tests, or the solution that they ask. These talk to each other
over two more descriptors. What is expected is never part of
a solution's job, so one that takes this file apart gains nothing.
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


def _fault(error: BaseException) -> dict[str, str]:
    try:
        words = str(error)[:200]
    except BaseException:
        words = ""
    return {"error": type(error).__name__[:80], "words": words}


def _program(job: dict, answer) -> None:
    """Run the program as a script would be run."""
    space = {"__name__": "__main__", "__builtins__": __builtins__}
    try:
        exec(compile(job["code"], "<program>", "exec"), space)
    except SystemExit:
        raise
    except BaseException as error:
        answer(**_fault(error))
        sys.exit(1)


def _side(side: Any, job: dict, pipes: list[int], answer) -> None:
    """One side of a conversation: a line out, a line in, as often as need be."""
    write, dumps, into = os.write, json.dumps, pipes[1]
    lines = os.fdopen(pipes[0], "rb")

    def send(message: dict) -> None:
        line = dumps(message).encode() + b"\n"
        while line:
            line = line[write(into, line) :]

    side.converse(job, send, lines.readline, answer)
    os._exit(0)  # threads that run on change nothing any more


def _package(here: str) -> Callable[[str], Any]:
    """Imports this file's neighbours, as a package of their own.

    Not by `sys.path`: some are named as parts of the standard library are.
    """
    package = type(sys)("walled")
    package.__path__ = [here]
    sys.modules["walled"] = package
    return lambda name: getattr(__import__(f"walled.{name}"), name)


def _walls(job: dict, walls: Any, calls: Any) -> dict[str, Any]:
    """Raise the inner walls and say which ones stand."""
    walls.limit(**job["limits"])
    standing = {"landlock": 0, "seccomp": False, "uid": os.getuid()}
    if sys.platform.startswith("linux"):
        walls.no_new_rights()
        if job["filters"]:
            standing["landlock"] = walls.landlock(job["readable"], job["work"])
            standing["seccomp"] = calls.seccomp(own_files=job["mode"] != "limits")
    # Counted per user: a user of its own has no other processes to count.
    if job["uid"] or not standing["seccomp"]:
        walls.limit_processes(job["processes"])
    return standing | {"uid": os.getuid()}


def main() -> None:
    """One job, from the first byte read to the last answer sent."""
    here, (source, fd, *pipes) = sys.argv[1], map(int, sys.argv[2:])
    with os.fdopen(source, encoding="utf-8") as file:
        job = json.load(file)
    load = _package(here)
    walls, calls = load("kernel_isolation"), load("system_calls")
    keeper = load("watchdog")
    # All that is needed, while the files can still be seen.
    sides = {"solution": "solution", "tests": "tester"}
    side = load(sides[job["kind"]]) if pipes else None
    send, nonce, dumps = os.write, job["nonce"], json.dumps

    def answer(**words: Any) -> None:
        line = (dumps({"nonce": nonce, **words}) + "\n").encode()
        while line:
            line = line[send(fd, line) :]

    try:
        if job["mode"] == "namespaces":
            walls.separate(job["visible"], job["shown"], **job["quota"])
        keeper.keep(job, 0, 1, 2, fd, *pipes)
        os.chdir(job["work"])
        answer(ready=True, **_walls(job, walls, calls))
    except (OSError, ValueError, MemoryError) as error:
        answer(ready=False, **_fault(error))
        os._exit(70)
    sys.setrecursionlimit(1000)
    sys.argv = ["solution.py"]
    builtins.exit = builtins.quit = sys.exit  # `-S` leaves them out
    if pipes:
        _side(side, job, pipes, answer)
    else:
        _program(job, answer)


if __name__ == "__main__":
    main()
