"""Local files as people have them, and what is said of bad ones."""

import json

import pandas as pd
import pytest
from pydantic import ValidationError

from phi_kit.core.errors import DataError
from phi_kit.data.generators import Family
from phi_kit.data.read_sources import LocalFile, Procedural, read_source
from phi_kit.data.records import TRUE_GOLD
from phi_kit.verifiers.math import numeric


def write(path, rows):
    frame = pd.DataFrame(rows)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def load(path, **options):
    source = LocalFile(path=str(path), **options)
    return list(read_source(source, "math", families=(), rng_seed=1))


def answers(path, **options):
    return [seed.answer for seed in load(path, **options)]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
class TestEveryKind:
    def test_comes_back_as_written(self, tmp_path, kind):
        rows = [
            {"Q": 'He said "1, 2"\nand “3”', "A": "007", "note": "x"},
            {"Q": "日本 ½ 🙂", "A": "1e3", "note": ""},
        ]
        path = write(tmp_path / f"my seeds.{kind}", rows)
        seeds = load(path, question="Q", answer="A", licence="CC0")
        assert [s.prompt for s in seeds] == [row["Q"] for row in rows]
        assert [s.answer for s in seeds] == ["007", "1e3"]
        assert seeds[0].source == f"my seeds.{kind}"
        assert seeds[0].family == "my seeds"
        assert seeds[0].licence == "CC0"

    def test_limit(self, tmp_path, kind):
        rows = [{"question": str(i), "answer": str(i)} for i in range(5)]
        path = write(tmp_path / f"a.{kind}", rows)
        assert answers(path, limit=2) == ["0", "1"]
        assert len(answers(path, limit=50)) == 5

    def test_missing_column(self, tmp_path, kind):
        path = write(tmp_path / f"a.{kind}", [{"Question": "q", "reply": "1"}])
        with pytest.raises(DataError, match="did you mean 'Question'") as caught:
            load(path)
        assert "columns Question, reply" in str(caught.value)
        assert "question: and answer:" in str(caught.value)

    def test_no_rows(self, tmp_path, kind):
        path = write(tmp_path / f"a.{kind}", [])
        with pytest.raises(DataError, match="no rows"):
            load(path)

    def test_gaps_and_whole_numbers(self, tmp_path, kind):
        rows = [{"question": "a", "answer": 13}, {"question": "b", "answer": None}]
        path = write(tmp_path / f"a.{kind}", rows)
        expected = ["13.0", ""] if kind == "csv" else ["13", ""]  # csv is text
        assert answers(path) == expected

    def test_the_answer_stands_after_a_mark(self, tmp_path, kind):
        rows = [
            {"question": "a", "answer": "2 #### 3\n#### 4 "},
            {"question": "b", "answer": "no mark"},
        ]
        path = write(tmp_path / f"a.{kind}", rows)
        assert answers(path, answer_after="####") == ["4", ""]


def test_typed_parquet_columns(tmp_path):
    frame = pd.DataFrame(
        {
            "question": ["a", "b", "c"],
            "answer": pd.array([13, None, 5], dtype="Int64"),
            "half": [0.5, 2.0, float("nan")],
            "many": [[1, 2], [], None],
        }
    )
    path = tmp_path / "a.parquet"
    frame.to_parquet(path)
    assert answers(path) == ["13", "", "5"]
    assert answers(path, answer="half") == ["0.5", "2", ""]
    two, none, missing = load(path, answer="many")
    assert two.reason == "several different answers"
    assert none.answer == missing.answer == ""


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbf{"question": "a", "answer": 1}\n{"question": "b", "answer": "x"}',
        b'{"question": "a", "answer": 1}\r\n\r\n{"question": "b", "answer": "x"}\r\n',
        b'\n{"question": "a", "answer": 1}\n{"question": "b", "answer": "x", "c": NaN}',
    ],
)
def test_jsonl_as_other_machines_write_it(tmp_path, content):
    (tmp_path / "a.jsonl").write_bytes(content)
    assert answers(tmp_path / "a.jsonl") == ["1", "x"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfquestion,answer\na,1\nb,NaN\n",
        b"question,answer\r\na,1\r\nb,NaN\r\n",
    ],
)
def test_csv_as_other_machines_write_it(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    assert answers(tmp_path / "a.csv") == ["1", "NaN"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"question": "a", \n{"question": ', "line 1 is not JSON"),
        ("a.jsonl", b"[1, 2]\n", "line 1 is not a JSON object"),
        ("a.jsonl", '{"question": "é"}'.encode("latin-1"), "cannot be read as jsonl"),
        ("a.csv", "question,answer\né,1".encode("latin-1"), "cannot be read as csv"),
        ("a.csv", b"question,answer\n1,000 + 2,1002\n", "cannot be read as csv"),
        ("a.csv", b'question,answer\na,1,x\nb,2,"y\n', "cannot be read as csv"),
        ("a.parquet", b"no parquet", "cannot be read as parquet"),
        ("a.jsonl", b"", "no rows"),
        ("a.csv", b"", "no rows"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        load(tmp_path / name)
    assert name in str(caught.value)
    assert "to do:" in str(caught.value)


@pytest.mark.parametrize("path", ["nowhere.csv", "README.md", ""])
def test_a_file_that_cannot_be_is_a_fault_of_the_study(path):
    with pytest.raises(ValidationError):
        LocalFile(path=path)


def test_an_edited_file_has_another_digest(tmp_path):
    path = write(tmp_path / "a.csv", [{"question": "a", "answer": 1}])
    before = LocalFile(path=str(path)).digest()
    write(path, [{"question": "a", "answer": 2}])
    assert LocalFile(path=str(path)).digest() != before


def test_families_share_the_limit_evenly():
    sums = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    families = [Family("a", 1, "chain_sum", sums), Family("b", 2, "gcd")]
    source = Procedural(limit=5)
    seeds = list(read_source(source, "math", families=families, rng_seed=1))
    assert [seed.family for seed in seeds] == ["a", "b", "a", "b", "a"]


DIGITS = {"min_terms": 2, "max_terms": 2, "min_digits": 2, "max_digits": 2}
PAIR = (Family("a", 1, "chain_sum", DIGITS), Family("b", 2, "gcd", balance=4))


def planted(share, limit=200, *, rng_seed=1, families=PAIR):
    source = Procedural(limit=limit, wrong_golds=share)
    return list(read_source(source, "math", families=families, rng_seed=rng_seed))


def test_a_share_of_wrong_golds_can_be_planted_and_counted():
    true, seeds = planted(0.0), planted(0.1)
    assert [s.prompt for s in seeds] == [s.prompt for s in true]
    for family in "ab":
        wrong = [s for s in seeds if s.family == family and TRUE_GOLD in s.facts]
        assert len(wrong) == 10
    for seed, before in zip(seeds, true, strict=True):
        if TRUE_GOLD in seed.facts:
            assert seed.facts[TRUE_GOLD] == before.answer != seed.answer
            assert numeric.verify(seed, seed.answer).right  # nobody can see it
        else:
            assert seed == before
    assert planted(0.1) == seeds
    assert planted(0.1, 80) == seeds[:80]
    places = [TRUE_GOLD in s.facts for s in seeds]
    assert [TRUE_GOLD in s.facts for s in planted(0.1, rng_seed=2)] != places


def test_without_a_wrong_gold_to_lend_items_keep_theirs():
    one = Family("one", 1, lambda draw: (f"{draw.random()}?", "7", {}))
    assert all(s.answer == "7" for s in planted(0.5, 20, families=[one]))


@pytest.mark.parametrize("share", [-0.1, 0.6, "many"])
def test_a_share_that_cannot_be_is_a_fault_of_the_study(share):
    with pytest.raises(ValidationError):
        Procedural(wrong_golds=share)
