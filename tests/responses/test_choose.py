"""Which of several responses is taught: by source, then shortest, first or closest."""

import math

import pandas as pd
import pytest

from phi_kit.responses.choose import AGAIN, SPARE, best_of, ranked

NAN = math.nan
ROWS = [
    # seed, source, text, tokens, logprob, reason
    ("a", "teacher", "long", 30, -0.2, ""),
    ("a", "teacher", "short", 10, -0.9, ""),
    ("a", "teacher", "unscored", 20, NAN, ""),
    ("a", "teacher", "bad", 1, -0.1, "wrong"),
    ("a", "student", "own", 5, -0.1, ""),
    ("b", "student", "own", 5, -0.1, ""),
    ("b", "student", "own", 5, -0.1, ""),
    ("c", "student", "bad", 5, -0.1, "loop"),
]
COLUMNS = ["seed_id", "source", "text", "tokens", "logprob", "reason"]
ORDER = ["teacher", "student"]


def table():
    return pd.DataFrame(ROWS, columns=COLUMNS).assign(detail="")


def texts(rows):
    return rows.seed_id.str.cat(rows.text, "/").tolist()


@pytest.mark.parametrize(
    ("prefer", "kept"),
    [("shortest", "a/short"), ("first", "a/long"), ("closest", "a/long")],
)
def test_one_is_kept_of_each_seed(prefer, kept):
    rows = ranked(table(), ORDER, prefer=prefer, keep=1)
    assert texts(rows[rows.kept]) == [kept, "b/own"]


def test_several_are_kept_in_their_order_and_of_one_source_only():
    rows = ranked(table(), ORDER, prefer="closest", keep=4)
    kept = rows[rows.kept].sort_values("rank")
    assert texts(kept[kept.seed_id == "a"]) == ["a/long", "a/short", "a/unscored"]
    assert rows[rows.source == "student"]["rank"].tolist() == [4, 1, 0, 0]


def test_the_order_of_the_sources_decides_not_that_of_the_rows():
    rows = ranked(table()[::-1], ORDER, prefer="shortest", keep=1)
    assert set(texts(rows[rows.kept])) == {"a/short", "b/own"}
    rows = ranked(table(), ORDER[::-1], prefer="shortest", keep=1)
    assert set(texts(rows[rows.kept])) == {"a/own", "b/own"}


def test_kept_and_dropped_by_reason_are_all():
    rows = ranked(table(), ORDER, prefer="shortest", keep=1)
    assert (rows.kept == (rows.reason == "")).all()
    assert rows.reason.value_counts().to_dict() == {
        SPARE: 3,
        "": 2,
        "wrong": 1,
        AGAIN: 1,
        "loop": 1,
    }


def test_the_best_of_one_source_whatever_was_kept():
    rows = ranked(table(), ORDER, prefer="shortest", keep=1)
    assert texts(best_of(rows, "student")) == ["b/own", "a/own"]
    assert texts(best_of(rows, "teacher", keep=2)) == ["a/short", "a/unscored"]
    assert texts(best_of(rows, "nobody")) == []


def test_an_empty_table_has_nothing_to_choose():
    rows = ranked(table()[:0], ORDER, prefer="first", keep=1)
    assert list(rows.columns) == [*COLUMNS, "detail", "kept", "rank"]
