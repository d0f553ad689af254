"""Files as people have them: what comes of each, row by row, or what is said of it."""

from __future__ import annotations

import bz2
import datetime
import decimal
import gzip
import io
import json
import lzma
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from phi_kit.core.errors import DataError
from phi_kit.data.dropped_rows import UnreadableRow
from phi_kit.data.read_sources import available_rows, read_source
from phi_kit.data.source_types import LocalFile

AB = [("a?", "1"), ("b?", "2")]
CSV = "question,answer\na?,1\nb?,2\n"
LINES = '{"question": "a?", "answer": 1}\n{"question": "b?", "answer": 2}\n'
ARRAY = '[{"question": "a?", "answer": 1}, {"question": "b?", "answer": 2}]'


def come(tmp_path, name, content, **options):
    """Every row of a file: its prompt and answer, or the reason it is none."""
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    source = LocalFile(path=str(path), **options)
    seeds = list(read_source(source, "d", families=(), rng_seed=1))
    assert available_rows(source, ()) == len(seeds)
    return [
        seed.reason if isinstance(seed, UnreadableRow) else (seed.prompt, seed.answer)
        for seed in seeds
    ]


def packed_zst(raw: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(raw)
    return sink.getvalue().to_pybytes()


def workbook() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("[Content_Types].xml", "<Types/>")
    return held.getvalue()


def archive() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        file.writestr("a.csv", CSV)
    return held.getvalue()


BAD = "unreadable line"
ODD = {
    # --- CSV: what parts the fields ---
    "semicolons": ("a.csv", CSV.replace(",", ";"), AB),
    "tabs": ("a.csv", CSV.replace(",", "\t"), AB),
    "bars": ("a.csv", CSV.replace(",", "|"), AB),
    "tsv": ("a.tsv", CSV.replace(",", "\t"), AB),
    "tsv with commas": ("a.tsv", "question\tanswer\na, b?\t1,5\n", [("a, b?", "1,5")]),
    "tsv with bare quotes": (
        "a.tsv",
        'question\tanswer\n"No" he said?\t1\n5" of what?\t2\n',
        [('"No" he said?', "1"), ('5" of what?', "2")],
    ),
    "sep=": ("a.csv", "sep=;\r\nquestion;answer\r\na?;1\r\nb?;2\r\n", AB),
    "quoted sep=": ("a.csv", '"sep=|"\nquestion|answer\na?|1\nb?|2\n', AB),
    "german excel": (
        "a.csv",
        "question;answer\nWas ist 1,5 + 2?;3,5\nWas ist 0,5 + 2,5?;3\n",
        [("Was ist 1,5 + 2?", "3,5"), ("Was ist 0,5 + 2,5?", "3")],
    ),
    "comma wins where both fit": (
        "a.csv",
        "question,answer\na; b?,1\n",
        [("a; b?", "1")],
    ),
    "one column": ("a.csv", "question\na, b?\nc?\n", "no column 'answer'"),
    # --- CSV: headers ---
    "spaces in the header": ("a.csv", "question, answer\na?, 1\nb?, 2\n", AB),
    "spaces around": ("a.csv", " question ,\tanswer\xa0\na?,1\nb?,2\n", AB),
    "spaces and quotes": ("a.csv", 'question, "answer"\n"a?", "1"\n"b?", "2"\n', AB),
    "empty lines first": ("a.csv", "\n\r\n,,\nquestion,answer,\na?,1,\nb?,2,\n", AB),
    "a name twice": (
        "a.csv",
        "question,answer,answer\na?,1,9\n",
        "stands 2 times; say which: 'answer (column 2)' or 'answer (column 3)'",
    ),
    "twice but for a space": (
        "a.csv",
        "question,answer,answer \na?,1,9\n",
        "the column 'answer' stands 2 times",
    ),
    "another name twice": ("a.csv", "x,question,x,answer\n0,a?,0,1\n0,b?,0,2\n", AB),
    "an index without a name": ("a.csv", ",question,answer\n0,a?,1\n1,b?,2\n", AB),
    "no header": ("a.csv", "a?,1\nb?,2\n", "no column 'question'"),
    "another case": ("a.csv", CSV.title(), "did you mean 'Question'"),
    # --- CSV: rows ---
    "crlf": ("a.csv", CSV.replace("\n", "\r\n"), AB),
    "old mac": ("a.csv", CSV.replace("\n", "\r"), AB),
    "many rows": (
        "a.csv",
        "question,answer\n" + "".join(f"{i}?,{i}\n" for i in range(2500)),
        [(f"{i}?", str(i)) for i in range(2500)],
    ),
    "many lines a row": (
        "a.csv",
        "question,answer\n" + "".join(f'"{i}\n\n?",{i}\n' for i in range(99)),
        [(f"{i}\n\n?", str(i)) for i in range(99)],
    ),
    "no last line end": ("a.csv", CSV.rstrip(), AB),
    "empty lines": ("a.csv", "question,answer\n\na?,1\n\n\nb?,2\n\n\n", AB),
    "blank rows": (
        "a.csv",
        "question,answer\na?,1\n,\nb?,2\n , \n",
        [AB[0], ("", ""), AB[1], ("", "")],
    ),
    "empty columns at the end": ("a.csv", "question,answer\na?,1,,\nb?,2,,,,\n", AB),
    "empty columns everywhere": ("a.csv", "question,answer,,\na?,1,,\nb?,2,,\n", AB),
    "a field too many": ("a.csv", "question,answer\na?,1,x\nb?,2\n", [BAD, AB[1]]),
    "a field too few": ("a.csv", "question,answer\na?\nb?,2\n", [BAD, AB[1]]),
    "a line inside quotes": (
        "a.csv",
        'question,answer\n"a\nb?",1\n"c\r\n\r\nd?",2\n',
        [("a\nb?", "1"), ("c\r\n\r\nd?", "2")],
    ),
    "doubled quotes": ("a.csv", 'question,answer\n"a ""b""?",1\n', [('a "b"?', "1")]),
    "an open quote": ("a.csv", 'question,answer\n"a?,1\nb?,2\n', [BAD, AB[1]]),
    "a form feed inside": (
        "a.csv",
        "question,answer\na\x0c\u2028b?,1\n",
        [("a\x0c\u2028b?", "1")],
    ),
    "a nul": ("a.csv", "question,answer\na\0?,1\nb?,2\n", [("a\0?", "1"), AB[1]]),
    "a huge cell": (
        "a.csv",
        f"question,answer\n{'x' * 300_000},1\n",
        [("x" * 300_000, "1")],
    ),
    "zeros stay": (
        "a.csv",
        "question,answer\na?,007\nb?,1.50\n",
        [("a?", "007"), ("b?", "1.50")],
    ),
    # --- encodings ---
    "utf-8 with a mark": ("a.csv", CSV.encode("utf-8-sig"), AB),
    "utf-16": ("a.csv", CSV.replace("a?", "é?").encode("utf-16"), [("é?", "1"), AB[1]]),
    "utf-16 big end": ("a.csv", b"\xfe\xff" + CSV.encode("utf-16-be"), AB),
    "utf-16 without a mark": ("a.csv", CSV.encode("utf-16-le"), AB),
    "utf-16-be without a mark": ("a.csv", CSV.encode("utf-16-be"), AB),
    "utf-32": ("a.csv", CSV.encode("utf-32"), AB),
    "utf-16 jsonl": ("a.jsonl", LINES.encode("utf-16"), AB),
    "utf-16 tsv of excel": ("a.tsv", CSV.replace(",", "\t").encode("utf-16"), AB),
    "cp1252 rows": (
        "a.csv",
        "question,answer\né?,1\nb?,2\n".encode("cp1252"),
        ["line in another encoding", AB[1]],
    ),
    "cp1252 throughout": (
        "a.csv",
        "question,answer\né?,1\n".encode("cp1252"),
        "say encoding: cp1252",
    ),
    "cp1252 header": (
        "a.csv",
        "prénom,question,answer\nx,a?,1\n".encode("cp1252"),
        "the header is not UTF-8",
    ),
    "cp1252 jsonl": (
        "a.jsonl",
        b'{"question": "\xe9?", "answer": 1}\n{"question": "b?", "answer": 2}',
        ["line in another encoding", AB[1]],
    ),
    # --- JSON ---
    "array": ("a.json", ARRAY, AB),
    "array called jsonl": ("a.jsonl", ARRAY, AB),
    "array over lines": ("a.jsonl", json.dumps(json.loads(ARRAY), indent=1), AB),
    "array one a line": ("a.jsonl", ARRAY.replace("}, ", "},\n"), AB),
    "lines called json": ("a.json", LINES, AB),
    "ndjson": ("a.ndjson", LINES, AB),
    "objects over lines": (
        "a.json",
        "\n".join(json.dumps(row, indent=2) for row in json.loads(ARRAY)),
        AB,
    ),
    "data inside": ("a.json", f'{{"version": 1, "data": {ARRAY}}}', AB),
    "data inside, over lines": (
        "a.json",
        json.dumps({"version": [1], "data": json.loads(ARRAY)}, indent=2),
        AB,
    ),
    "one row": ("a.jsonl", LINES.splitlines()[0], AB[:1]),
    "one row with rows in it": (
        "a.jsonl",
        '{"question": "a?", "answer": 1, "options": [{"x": 1}]}',
        AB[:1],
    ),
    "array with other things": (
        "a.json",
        f"[1, null, {ARRAY[1:]}",
        [BAD, BAD, *AB],
    ),
    "array cut off": (
        "a.json",
        ARRAY.replace("}, ", "},\n")[:-9],
        "is not whole: line 2",
    ),
    "array of arrays": (
        "a.json",
        '[["question", "answer"], ["a?", "1"]]',
        "is not a JSON object",
    ),
    "columns of lists": (
        "a.json",
        '{"question": ["a?"], "answer": ["1"]}',
        ["the question is a list"],
    ),
    "half a line": ("a.jsonl", LINES + '{"question": "c?", "ans', [*AB, BAD]),
    "zeros at the end": ("a.jsonl", LINES + "\0" * 50, [*AB, BAD]),
    "a nul inside": (
        "a.jsonl",
        LINES + '{"question": "c\0?", "answer": 3}',
        [*AB, BAD],
    ),
    "a spelt nul": (
        "a.jsonl",
        '{"question": "c\\u0000?", "answer": 3}',
        [("c\0?", "3")],
    ),
    "a key twice": (
        "a.jsonl",
        LINES + '{"question": "c?", "answer": 3, "answer": 4}',
        [*AB, BAD],
    ),
    "a key twice, alike": (
        "a.jsonl",
        LINES + '{"question": "c?", "answer": 3, "answer": 3}',
        [*AB, ("c?", "3")],
    ),
    "spaces around keys": ("a.jsonl", LINES.replace('"answer"', '" answer "'), AB),
    "a very long number": (
        "a.jsonl",
        LINES + f'{{"question": "c?", "answer": {"9" * 5000}}}',
        [*AB, BAD],
    ),
    "nothing": ("a.json", "", "has no rows"),
    "an empty array": ("a.json", "[]", "has no rows"),
    "empty lines only": ("a.jsonl", "\n \n", "has no rows"),
    # --- packed, and other than named ---
    "gz": ("a.jsonl.gz", gzip.compress(LINES.encode()), AB),
    "gz csv": ("a.CSV.GZ", gzip.compress(CSV.encode()), AB),
    "bz2": ("a.json.bz2", bz2.compress(ARRAY.encode()), AB),
    "xz": ("a.csv.xz", lzma.compress(CSV.encode()), AB),
    "zst": ("a.jsonl.zst", packed_zst(LINES.encode()), AB),
    "packed, not called so": ("a.csv", gzip.compress(CSV.encode()), AB),
    "called packed, and not": ("a.csv.gz", CSV, AB),
    "gz cut off": (
        "a.csv.gz",
        gzip.compress(CSV.encode())[:-12],
        "cannot be read as csv",
    ),
    "zst cut off": (
        "a.jsonl.zst",
        packed_zst(LINES.encode() * 999)[:-20],
        "cannot be read",
    ),
    "xz damaged": (
        "a.csv.xz",
        lzma.compress(CSV.encode())[:20] + b"x" * 30,
        "cannot be read",
    ),
    "a workbook": ("a.csv", workbook(), "it is an Excel workbook, whatever its name"),
    "an old workbook": ("a.csv", b"\xd0\xcf\x11\xe0" + bytes(500), "an Excel workbook"),
    "a zip": ("a.csv", archive(), "a zip archive"),
    "a pdf": ("a.csv", b"%PDF-1.7\n", "a PDF"),
    "a web page": ("a.jsonl", "<!DOCTYPE html><html></html>", "a web page"),
    "a pointer": (
        "a.parquet",
        "version https://git-lfs.github.com/spec/v1",
        "cannot be read as parquet",
    ),
    "json called csv": ("a.csv", LINES, "it holds JSON"),
    "csv called jsonl": ("a.jsonl", CSV, "line 1 is not JSON"),
    "no parquet": ("a.parquet", CSV, "cannot be read as parquet"),
    "empty parquet": ("a.parquet", "", "cannot be read as parquet"),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_files(tmp_path, case):
    name, content, want = ODD[case]
    if isinstance(want, str):
        with pytest.raises(DataError) as caught:
            come(tmp_path, name, content)
        assert want in str(caught.value)
        assert name in str(caught.value)
        assert "to do:" in str(caught.value)
    else:
        assert come(tmp_path, name, content) == want


def test_the_table_is_long_enough():
    assert len(ODD) > 60


# --- the same, with a word from the study file ---

WITH = {
    "cp1252": ("é;ü?,1\n", "cp1252", {"encoding": "cp1252"}, ("é;ü?", "1")),
    "latin-1": ("é?,1\n", "latin-1", {"encoding": "latin1"}, ("é?", "1")),
    "shift-jis": ("日本?,1\n", "shift-jis", {"encoding": "shift-jis"}, ("日本?", "1")),
    "utf-8 said": ("é?,1\n", "utf-8-sig", {"encoding": "UTF-8"}, ("é?", "1")),
}


@pytest.mark.parametrize("case", WITH)
def test_an_encoding_that_is_said(tmp_path, case):
    text, code, options, want = WITH[case]
    assert come(
        tmp_path, "a.csv", f"question,answer\n{text}".encode(code), **options
    ) == [want]


@pytest.mark.parametrize("name", ["cp125", "zip", "rot13", "klingon"])
def test_an_encoding_that_is_none(tmp_path, name):
    (tmp_path / "a.csv").write_text(CSV)
    with pytest.raises(ValidationError, match="no such encoding"):
        LocalFile(path=str(tmp_path / "a.csv"), encoding=name)


@pytest.mark.parametrize("name", ["a.xlsx", "a.ods", "a.XLS"])
def test_workbooks_are_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(ValidationError, match="save its sheet as CSV"):
        LocalFile(path=str(tmp_path / name))


def test_either_of_two_columns_of_one_name(tmp_path):
    text = "question,answer,answer\na?,1,9\n"
    for place, said in ((2, "1"), (3, "9")):
        name = f"answer (column {place})"
        assert come(tmp_path, "a.csv", text, answer=name) == [("a?", said)]


def rows(tmp_path, *found, **options):
    text = "\n".join(json.dumps(row) for row in found)
    return come(tmp_path, "a.jsonl", text, **options)


def test_parts_of_columns(tmp_path):
    row = {
        "question": {"text": "a?"},
        "answer": {"value": 1, "aliases": ["1", "one"]},
        "messages": [{"content": "b?"}, {"content": "2"}],
    }
    path = {"question": "question.text", "answer": "answer.value"}
    assert rows(tmp_path, row, **path) == [("a?", "1")]
    chat = {"question": "messages.0.content", "answer": "messages.1.content"}
    assert rows(tmp_path, row, **chat) == [("b?", "2")]
    short = {**row, "messages": [{"content": "b?"}]}
    assert rows(tmp_path, row, short, **chat)[1] == "no column 'messages.1.content'"
    none = {**row, "answer": None}
    assert rows(tmp_path, row, none, **path) == [("a?", "1"), ("a?", "")]
    assert rows(tmp_path, {**row, "answer.value": 7}, **path) == [("a?", "7")]
    with pytest.raises(DataError, match=r"did you mean 'answer.value'"):
        rows(tmp_path, row, question="question.text", answer="answer.valeu")
    assert rows(tmp_path, row, question="question.text") == ["the answer is a mapping"]


GOLDS = [
    (["Paris"], "Paris"),
    (["72", "72.0"], "72"),
    ([72, "72"], "72"),
    (["Paris", "paris", None, "Paris."], "Paris"),
    ([["4"], ["4"]], "4"),
    ([], ""),
    ([None], ""),
    (["1,000", 1000], "1,000"),
    (["Rome", "Roma"], "several different answers"),
    ([1, 2], "several different answers"),
    ([{"text": "x"}], "the answer is a list that holds a mapping"),
    ({"value": 3}, "the answer is a mapping"),
    (True, "True"),
    (False, "False"),
    (None, ""),
    (float("nan"), ""),
    (13.0, "13"),
    (0.1, "0.1"),
    (-0.0, "0"),
    (1e-7, "1e-07"),
    (6.02e23, "6.02e+23"),
    (2**70, str(2**70)),
]


@pytest.mark.parametrize(("gold", "said"), GOLDS)
def test_golds(tmp_path, gold, said):
    good = {"question": "q?", "answer": "1"}
    found = rows(tmp_path, good, {"question": "a?", "answer": gold})[1]
    assert found in (said, ("a?", said))


@pytest.mark.parametrize(
    ("literal", "said"),
    [
        ("9007199254740993.0", "9007199254740993"),
        ("9007199254740992.0", "9007199254740992"),
        ("3.14159265358979323846", "3.14159265358979323846"),
        ("6.02e23", "6.02e+23"),
        ("1E5", "100000"),
        ("2.50", "2.5"),
        ("1e999", "1e999"),
    ],
)
def test_a_number_is_what_was_written(tmp_path, literal, said):
    text = f'{{"question": "a?", "answer": {literal}}}'
    assert come(tmp_path, "a.jsonl", text) == [("a?", said)]


def test_several_answers_that_are_each_right(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"question": "a?", "answer": ["Rome", "Roma", "rome"]}))
    source = LocalFile(path=str(path), several="any")
    (seed,) = read_source(source, "d", families=(), rng_seed=1)
    assert seed.answer == "Rome"
    assert seed.facts == {"accepted": ["Roma"]}


def parquet(tmp_path, values, kind, **options):
    column = pa.array(values, type=kind)
    table = pa.table(
        {"question": [f"{i}?" for i in range(len(column))], "answer": column}
    )
    held = io.BytesIO()
    pq.write_table(table, held)
    name = options.pop("name", "a.parquet")
    found = come(tmp_path, name, held.getvalue(), **options)
    return [row if isinstance(row, str) else row[1] for row in found]


DAY = datetime.datetime(2024, 2, 29)
TYPED = {
    "float32": (
        [0.1, 2.55, 3.0, None, 6.02e23],
        pa.float32(),
        ["0.1", "2.55", "3", "", "6.02e+23"],
    ),
    "float16": ([0.5, 65504.0], pa.float16(), ["0.5", "65504"]),
    "float64": ([0.1, float("nan"), 7.0], pa.float64(), ["0.1", "", "7"]),
    "floats in lists": ([[0.1], [2.0]], pa.list_(pa.float32()), ["0.1", "2"]),
    "int8": ([1, None], pa.int8(), ["1", ""]),
    "uint64": ([2**64 - 1], pa.uint64(), [str(2**64 - 1)]),
    "bool": ([True, None], pa.bool_(), ["True", ""]),
    "decimal": (
        [
            decimal.Decimal("72.00"),
            decimal.Decimal("3.50"),
            decimal.Decimal("0.00"),
            None,
        ],
        pa.decimal128(10, 2),
        ["72", "3.5", "0", ""],
    ),
    "date": ([DAY.date()], pa.date32(), ["2024-02-29"]),
    "timestamp": (
        [DAY, DAY.replace(hour=7)],
        pa.timestamp("ns"),
        ["2024-02-29", "2024-02-29 07:00:00"],
    ),
    "time": ([datetime.time(7, 5)], pa.time32("s"), ["07:05:00"]),
    "dictionary": (
        ["x", "y", "x"],
        pa.dictionary(pa.int8(), pa.string()),
        ["x", "y", "x"],
    ),
    "bytes": (
        [b"x", b"\xff"],
        pa.binary(),
        ["x", "the answer is bytes that are no text"],
    ),
    "large": (["x"], pa.large_string(), ["x"]),
    "nulls": ([None], pa.null(), [""]),
    "lists": (
        [["1"], ["2", "3"], None],
        pa.list_(pa.string()),
        ["1", "several different answers", ""],
    ),
    "mappings": (
        [{"v": 0.1}],
        pa.struct([("v", pa.float32())]),
        ["the answer is a mapping"],
    ),
}


@pytest.mark.parametrize("case", TYPED)
def test_parquet_columns(tmp_path, case):
    values, kind, want = TYPED[case]
    assert parquet(tmp_path, values, kind) == want


def test_a_part_of_a_parquet_column(tmp_path):
    kind = pa.struct([("v", pa.float32())])
    assert parquet(tmp_path, [{"v": 0.1}, None], kind, answer="answer.v") == ["0.1", ""]


def test_parquet_by_another_name(tmp_path):
    assert parquet(tmp_path, [1], pa.int8(), name="a.csv") == ["1"]
    table = pa.Table.from_arrays(
        [pa.array(["a"])] * 3, names=["question", "answer", "answer"]
    )
    pq.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="stands 2 times"):
        come(tmp_path, "twice.parquet", (tmp_path / "twice.parquet").read_bytes())


def test_what_lies_in_a_folder(tmp_path):
    for name in ("b.jsonl", ".hidden.jsonl", "__MACOSX/b.jsonl", ".git/b.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(LINES)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    (tmp_path / "dataset_info.json").write_text("{}")
    names = [path.name for path in LocalFile(path=str(tmp_path)).files()]
    assert names == ["a.csv.gz", "b.jsonl"]
