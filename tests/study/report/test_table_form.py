"""Tables that are declared: rows, columns, formats."""

from phi_kit.core.number_format import count, percent, percent_with_span
from phi_kit.study.report import table_form
from phi_kit.study.report.table_form import form, named_rows, plain

RESULT = {
    "part": {"rows": [{"name": "a", "n": 1, "x": 0.5}, {"name": "b", "n": 2}, "odd"]},
    "tiers": {"easy": 3, "hard": 0},
    "risk": {"easy": 0.1},
}


def test_a_column_reads_its_keys_with_its_format():
    made = form(
        "T",
        "part.rows",
        ("who", "name", plain),
        ("n", "n", count),
        ("x", "x low high", percent_with_span),
        ("nobody has it", "y", percent),
    ).of(RESULT)
    assert made.head == ("who", "n", "x")
    assert made.rows == [("a", "1", "50.0\u00a0%"), ("b", "2", "–")]


def test_rows_by_name_come_from_several_mappings():
    take = named_rows({"rows": "tiers", "risk": "risk"})
    made = form(
        "{rows} first", take, ("tier", "name", plain), ("rows", "rows", count)
    ).of(RESULT)
    assert made.title == "3 first"
    assert made.rows == [("easy", "3"), ("hard", "0")]
    named = named_rows({"rows": "tiers"}, hard="hard ones", gone="gone")
    assert named(RESULT).to_dict("records") == [{"name": "hard ones", "rows": 0}]


def test_nothing_is_an_empty_table():
    for place in ("gone", "part", "part.rows.name", "tiers.easy"):
        assert form("{total}", place, ("a", "a", plain)).of(RESULT).rows == []
    assert table_form.listed({"rows": None}, "rows") == []


def test_whole_numbers_stay_whole_beside_holes():
    rows = {"rows": [{"level": 1}, {"level": None}]}
    assert form("", "rows", ("level", "level", plain)).of(rows).rows == [("1",), ("–",)]
