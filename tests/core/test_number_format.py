"""Numbers, durations and tables as a reader sees them."""

import math

import pytest

from phi_kit.core import number_format


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (number_format.points(0.1234), "+12.3"),
        (number_format.points(-0.04), "−4.0"),
        (number_format.points(-0.0001), "0.0"),
        (number_format.points(None), "–"),
        (number_format.percent(math.nan), "–"),
        (number_format.percent_span(0, 1), "0.0 to 100.0\u00a0%"),
        (number_format.points_span(None, 1), "–"),
        (number_format.counts([40, 40.0]), "n = 40"),
        (number_format.counts([30, None, 4000]), "n = 30 to 4,000"),
        (number_format.counts([]), "n not given"),
        (number_format.plural(1, "seed"), "1 seed"),
        (number_format.label("two_digit_sums"), "two digit sums"),
        (number_format.label(""), ""),
        (number_format.duration(0), "0 s"),
        (number_format.duration(0.4), "0.4 s"),
        (number_format.duration(59.6), "1 min 0 s"),
        (number_format.duration(200), "3 min 20 s"),
        (number_format.duration(7500), "2 h 5 min"),
        (number_format.duration(None), ""),
    ],
)
def test_numbers_as_text(text, expected):
    assert text == expected


@pytest.mark.parametrize("name", ["a_long_name_of_many_words_" * 6, "x" * 500])
def test_labels_stay_short(name):
    lines = number_format.label(name, width=20).split("\n")
    assert len(lines) <= 2
    assert max(map(len, lines)) <= 21
    assert lines[-1].endswith("…")


def test_columns_stand_under_each_other():
    rows = [("step", "time", "n"), ("one of many", "8 s", "1,200"), ("all",)]
    assert list(number_format.aligned_table(rows)) == [
        "step         time      n",
        "one of many   8 s  1,200",
        "all",
    ]
    assert list(number_format.aligned_table(rows[:2], left=3)) == [
        "step         time  n",
        "one of many  8 s   1,200",
    ]
    assert list(number_format.aligned_table([])) == []
