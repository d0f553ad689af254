"""Options in any shape, and golds that may be more than one of them."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from phi_kit.core.errors import DataError
from phi_kit.data.choice_options import gold_label, read_options
from phi_kit.data.read_sources import read_source
from phi_kit.data.source_types import HubData, LocalFile

ABC = {"A": "red", "B": "green", "C": "blue"}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["red", "green", "blue"], ABC),
        (("red", "green", "blue"), ABC),
        (ABC, ABC),
        ({"a": "red", "b": "green", "c": "blue"}, ABC),
        ({"text": ["red", "green", "blue"], "label": ["A", "B", "C"]}, ABC),
        ({"text": ["red", "green"], "label": ["1", "2"]}, {"1": "red", "2": "green"}),
        ({"1": "red", "2": "green"}, {"1": "red", "2": "green"}),
        ([{"label": "A", "text": "red"}, {"label": "B", "text": "green"}],
         {"A": "red", "B": "green"}),
        ([{"key": "A", "value": "red"}], {"A": "red"}),
        (["A. red", "B. green", "C. blue"], ABC),
        ('["red", "green", "blue"]', ABC),
        ("['red', 'green', 'blue']", ABC),
        (["red", None, "blue"], {"A": "red", "C": "blue"}),
        (["red", "green", float("nan")], {"A": "red", "B": "green"}),
        (["red", "  ", "blue"], {"A": "red", "C": "blue"}),
        ([1, 2.5], {"A": "1", "B": "2.5"}),
        ("red", {}), (None, {}), ([], {}), (5, {}), ({"": "x", "AB": 3}, {}),
    ],
)  # fmt: skip
def test_shapes(given, wanted):
    assert read_options(given) == wanted


@pytest.mark.parametrize(
    ("answer", "given", "said", "label"),
    [
        ("B", ["red", "green", "blue"], "", "B"),
        ("(b)", ["red", "green", "blue"], "", "B"),
        ("B. green", ["red", "green", "blue"], "", "B"),
        ("B) red", ["red", "green", "blue"], "", ""),  # contradicts itself
        ("green", ["red", "green", "blue"], "", "B"),
        ("E", ["red", "green", "blue"], "", ""),
        ("pink", ["red", "green", "blue"], "", ""),
        ("12", ["13", "7", "12", "1"], "", "C"),
        ("2", ["13", "7", "12", "1"], "index0", "C"),
        ("2", ["13", "7", "12", "1"], "index1", "B"),
        ("1", ["13", "7", "12", "1"], "text", "D"),
        ("4", ["13", "7", "12", "1"], "index0", ""),
        ("2.0", ["red", "green", "blue"], "index0", "C"),
        ("C", ["C", "Hg", "K"], "letter", "C"),
        ("C", ["C", "Hg", "K"], "text", "A"),
        ("B", ["A", "B", "C"], "", "B"),  # the same by either reading
        ("2", {"1": "red", "2": "green"}, "", "2"),
        ("2", {"text": ["red", "green"], "label": ["1", "2"]}, "", "2"),
        ("1", ["red", None, "blue"], "index0", ""),
        ("2", ["red", None, "blue"], "index0", "C"),
    ],
)
def test_golds(answer, given, said, label):
    assert gold_label(answer, given, said) == (label, "")


@pytest.mark.parametrize(
    ("answer", "given"),
    [
        ("2", ["13", "7", "12", "1"]),
        ("1", ["13", "7", "12", "1"]),
        ("0", ["red", "green"]),
        ("2", ["red", "green"]),
        ("C", ["C", "Hg", "K"]),
        ("3", {"1": "3", "2": "4", "3": "5"}),
    ],
)
def test_a_gold_that_may_be_two_is_asked_about(answer, given):
    found = gold_label(answer, given)
    assert found.label == ""
    assert "say answer_is" in found.question


def rows(tmp_path, rows, **keys):
    path = tmp_path / "quiz.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    source = LocalFile(path=str(path), **keys)
    return list(read_source(source, "quiz", families=(), rng_seed=0))


def test_an_index_column_is_refused_until_it_is_named(tmp_path):
    table = [{"question": "6 * 6?", "choices": ["12", "36", "2"], "answer": 1}]
    for keys in ({"choices": ["choices"]}, {"extra": {"choices": "choices"}}):
        with pytest.raises(DataError, match=r"may be index0 \(B\) or index1 \(A\)"):
            rows(tmp_path, table, **keys)
        (seed,) = rows(tmp_path, table, **keys, answer_is="index0")
        assert seed.answer == "B"
        assert seed.prompt == "6 * 6?\nA) 12\nB) 36\nC) 2"
        assert seed.facts["answer_is"] == "letter"


def test_a_null_option_does_not_exist(tmp_path):
    table = [{"question": "?", "a": "red", "b": "green", "c": None, "answer": "B"}]
    (seed,) = rows(tmp_path, table, choices=["a", "b", "c"])
    assert seed.prompt == "?\nA) red\nB) green"
    assert seed.facts == {"choices": {"A": "red", "B": "green"}}


def test_options_that_the_question_shows_are_not_listed_again(tmp_path):
    asked = "Which?\nA) red\nB) green"
    table = [{"question": asked, "choices": ["red", "green"], "answer": "A"}]
    (seed,) = rows(tmp_path, table, choices=["choices"])
    assert seed.prompt == asked


def test_a_data_set_with_lists_of_texts_and_labels(tmp_path):
    choices = {"text": ["sun", "moon"], "label": ["1", "2"]}
    frame = pd.DataFrame({"question": ["Hot?"], "choices": [choices]})
    frame.assign(answerKey="1").to_parquet(tmp_path / "train.parquet")
    source = HubData(
        hub=str(tmp_path), answer="answerKey", extra={"choices": "choices"}
    )
    (seed,) = read_source(source, "stem", families=(), rng_seed=0)
    assert seed.answer == "1"
    assert seed.prompt == "Hot?\n1) sun\n2) moon"
    assert seed.facts == {"choices": {"1": "sun", "2": "moon"}}
