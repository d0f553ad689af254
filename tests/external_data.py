"""Public data sets that some tests read and that are no part of the project.

They are looked for in the folder that `PHI_KIT_TEST_DATA` names, or else in
`../shared/data`, seen from the project's root.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(
    os.environ.get("PHI_KIT_TEST_DATA")
    or Path(__file__).resolve().parents[2] / "shared/data"
)
# File: where it comes from, and how it is made of that.
SOURCES = {
    "gsm8k_labelled_solutions.jsonl": (
        "2,000 rows (prompt, gold, response, is_correct) of "
        "example_model_solutions.jsonl of github.com/openai/grade-school-math"
    ),
    "gsm8k_train_1500.jsonl": (
        "1,500 rows (question, answer) of grade_school_math/data/train.jsonl of "
        "github.com/openai/grade-school-math"
    ),
    "humaneval.jsonl.gz": "data/HumanEval.jsonl.gz of github.com/openai/human-eval",
}


def path_of(name: str) -> Path:
    """Where a data set is expected."""
    return FOLDER / name


def needs(name: str) -> pytest.MarkDecorator:
    """A mark that skips a test without a data set, and says what to do."""
    return pytest.mark.skipif(
        not path_of(name).is_file(),
        reason=f"{name} is not in {FOLDER}: put it there, or set PHI_KIT_TEST_DATA to "
        f"its folder ({SOURCES[name]})",
    )
