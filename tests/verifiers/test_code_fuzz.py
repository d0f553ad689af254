"""Responses that nobody meant to write: a verdict for each, the same one twice."""

from __future__ import annotations

import json

import pytest

from phi_kit.core.rng import rng
from phi_kit.data.records import Seed
from phi_kit.sandbox.sandbox import Limits
from phi_kit.verifiers.code import verifier

PIECES = (
    *(
        "```",
        "```python\n",
        "~~~\n",
        "````",
        "\n```\n",
        "    ```py3\n",
        "`",
        "**",
        "\n",
    ),
    *("def f(x):\n", "    return x * x\n", "    return ", "def f(x): return x * x\n"),
    *(
        "f(3)",
        "print(f(3))\n",
        "9",
        "16",
        "[",
        "]" * 9,
        "(" * 99,
        "x = ",
        "lambda: ",
        ":",
    ),
    *("Output: ", "The answer is ", "It prints ", "9.0", "True", "'9'", "\\boxed{9}"),
    *("<think>", "</think>", "class f:\n", "import os\n", "raise ", "yield ", "async "),
    *("\0", "\ud800", "é", "\u2028", "\x0b", "\r\n", "\t", " ", "#", "\\", '"""', "{}"),
    *(
        "9" * 5000,
        "1e999",
        "complex('inf')",
        "float('nan')",
        "None",
        "f = f\n",
        "...\n",
    ),
)
GOLDS = ("9", "9\n16", "", " ", "True", "'9'", "\ud800", "```", "1e999", "a b")


def made(draw, most):
    return "".join(
        PIECES[draw.integers(len(PIECES))] for _ in range(draw.integers(most))
    )


def test_output_prediction_gives_a_verdict_for_anything():
    draw, seen = rng(5, "predicted"), set()
    for _ in range(10_000):
        item = Seed("coding", "?", GOLDS[draw.integers(len(GOLDS))])
        response = made(draw, 9)
        found = verifier.verify(item, response)
        assert found == verifier.verify(item, response)
        assert found.lenient == "right" or found.value != "right"
        seen.add((found.value, found.lenient))
    assert seen == {
        *(("right", "right"), ("wrong", "wrong"), ("wrong", "right")),
        ("unknown", "unknown"),
    }


@pytest.mark.parametrize("n", [15, pytest.param(400, marks=pytest.mark.slow)])
def test_code_that_runs_gives_a_verdict_for_anything(n, monkeypatch):
    monkeypatch.setattr(verifier, "LIMITS", Limits(seconds=3.0, cpu=1))
    tests = {"tests": ["assert f(3) == 9", "assert f(4) == 16"]}
    cases = {"cases": [{"stdin": "3", "stdout": "9"}]}
    draw, seen = rng(6, "run"), set()
    for number in range(n):
        extra = cases if number % 4 == 0 else tests
        item = Seed("coding", "", "", extra=json.dumps(extra))
        response = f"```python\n{made(draw, 9)}\n```" if number % 3 else made(draw, 9)
        found = verifier.verify(item, response)
        again = verifier.verify(item, response)
        assert (found.value, found.lenient) == (again.value, again.lenient)
        found.reason.encode()
        seen.add(found.value)
    assert "unknown" not in seen


ANSWERS = (
    *("{}", "[]", "null", "9", '"x"', "NaN", "{", "[[[[", '{"v": 3}', '{"v": [[]]}'),
    *('{"v": [["i", "0x9"]]}', '{"v": [["i", 9]], "o": []}', '{"error": "x"}'),
    *('{"error": 3}', '{"error": "ValueError", "args": {"v": [["="]]}}', '{"done": 1}'),
    *('{"back": 0}', '{"back": [], "v": [], "o": []}', '{"names": ["f"], "v": []}'),
    *('{"v": [["list", [["i"]]]], "o": []}', '{"v": [["@", 0, "iterator", "x"]]}'),
    *('{"v": [["dict", [[["list", []], ["=", 1]]]]], "o": []}', '{"v": [["^", 0]]}'),
    *('{"v": [["n", "a b", ["x"], [["=", 1]]]]}', '{"v": [["t", "x", "y"]]}', ""),
    *('{"v": [["f", "nan"]], "o": []}', '{"v": [["c", "inf", "0"]], "o": []}'),
    *('{"v": [["o", 0]], "o": [["x", []]]}', '{"v": [["e", "x", "y"]]}', "\\xff"),
)


@pytest.mark.parametrize("part", [0, *(pytest.param(i, marks=pytest.mark.slow)
                                       for i in range(1, 6))])  # fmt: skip
def test_whatever_is_answered_in_the_runners_place_is_wrong(part):
    item = Seed("coding", "", "", extra=json.dumps({"tests": ["assert f(3) == 81"]}))
    for line in ANSWERS[part::6]:
        for load in ("", "\nf(3)"):  # in place of a call's answer, and of the load's
            response = f"""
import os
def f(x):
    for fd in range(3, 40):
        try:
            os.write(fd, {line!r}.encode("latin-1") + b"\\n")
        except OSError:
            pass
    os._exit(0)
{load}
"""
            found = verifier.verify(item, f"```python{response}```")
            assert (found.value, found.lenient) == ("wrong", "wrong"), (line, found)
