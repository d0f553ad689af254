"""Code: does it pass its tests, or: what does it print?

Which of the two an item asks is in `Seed.extra`:

- `tests`: Python that asks the solution and asserts, in any style (`setup`: lines
  that come first; `entry`: the function's name, for HumanEval's
  `check(candidate)`);
- `cases`: `{"stdin": …, "stdout": …}` for a program that reads and prints, or
  LiveCodeBench's `{"input": …, "output": …}`, with `"testtype": "functional"`
  and the function's name as `entry` for a function;
- neither: output prediction, the printed text is the gold answer.

A response runs only in the sandbox. Its tests run in another one and get plain
values from it: printing a success, leaving early, or objects that equal everything
change nothing. Whether a verdict is `unknown` depends on the item alone, never on
what a solution does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from phi_kit.core.errors import RunError
from phi_kit.data.records import Seed
from phi_kit.sandbox.sandbox import (
    Limits,
    Program,
    ProgramRun,
    isolation,
    run_program,
    run_tests,
)
from phi_kit.verifiers.answer_extraction import after_last_mark
from phi_kit.verifiers.base import NO_ANSWER, Verdict, VerdictValue, visible

from .blocks import all_code, fenced_blocks, presented_code
from .tests import (
    ItemTests,
    UnreadableTestError,
    functional_assertions,
    prompt_stub,
    read_tests,
)

LIMITS = Limits()
_SAYS = re.compile(
    r"(?:answer|output|result|prints?|printed|displays?)(?:\s+is)?\s*:?\s+(.+)\Z",
    re.I | re.S,
)
_MARK = re.compile(
    r"\A(?:the\s+)?(?:final\s+)?(?:answer|output)(?:\s+is)?\s*:\s*", re.I
)
# Why a run gave no value, in words for a table.
_ENDS = {
    "timeout": "out of time",
    "output": "too much output",
    "disk": "wrote too much",
    "killed": "killed",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_FORBIDDEN = ("PermissionError", "BlockingIOError")

# The verdict on one piece of code: strict, lenient, and the reason.
CodeResult = tuple[VerdictValue, VerdictValue, str]


def verify(seed: Seed, response: str) -> Verdict:
    """Run a response's code against the item's tests, or compare a printed text.

    Returns:
        `unknown` if the tests cannot be read or run, or no sandbox works here.
    """
    facts, text = seed.facts, visible(response)
    if not facts.get("tests") and not facts.get("cases"):
        return _verify_printed(seed.answer, text)
    try:
        check, wanted, stub = _checker(seed, facts)
        if stub and _continues(response):
            text = f"{stub}{response}"
        marked = after_last_mark(text)
        strict, loose = presented_code(text, wanted), all_code(text)
        if marked is not None:  # what stands before it are steps
            strict = presented_code(marked, wanted)
        if strict is None and loose is None:
            return Verdict("wrong", NO_ANSWER)
        outcome = check(strict) if strict is not None else ("wrong", "wrong", NO_ANSWER)
        value, lenient, reason = outcome
        if lenient == "wrong" and loose is not None and loose != strict:
            _, lenient, other = check(loose)
            reason = other if strict is None and lenient != "right" else reason
        return Verdict(value, reason, strict or loose or "", lenient)
    except UnreadableTestError as error:
        return Verdict("unknown", f"the item's tests cannot be read: {error}")
    except RunError as error:
        todo = f"; {error.todo}" if error.todo else ""
        return Verdict("unknown", f"no sandbox: {error.what}{todo}")


def _continues(response: str) -> bool:
    """Whether a response goes on where a prompt stopped, inside a function."""
    first = next((line for line in response.split("\n") if line.strip()), "")
    return first[:1].isspace() and "```" not in response and "~~~" not in response


Judge = Callable[[str], CodeResult]


def _checker(seed: Seed, facts: Mapping[str, Any]) -> tuple[Judge, Sequence[str], str]:
    """How to check code for this item, the names it owes, what the prompt began."""
    setup, entry = str(facts.get("setup") or ""), str(facts.get("entry") or "")
    words = {"setup": setup, "prompt": seed.prompt, "gold": seed.answer}
    stub = prompt_stub(seed.prompt)
    if facts.get("tests"):
        tests = read_tests(facts["tests"], entry=entry, **words)
        return lambda code: _function(code, tests), tests.names, stub
    cases = facts["cases"]
    if not isinstance(cases, list) or not all(isinstance(c, dict) for c in cases):
        raise UnreadableTestError("a case needs stdin and stdout")
    if any(case.get("testtype") == "functional" for case in cases):
        if not entry or not all({"input", "output"} <= case.keys() for case in cases):
            raise UnreadableTestError("a function's case needs input, output, entry")
        if "class Solution" in f"{seed.prompt}{seed.answer}" and "." not in entry:
            entry = f"Solution().{entry}"
        tests = read_tests(functional_assertions(cases, entry), **words)
        return lambda code: _function(code, tests), tests.names, stub
    pairs = [
        (case.get("stdin", case.get("input")), case.get("stdout", case.get("output")))
        for case in cases
    ]
    if any(text is None for pair in pairs for text in pair):
        raise UnreadableTestError("a case needs stdin and stdout")
    texts = [(str(stdin), str(stdout)) for stdin, stdout in pairs]
    return lambda code: _program(code, texts), (), ""


def _function(code: str, tests: ItemTests) -> CodeResult:
    """Run the tests against the code; unknown if they cannot be run."""
    jobs = tests.tests_job(), tests.solution_job(code)
    result = run_tests(*jobs, LIMITS, needs=tests.needs)
    verdict = result.verdict
    if verdict is None:
        if result.stopped == "broken":
            raise RunError(f"the sandbox did not start: {result.message}")
        # Before the solution was loaded, nothing of it can be the reason.
        if not result.called:
            return _unrun(_ENDS[result.stopped])
        return "wrong", "wrong", _with_isolation(_ENDS[result.stopped])
    if verdict["value"] == "unknown":
        return _unrun(verdict["reason"])
    value = "wrong" if verdict.get("strictly") else verdict["value"]
    return value, verdict["value"], _with_isolation(verdict["reason"])


def _unrun(why: str) -> CodeResult:
    return "unknown", "unknown", f"the item's tests cannot be run: {why}"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fault(error: dict) -> str:
    name, words = str(error.get("error", "?")), str(error.get("words", ""))
    if name == "MemoryError":
        return "MemoryError: out of memory"
    note = " (forbidden in the sandbox)" if name in _FORBIDDEN else ""
    return f"{name}: {words}"[:120].rstrip(": ") + note


def _program(code: str, cases: Sequence[tuple[str, str]]) -> CodeResult:
    strict: VerdictValue = "right"
    reason = f"passes {len(cases)} of {len(cases)} cases"
    for number, (stdin, stdout) in enumerate(cases, 1):
        done = run_program(Program(code, stdin=stdin), LIMITS)
        _require_started(done)
        why = _why_ended(done)
        if not why and comparable_lines(done.stdout) != comparable_lines(stdout):
            why = f"printed {_brief(done.stdout)}, not {_brief(stdout)}"
        if why and strict == "right":
            strict, reason = "wrong", f"case {number} of {len(cases)}: {why}"
        if _why_ended(done) or done.stdout.split() != stdout.split():
            return "wrong", "wrong", _with_isolation(reason)
    return strict, "right", _with_isolation(reason)


def _why_ended(done: ProgramRun) -> str:
    """Why a program did not end well, if so."""
    if done.status in _ENDS:
        return _ENDS[done.status]
    faults = [answer for answer in done.answers if "error" in answer]
    if done.code:
        return f"raised {_fault(faults[-1])}" if faults else f"exited with {done.code}"
    return ""


def _require_started(done: ProgramRun) -> None:
    if done.status == "broken":
        why = done.answers[0].get("words", "") if done.answers else ""
        raise RunError(f"the sandbox did not start: {why}")


def _with_isolation(reason: str) -> str:
    # A solution's words may hold half a surrogate pair, which no file can, or
    # signs that a terminal obeys.
    text = reason.encode("utf-8", "backslashreplace").decode()
    return f"{_CONTROL.sub(' ', text)} [{isolation()}]"


def comparable_lines(text: str) -> list[str]:
    """Printed text as it is compared: no blanks at the ends of lines or text."""
    # Not `splitlines`: a vertical tab that is printed is no new line.
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _verify_printed(gold: str, text: str) -> Verdict:
    """Exactly the text that is printed; leniently also inside a sentence."""
    if not gold.strip():
        return Verdict("unknown", "the gold output is empty")
    shown = _shown_output(text)
    if not shown:
        return Verdict("wrong", NO_ANSWER)
    # A program may print a mark, too.
    for piece in (shown, _bare(text)):
        if comparable_lines(piece) == comparable_lines(gold):
            return Verdict("right", "equal", piece)
    match = _SAYS.search(text)
    near = [_loose(shown), *([_loose(match[1])] if match else [])]
    lenient = (
        "right"
        if comparable_lines(_loose(gold)) in map(comparable_lines, near)
        else "wrong"
    )
    return Verdict("wrong", "another output", shown, lenient)


def _shown_output(text: str) -> str:
    """The text that a response says is printed: a block, what a mark names, or all."""
    after = after_last_mark(text)
    part = _MARK.sub("", text) if after is None else after
    blocks = fenced_blocks(text if after is None else after, any_kind=True)
    fenced = [code for closed, code in blocks if closed]
    return _bare(fenced[-1] if fenced else part)


def _bare(text: str) -> str:
    """Without the backticks or the bold around it."""
    text = text.strip("\n").rstrip()
    inline = re.fullmatch(r"\s*(`|\*\*)([^`\n]+)\1", text)
    return inline[2] if inline else text


def _loose(text: str) -> str:
    text = _bare(text.strip()).removesuffix(".")
    return _bare(text).strip("'\"")
