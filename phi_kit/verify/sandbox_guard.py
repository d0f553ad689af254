"""Runs one program behind the walls: the inside half of `sandbox.py`.

A script of its own, standard library only, started with `python -I -S`. It
reads a job (JSON) from one descriptor and answers on another, JSON lines marked
with the job's nonce; both numbers are its last arguments. Expected values are not
part of a job: what the program returns is sent out and compared outside, so a
program that takes this file apart gains nothing.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_DEPTH = 50


def encode(value: Any, depth: int = 0) -> list:
    """Plain data as tagged JSON; `["?", type]` for anything else.

    Exact types only: a subclass could bring its own `__eq__`.
    """
    kind = type(value)
    if depth > _DEPTH:
        return ["?", "too deeply nested"]
    if value is None or kind in (bool, str):
        return ["=", value]
    if kind is int:
        return ["i", hex(value)]  # decimal digits are limited to 4300
    if kind is float:
        return ["f", value.hex()]
    if kind is complex:
        return ["c", value.real.hex(), value.imag.hex()]
    if kind in (bytes, bytearray):
        return ["y", bytes(value).hex()]
    if kind in (list, tuple, set, frozenset):
        return [kind.__name__, [encode(one, depth + 1) for one in value]]
    if kind is dict:
        pairs = value.items()
        return [
            "dict",
            [[encode(k, depth + 1), encode(v, depth + 1)] for k, v in pairs],
        ]
    return ["?", kind.__name__]


def _fault(error: BaseException) -> dict[str, str]:
    try:
        words = str(error)[:200]
    except BaseException:
        words = ""
    return {"error": type(error).__name__[:80], "words": words}


def _calls(job: dict, answer) -> None:
    """Load the solution, then evaluate each call in it."""
    space = {"__name__": "solution", "__builtins__": __builtins__}
    try:
        exec(compile(job["setup"], "<setup>", "exec"), space)
        exec(compile(job["code"], "<solution>", "exec"), space)
    except BaseException as error:
        answer(loaded=False, **_fault(error))
        return
    answer(loaded=True)
    for index, call in enumerate(job["calls"]):
        try:
            answer(index=index, value=encode(eval(call, space)))
        except BaseException as error:
            answer(index=index, **_fault(error))
    os._exit(0)  # threads that run on change nothing any more


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


def _walls(job: dict, walls: Any) -> dict[str, Any]:
    """Raise the inner walls and say which ones stand."""
    walls.limit(**job["limits"])
    standing = {"landlock": 0, "seccomp": False, "uid": os.getuid()}
    if sys.platform.startswith("linux"):
        walls.become_nobody(job["uid"], job["work"])
        walls.die_with_parent()
        walls.no_new_rights()
        if job["filters"]:
            standing["landlock"] = walls.landlock(job["visible"], job["work"])
            standing["seccomp"] = walls.seccomp()
    # Counted per user: a user of its own has no other processes to count.
    if job["uid"] or not standing["seccomp"]:
        walls.limit_processes(job["processes"])
    return standing | {"uid": os.getuid()}


def _fork_inside(*descriptors: int) -> None:
    """Only a child is inside the new process namespace; the parent waits."""
    child = os.fork()
    if child:
        for descriptor in descriptors:
            os.close(descriptor)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else 128 - code)


def main() -> None:
    """One job, from the first byte read to the last answer sent."""
    here, (source, fd) = sys.argv[1], map(int, sys.argv[2:])
    sys.path.insert(0, here)
    import sandbox_walls as walls

    sys.path.remove(here)
    with os.fdopen(source, encoding="utf-8") as file:
        job = json.load(file)
    send, nonce, dumps = os.write, job.pop("nonce"), json.dumps

    def answer(**words: Any) -> None:
        line = (dumps({"nonce": nonce, **words}) + "\n").encode()
        while line:
            line = line[send(fd, line) :]

    try:
        if job["mode"] == "namespaces":
            walls.separate(job["visible"], **job["quota"])
            _fork_inside(0, 1, 2, fd)
        os.chdir(job["work"])
        answer(ready=True, **_walls(job, walls))
    except (OSError, ValueError, MemoryError) as error:
        answer(ready=False, **_fault(error))
        os._exit(70)
    sys.setrecursionlimit(1000)
    sys.argv = ["solution.py"]
    (_calls if job["kind"] == "calls" else _program)(job, answer)


if __name__ == "__main__":
    main()
