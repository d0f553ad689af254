"""Rows that nobody meant to write: a verdict for each, never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phi_kit import verifiers
from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.sandbox.supervisor import TestsRun
from phi_kit.verifiers import base, puzzle, verify_file
from phi_kit.verifiers.code import verifier as code
from phi_kit.verifiers.math import answer_comparison, verifier
from phi_kit.verifiers.worker_pool import WorkerReply

from .cases import CASES, scripted_judge

N = 1000
ROOT = Path(__file__).resolve().parents[2]
QUIET = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)
SIZES = [100, pytest.param(N, marks=pytest.mark.slow)]

TEXTS = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="\\{}$()[]<>+-*/^%_=.,:#?!ABC abc019thinkboxed\n", max_size=80),
    st.sampled_from(
        [
            *("\\boxed{", "</think>", "1/0", "9" * 5000, "\\frac{1}{0}", "1e400", "²"),
            *("∞", "1e99999999", "12 m/s^5", "def f(x): return x", "print(1)", "yes"),
            *("I can't help with that.", "\ud800", "\0", "```", "```python\nx", "B"),
        ]
    ),
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
TASKS = (*puzzle.SHAPES, "spell_backward", "number_sorting", "no_such_task")
ENTRY = st.fixed_dictionaries(
    {}, optional={"question": JUNK, "answer": JUNK, "metadata": JUNK}
)
EXTRA = st.fixed_dictionaries(
    {},
    optional={
        "tolerance": JUNK,
        "choices": JUNK,
        "unit": JUNK,
        "asked": JUNK,
        "should_refuse": JUNK,
        "task": st.sampled_from(TASKS) | JUNK,
        "entry": ENTRY | JUNK,
        "config": JUNK,
    },
)
CODE = st.fixed_dictionaries(
    {}, optional={"tests": JUNK, "cases": JUNK, "setup": JUNK, "entry": JUNK}
)
ROWS = st.one_of(
    st.fixed_dictionaries({"gold": TEXTS, "response": TEXTS}),
    st.fixed_dictionaries({"gold": TEXTS, "response": TEXTS, "extra": EXTRA}),
    st.dictionaries(
        st.sampled_from(["gold", "response", "prompt", "extra", "choices", "finish"]),
        JUNK,
    ),
)


def fuzz(n, check, **strategies):
    settings(QUIET, max_examples=n)(given(**strategies)(check))()


def judged(name, gold, response, extra):
    """The verdict on a row, which has to be one of the three."""
    verdict = verifiers.get(name)(
        Seed("fuzz", "?", gold, extra=json.dumps(extra)), response
    )
    assert verdict.value in ("right", "wrong", "unknown")
    assert verdict.lenient == "right" or verdict.value != "right"
    return verdict


@pytest.fixture
def no_workers(monkeypatch):
    """What a formula or a scorer says without a process: nothing fits."""

    class Idle:
        def ask(self, job):
            json.dumps(job)
            return WorkerReply("less", "answer")

    monkeypatch.setattr(
        verifier, "_compare_formulas", lambda gold, answer: answer_comparison.DIFFERENT
    )
    monkeypatch.setattr(puzzle, "pool", lambda module: Idle())


@pytest.mark.parametrize("n", SIZES)
def test_no_verifier_raises(n, no_workers):
    def check(gold, response, extra):
        for name in set(verifiers.names()) - {"code"}:
            judged(name, gold, response, extra)

    fuzz(n, check, gold=TEXTS, response=TEXTS, extra=EXTRA)


@pytest.mark.parametrize("n", SIZES)
def test_code_never_raises(n, monkeypatch):
    def run(job, limits):
        json.dumps([job.code, job.stdin])
        return code.ProgramRun("finished", 0, "", ())

    def confer(tests, solution, limits, *, needs):
        json.dumps([tests, solution])
        return TestsRun({"value": "wrong", "reason": "?"}, called=True)

    monkeypatch.setattr(code, "run_program", run)
    monkeypatch.setattr(code, "run_tests", confer)

    def check(gold, response, extra):
        judged("code", gold, response, extra)

    fuzz(n, check, gold=TEXTS, response=TEXTS, extra=CODE)


@pytest.mark.parametrize("n", SIZES)
def test_no_reply_of_a_judge_raises(n):
    def check(response, reply):
        verdict = scripted_judge(
            Seed("fuzz", "?", "8", extra=json.dumps({"replies": [reply]})), response
        )
        assert verdict.value == "unknown" or not base.visible(response)

    fuzz(n, check, response=TEXTS, reply=TEXTS | JUNK.map(json.dumps))


@pytest.mark.parametrize("n", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_workers_and_sandbox_take_it_too(n):
    """The same rows with real processes behind the verifiers."""

    def check(gold, response, extra, tests):
        for name in ("puzzle", "math"):
            judged(name, gold, response, extra)

    fuzz(n, check, gold=TEXTS, response=TEXTS, extra=EXTRA, tests=CODE)
    for response in ("def f(x): return '\ud800'", "def f(x):\n\treturn 1e999", "x = 1"):
        judged("code", "", response, {"tests": ["assert f(1) == 2"], "setup": "\ud800"})
        cases = [{"stdin": "\ud800\udc80", "stdout": "\ud800"}]
        judged("code", "", f"{response}\nprint(input())", {"cases": cases})


@pytest.mark.parametrize("n", SIZES)
def test_no_row_is_lost(n):
    def check(lines):
        kept = [line for line in lines if not blank(line)]
        verdicts = list(
            verify_file.verify_rows(lines, verifiers.get("choice"), domain="fuzz")
        )
        assert len(verdicts) == len(kept)
        assert all(json.dumps(verdict) for verdict in verdicts)

    line = st.one_of(ROWS.map(json.dumps), TEXTS, st.binary(max_size=40))
    fuzz(n // 3 + 1, check, lines=st.lists(line, min_size=3, max_size=3))


def blank(line):
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    return not text.strip("\ufeff \t\r\n")


def malformed(n):
    """Lines as a careless program writes them: seeded, none blank, one row each."""
    draw = rng(3, "malformed")
    good = [
        {"prompt": "1 + 1 =", "gold": "2", "response": r"\boxed{2}"},
        {"gold": "B", "response": "(B)", "choices": {"A": "x", "B": "y"}},
        {"gold": "12 m/s", "response": "12 m/s", "extra": {"tolerance": 0}},
        *(
            {"gold": case.gold, "response": case.response, "extra": dict(case.extra)}
            for name in ("math", "choice", "puzzle", "refusal", "quantity")
            for case in CASES[name]
            if not case.response.startswith("10**")  # a second each, killed
        ),
    ]
    values = [
        *(
            None,
            True,
            7,
            -0.0,
            float("nan"),
            10**400,
            "",
            "\ud800",
            "\0",
            [],
            {},
            "x" * 9,
        ),
        *([[[]]], {"a": None}, "{", "[1]", '{"task": "countdown", "entry": {}}'),
        {"task": "countdown", "entry": {"metadata": []}},
        {"choices": {"": "", "AB": 3}, "tolerance": "?"},
        {"tests": [3], "cases": {"stdin": 1}},
    ]
    for _ in range(n):
        row = dict(good[draw.integers(len(good))])
        for _ in range(draw.integers(3)):
            name = ("gold", "response", "extra", "prompt", "finish")[draw.integers(5)]
            row[name] = values[draw.integers(len(values))]
        if draw.random() < 0.1:
            row.pop("gold", None)
        line = json.dumps(row).encode()
        kind = draw.integers(8)
        if kind == 0:
            line = line[: draw.integers(1, len(line))]
        elif kind == 1:
            place = draw.integers(len(line))
            line = line[:place] + bytes([draw.integers(128, 256)]) + line[place + 1 :]
        elif kind == 2:
            line = (b"[" * 5000, b"NaN", b"9" * 5000, b'"', b"\xff\xfe", b"null")[
                draw.integers(6)
            ]
        yield line


@pytest.mark.parametrize(
    "domain",
    ["stem", *(pytest.param(x, marks=pytest.mark.slow)
               for x in ("math", "puzzles", "safety", "coding", "judge", "exact"))],
)  # fmt: skip
def test_a_thousand_malformed_lines_in_one_process(domain, tmp_path):
    file, lines = tmp_path / "rows.jsonl", list(malformed(N))
    file.write_bytes(b"\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "phi_kit", "verify", domain, str(file)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["line"] for row in said] == list(range(1, N + 1))
    assert {row["verdict"] for row in said} <= {"right", "wrong", "unknown"}
    assert b"Traceback" not in done.stderr + done.stdout
    failed = [row for row in said if row["reason"].startswith("the verifier failed")]
    assert not failed, failed[:3]
    assert f"{N} rows: ".encode() in done.stderr
    assert sum(row.get("malformed", False) for row in said) > 100


@pytest.mark.parametrize("n", SIZES)
def test_a_gold_is_right_or_unreadable_against_itself(n):
    def check(text):
        marks = ("boxed", "think", "answer", "####")
        if not any(mark in text.lower() for mark in marks):
            assert judged("exact", text, text, {}).value != "wrong"

    fuzz(n, check, text=TEXTS)
