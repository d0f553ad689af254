"""Is the layered check worth its code? Against math-verify, row after row."""

from __future__ import annotations

import json

import pytest
from external_data import needs, path_of

from phi_kit.data.records import Seed
from phi_kit.verifiers.math import verifier

from .conftest import per_second, ratio

pytestmark = pytest.mark.bench

DATA = "gsm8k_labelled_solutions.jsonl"
PAIRS = 3


@needs(DATA)
def test_verify_vs_math_verify(record):
    import math_verify

    rows = [json.loads(line) for line in path_of(DATA).read_text("utf-8").splitlines()]
    verdicts: dict[str, list[bool]] = {}

    def ours() -> int:
        verifier.parse_answer.cache_clear()  # every run reads every answer anew
        seeds = [Seed("math", row["prompt"], row["gold"]) for row in rows]
        verdicts["ours"] = [
            verifier.verify(seed, row["response"]).right
            for seed, row in zip(seeds, rows, strict=True)
        ]
        return len(rows)

    def theirs() -> int:
        verdicts["theirs"] = [
            math_verify.verify(
                math_verify.parse(row["gold"]), math_verify.parse(row["response"])
            )
            for row in rows
        ]
        return len(rows)

    figure = ratio(lambda: per_second(ours), lambda: per_second(theirs), pairs=PAIRS)
    labels = [row["is_correct"] for row in rows]
    agree = {
        name: sum(a == b for a, b in zip(said, labels, strict=True))
        for name, said in verdicts.items()
    }
    record(
        "verify_vs_math_verify",
        figure,
        unit="times the rows per second",
        n=PAIRS,
        what=f"{len(rows)} labelled GSM8K solutions, the math verifier against "
        "math-verify's parse and verify in one process, in turn; verdicts equal to "
        f"the labels: {agree['ours']} against {agree['theirs']}",
    )
    assert agree["ours"] == len(rows)
    assert figure >= 4
