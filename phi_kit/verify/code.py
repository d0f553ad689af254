"""Code: does it pass its tests, or: what does it print?

Which of the two an item asks is in `Seed.extra`:

- `tests`: `assert` lines about one function (`setup`: lines that come first;
  `entry`: the function's name, for HumanEval's `check(candidate)`);
- `cases`: `{"stdin": …, "stdout": …}` for a program that reads and prints;
- neither: output prediction, the printed text is the gold answer.

A response is run only in the sandbox, and what it computed is compared outside
it (`code_tests.py`): printing a success, leaving early, or objects that equal
everything change nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from typing import Any

from phi_kit.core.errors import RunError
from phi_kit.data.records import Seed

from .base import NO_ANSWER, Case, Value, Verdict, visible
from .code_tests import Check, NotPlainError, UnreadableTestError, checks, decode
from .sandbox import Job, Limits, Run, isolation, run

LIMITS = Limits()
_FENCE = re.compile(
    r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.M | re.S
)
_CLOSED = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*```", re.M | re.S)
_PYTHON = ("", "python", "python3", "py", "Python")
_STARTS = re.compile(r"^(?:def|class|import|from|async def|@|print\(|for |while |if )")
_SAYS = re.compile(
    r"(?:answer|output|result|prints?|printed|displays?)(?:\s+is)?\s*:?\s+(.+)\Z",
    re.I | re.S,
)
_MARK = re.compile(
    r"\A(?:the\s+)?(?:final\s+)?(?:answer|output)(?:\s+is)?\s*:\s*", re.I
)
# How a run that gave no value ended, for the reader of a table.
_ENDS = {
    "timeout": "out of time",
    "output": "too much output",
    "disk": "wrote too much",
    "killed": "killed",
}
_FORBIDDEN = ("PermissionError", "BlockingIOError")

# What one candidate program earned: strictly, loosely, and why.
Outcome = tuple[Value, Value, str]


def verify(seed: Seed, response: str) -> Verdict:
    """Run a response's code against the item's tests, or compare a printed text.

    Returns:
        `unknown` if the tests cannot be read or no sandbox works here.
    """
    facts, text = seed.facts, visible(response)
    if not facts.get("tests") and not facts.get("cases"):
        return _predicted(seed.answer, text)
    try:
        judge = _judge(facts)
        strict, loose = block(text), blocks(text)
        if strict is None and loose is None:
            return Verdict("wrong", NO_ANSWER)
        outcome = judge(strict) if strict is not None else ("wrong", "wrong", NO_ANSWER)
        value, lenient, reason = outcome
        if lenient == "wrong" and loose is not None and loose != strict:
            _, lenient, other = judge(loose)
            reason = other if strict is None and lenient != "right" else reason
        return Verdict(value, reason, strict or loose or "", lenient)
    except UnreadableTestError as error:
        return Verdict("unknown", f"the item's tests cannot be read: {error}")
    except RunError as error:
        return Verdict("unknown", f"no sandbox: {error.what}")


def _judge(facts: dict[str, Any]) -> Callable[[str], Outcome]:
    setup = str(facts.get("setup", ""))
    if facts.get("tests"):
        asked = checks(facts["tests"], str(facts.get("entry") or ""))
        return lambda code: _function(code, asked, setup)
    cases = facts["cases"]
    if not isinstance(cases, list) or not all(
        isinstance(case, dict) and {"stdin", "stdout"} <= case.keys() for case in cases
    ):
        raise UnreadableTestError("a case needs stdin and stdout")
    return lambda code: _program(code, cases, setup)


def block(text: str) -> str | None:
    """The code a response presents: its last fenced block, or all of it."""
    fenced = [code for kind, code in _CLOSED.findall(text) if kind in _PYTHON]
    if fenced:
        return fenced[-1]
    return text if "```" not in text and _is_code(text) else None


def blocks(text: str) -> str | None:
    """The code anywhere in a response: every block together, or its code lines."""
    fenced = [code for kind, code in _FENCE.findall(text) if kind in _PYTHON]
    if fenced:
        return "\n".join(fenced)
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if _STARTS.match(line)]
    for start in starts[:5]:
        for end in range(len(lines), max(start, len(lines) - 20), -1):
            code = "\n".join(lines[start:end])
            if _is_code(code):
                return code
    return None


def _is_code(text: str) -> bool:
    """Whether it is Python that does something; `Sure` alone is a valid name."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    does = (ast.Call, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.Lambda)
    return any(isinstance(part, does) for node in body for part in ast.walk(node))


def _function(code: str, asked: Sequence[Check], setup: str) -> Outcome:
    job = Job(code, calls=tuple(check.call for check in asked), setup=setup)
    done = run(job, LIMITS)
    _stands(done)
    told = {answer["index"]: answer for answer in done.answers if "index" in answer}
    loaded = next((a for a in done.answers if "loaded" in a), None)
    if loaded is not None and loaded["loaded"] is not True:
        return "wrong", "wrong", _with_walls(f"does not load: {_fault(loaded)}")
    strict: Value = "right"
    reason = f"passes {len(asked)} of {len(asked)} tests"
    for index, check in enumerate(asked):
        ok, loosely, why = _passes(check, told.get(index), done)
        if not ok and strict == "right":
            strict = "wrong"
            reason = f"test {index + 1} of {len(asked)}: {check.call[:80]} {why}"
        if not loosely:
            return "wrong", "wrong", _with_walls(reason)
    return strict, "right", _with_walls(reason)


def _passes(check: Check, told: dict | None, done: Run) -> tuple[bool, bool, str]:
    if told is None:
        return False, False, _ENDS.get(done.status, "ended before it answered")
    if "value" not in told:
        return False, False, f"raised {_fault(told)}"
    try:
        found = decode(told["value"])
    except NotPlainError as error:
        return False, False, f"gave {error}, not plain data"
    why = f"gave {_brief(found)}, not {_brief(check.expected)}"
    return check.passes(found), check.passes(found, loosely=True), why


def _brief(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes out no integer of more than 4300 digits
        text = "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fault(told: dict) -> str:
    name, words = str(told.get("error", "?")), str(told.get("words", ""))
    if name == "MemoryError":
        return "MemoryError: out of memory"
    note = " (forbidden in the sandbox)" if name in _FORBIDDEN else ""
    return f"{name}: {words}"[:120].rstrip(": ") + note


def _program(code: str, cases: Sequence[dict], setup: str) -> Outcome:
    strict: Value = "right"
    reason = f"passes {len(cases)} of {len(cases)} cases"
    for number, case in enumerate(cases, 1):
        done = run(Job(code, setup=setup, stdin=str(case["stdin"])), LIMITS)
        _stands(done)
        why = _ended(done)
        if not why and lines(done.stdout) != lines(str(case["stdout"])):
            why = f"printed {_brief(done.stdout)}, not {_brief(case['stdout'])}"
        if why and strict == "right":
            strict, reason = "wrong", f"case {number} of {len(cases)}: {why}"
        if _ended(done) or done.stdout.split() != str(case["stdout"]).split():
            return "wrong", "wrong", _with_walls(reason)
    return strict, "right", _with_walls(reason)


def _ended(done: Run) -> str:
    """Why a program did not end well, if so."""
    if done.status in _ENDS:
        return _ENDS[done.status]
    faults = [answer for answer in done.answers if "error" in answer]
    if done.code:
        return f"raised {_fault(faults[-1])}" if faults else f"exited with {done.code}"
    return ""


def _stands(done: Run) -> None:
    if done.status == "broken":
        why = done.answers[0].get("words", "") if done.answers else ""
        raise RunError(f"the sandbox did not start: {why}")


def _with_walls(reason: str) -> str:
    return f"{reason} [{isolation()}]"


def lines(text: str) -> list[str]:
    """Printed text as it is compared: no blanks at the ends of lines or text."""
    # Not `splitlines`: a vertical tab that is printed is no new line.
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _predicted(gold: str, text: str) -> Verdict:
    """Exactly the text that is printed; leniently also inside a sentence."""
    if not gold.strip():
        return Verdict("unknown", "the gold output is empty")
    fenced = [code for _, code in _CLOSED.findall(text)]
    shown = _bare(fenced[-1] if fenced else _MARK.sub("", text))
    if not shown:
        return Verdict("wrong", NO_ANSWER)
    if lines(shown) == lines(gold):
        return Verdict("right", "equal", shown)
    said = _SAYS.search(text)
    near = [_loose(shown), *([_loose(said[1])] if said else [])]
    lenient = "right" if lines(_loose(gold)) in map(lines, near) else "wrong"
    return Verdict("wrong", "another output", shown, lenient)


def _bare(text: str) -> str:
    """Without the backticks or the bold around it."""
    text = text.strip("\n").rstrip()
    inline = re.fullmatch(r"\s*(`|\*\*)([^`\n]+)\1", text)
    return inline[2] if inline else text


def _loose(text: str) -> str:
    text = _bare(text.strip()).removesuffix(".")
    return _bare(text).strip("'\"")


_ADD = {"tests": ["assert add(1, 2) == 3", "assert add(-1, 1) == 0"]}
CASES = (
    Case("3", "3", "right"),
    Case("3", "```\n3\n```", "right"),
    Case("3", "`3`", "right"),
    Case("3", "Output: 3", "right"),
    Case("3", "<think>4</think>3", "right"),
    Case("3", "It prints 3.", "wrong", "right"),
    Case("aaa", "'aaa'", "wrong", "right", about="print shows no quotes"),
    Case("3", "13", "wrong"),
    Case("3", "3.0", "wrong"),
    Case("1\n2", "1\n2\n", "right"),
    Case("1\n2", "1 2", "wrong"),
    Case("True", "true", "wrong"),
    Case("3", "", "wrong"),
    Case("", "def add(a, b): return a + b", "right", extra=_ADD),
    Case("", "```python\ndef add(a, b):\n    return a + b\n```", "right", extra=_ADD),
    Case("", "Sure:\ndef add(a, b): return a + b", "wrong", "right", extra=_ADD),
    Case("", "def add(a, b): return a - b", "wrong", extra=_ADD),
    Case("", "def add(a, b): return str(a + b)", "wrong", extra=_ADD),
    Case("", "Sure", "wrong", extra=_ADD),
)
