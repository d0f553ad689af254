r"""Math-Verify's own test pairs, judged here; where we differ, and why.

The pairs (gold, prediction, whether they are equal) are those of Math-Verify's four
test files, Apache-2.0; the first line of `math_pairs.jsonl` names them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phi_kit import verifiers
from phi_kit.data.records import Seed

FILE = Path(__file__).with_name("math_pairs.jsonl")
_WORKED_OUT = "arithmetic that nobody worked out is no strict answer: 9+1 for 10"
_OTHER = "another answer (Math-Verify #14 lists it as its own false positive)"
_ROUNDED = "a decimal stands for an endless fraction with six right digits, not fewer"
_BREAK = "a line break between the delimiters changes no answer: the response says 9"

# Each pair judged otherwise than there: gold, prediction, the argument.
HELD = {
    ("$10$", "Answer \\( (9+1) \\)"): _WORKED_OUT,
    ("$9$", "Answer $ \n 9 \n $"): _BREAK,
    ("$9$", "Answer \\( \n 9 \n \\)"): _BREAK,
    (
        r"$(\begin{pmatrix}\frac{1}{3}\\ \frac{1}{5} \end{pmatrix})$",
        r"$\begin{pmatrix}0.33\\0.2 \end{pmatrix}$",
    ): _ROUNDED,
    (r"$(\frac{3}{5},\frac{8}{3}]$", "$(0.6,2.6667]$"): _ROUNDED,
    (
        r"$x \in [-2,7]$",
        r"$-2 \\le x \\le 7$",
    ): "the same pair stands twice, once equal and once (with another setting) not",
    ("$n=2, 3, 4$", "$n=1, 2, 3$"): _OTHER,
    ("$D = (0, 1)$", "$D = (0, 1.5)$"): _OTHER,
    (
        r"$F_n = \sum_{k=0}^{n-1} F_k F_{n-k-1}$",
        r"$F_n = \sum_{k=0}^{n-2} F_k F_{n-k-2}$",
    ): _OTHER,
    ("$19, 46, and 82$", "$21, 36, and 82$"): _OTHER,
    (r"$1 - \frac{1}{\mathrm{e}}$", r"$1 + \frac{1}{\mathrm{e}}$"): _OTHER,
    (r"$\pm 2021$", "$2021$"): _OTHER,
    ("$12:00$", "$1:00$"): _OTHER,
}


@pytest.fixture(scope="module")
def pairs():
    lines = FILE.read_text("utf-8").splitlines()
    assert json.loads(lines[0])["licence"].startswith("Apache-2.0")
    return [json.loads(line) for line in lines[1:]]


def test_every_pair_is_judged_as_there_or_argued(pairs):
    check, differing = verifiers.get("math"), []
    for _, gold, prediction, equal in pairs:
        verdict = check(Seed("math", "", gold), prediction)
        if verdict.right != equal:
            differing.append((gold, prediction))
    assert len(pairs) == 263
    assert len(pairs) - len(differing) >= 250
    assert set(differing) <= set(HELD)
    assert all(HELD.values())


def test_nothing_is_held_that_is_judged_as_there(pairs):
    check = verifiers.get("math")
    for gold, prediction in HELD:
        said = check(Seed("math", "", gold), prediction).right
        wanted = [e for _, g, p, e in pairs if (g, p) == (gold, prediction)]
        assert said not in wanted or len(set(wanted)) > 1, (gold, prediction)
