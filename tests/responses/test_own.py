"""The student's own responses beside those of the study's sources."""

import pandas as pd

from phi_kit.responses.collect import COLUMNS
from phi_kit.responses.own import with_own


def candidates(*rows):
    """Rows of (seed, source, attempt, kept)."""
    blank = {name: kind() for name, kind in COLUMNS.items()}
    keys = ("seed_id", "source", "attempt", "kept")
    return pd.DataFrame(
        [{**blank, **dict(zip(keys, row, strict=True))} for row in rows],
        columns=list(COLUMNS),
    ).astype(COLUMNS)


def test_each_response_stands_once_and_says_who_may_train_on_it():
    found = candidates(
        ("a", "worked", 0, True),
        ("b", "student", 0, False),
        ("b", "student", 1, True),
    )
    own = candidates(
        ("a", "student", 0, True),
        ("b", "student", 0, False),
        ("b", "student", 1, True),
        ("c", "few-shot", 0, True),
    )
    table = with_own(found, own)
    told = table[["seed_id", "source", "attempt", "kept", "own"]]
    assert told.to_numpy().tolist() == [
        ["a", "worked", 0, True, False],
        ["b", "student", 0, False, False],
        ["b", "student", 1, True, True],
        ["a", "student", 0, False, True],
        ["c", "few-shot", 0, False, True],
    ]


def test_without_own_responses_the_table_stays_whole():
    found = candidates(("a", "worked", 0, True))
    table = with_own(found, candidates())
    assert table.own.tolist() == [False]
    assert table.own.dtype == bool
