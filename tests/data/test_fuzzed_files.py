"""Seed files with bytes turned, cut, doubled, moved: a message, never a traceback."""

from __future__ import annotations

import gzip
import io
import json
import random
import resource
import time
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phi_kit.core.errors import PhiKitError
from phi_kit.core.row_counts import RowCounts
from phi_kit.data import dropped_rows
from phi_kit.data.near_duplicates import NearDuplicateIndex
from phi_kit.data.read_sources import available_rows, read_source
from phi_kit.data.records import to_frame
from phi_kit.data.row_filters import filter_rows
from phi_kit.data.sealed_splits import Seal
from phi_kit.data.source_types import LocalFile
from phi_kit.models.control_tokens import FAMILIES
from phi_kit.verifiers import choice, contains
from phi_kit.verifiers.math import numeric

MORE = "Give “one” number; nothing else, ü. "
ROWS = [
    {
        "question": f"What is {n} + {n % 7}? {MORE * (n % 3)}",
        "answer": n + n % 7 if n % 5 else (n + 0.5 if n % 2 else [str(n)]),
        "note": {"a": [n, None], "b": "x\ny"},
    }
    for n in range(40)
]
CSV = "question,answer,note\n" + "".join(
    f'"{row["question"]}",{n},"a ""b""\n{n}"\n' for n, row in enumerate(ROWS)
)
LINES = "\n".join(map(json.dumps, ROWS))


def parquet() -> bytes:
    table = pa.table(
        {
            "question": [row["question"] for row in ROWS],
            "answer": pa.array([n / 4 for n in range(len(ROWS))], pa.float32()),
            "note": [[n] for n in range(len(ROWS))],
        }
    )
    held = io.BytesIO()
    pq.write_table(table, held)
    return held.getvalue()


WHOLE = {
    "a.csv": CSV.encode(),
    "b.csv": CSV.replace(",", ";").encode("utf-16"),
    "c.csv": CSV.encode("cp1252", "replace"),
    "d.tsv": CSV.replace(",", "\t").encode("utf-8-sig"),
    "e.csv.gz": gzip.compress(CSV.encode(), mtime=0),
    "f.jsonl": LINES.encode(),
    "g.json": json.dumps(ROWS, indent=1).encode(),
    "h.json": json.dumps({"data": ROWS}).encode(),
    "i.ndjson": LINES.encode("utf-16"),
    "j.parquet": parquet(),
}
STRANGE = (
    *(b"\0", b'"', b"'", b",", b";", b"\t", b"\r", b"\n\n", b"[", b"{", b"}", b"\\"),
    *(b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b"NaN", b"1e999", b"-"),
    *(b"<|im_end|>", b"sep=;\n", b"9" * 5000, b"[" * 2000, b'""' * 500, b"PK\x03\x04"),
)


def changed(raw: bytes, dice: random.Random) -> bytes:
    """A file with one to six things done to it."""
    raw = bytearray(raw)
    for _ in range(dice.randint(1, 6)):
        at, to = sorted(dice.randrange(len(raw) + 1) for _ in range(2))
        to = min(to, at + dice.choice((1, 9, 200)))
        what = dice.randrange(6)
        if what == 0 and at < len(raw):
            raw[at] = dice.randrange(256)
        elif what == 1:
            del raw[at:to]
        elif what == 2:
            raw[at:at] = dice.choice(STRANGE)
        elif what == 3:
            raw[at:at] = raw[at:to] * dice.choice((1, 2, 40))
        elif what == 4:
            raw[at:to] = bytes(reversed(raw[at:to]))
        elif dice.random() < 0.2:
            del raw[at:]
    return bytes(raw)


def sums_up(path, limit: int, verifier) -> RowCounts:
    """What a file comes to under a limit, as step 2 counts it."""
    source = LocalFile(path=str(path), limit=limit)
    found = list(read_source(source, "d", families=(), rng_seed=1))
    judged = list(
        filter_rows(
            found,
            verifier,
            Seal(["What is 5 + 5?"]),
            max_chars=500,
            near=NearDuplicateIndex(),
            marks=FAMILIES,
        )
    )
    there = available_rows(source, ()) if len(found) >= limit else len(found)
    flow = RowCounts(unread=there - len(found))
    flow.take(reason for _, reason in judged)
    kept = to_frame(seed for seed, reason in judged if reason is None)
    for table in (
        kept,
        dropped_rows.dropped_table(judged),
        dropped_rows.seal_hit_table(judged),
    ):
        table.to_parquet(io.BytesIO())
    return flow


def files(n: int, seed: int):
    dice = random.Random(seed)
    names = list(WHOLE)
    for number in range(n):
        name = names[number % len(names)]
        yield number, name, changed(WHOLE[name], dice), dice


def try_all(tmp_path, n: int, seed: int) -> tuple[int, int]:
    """How many files were read and how many refused."""
    read_whole = refused = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, name, raw, dice in files(n, seed):
        path = tmp_path / name
        path.write_bytes(raw)
        verifier = dice.choice((numeric.verify, contains.verify))
        began = time.monotonic()
        try:
            flow = sums_up(path, dice.choice((1, 7, 25, 10**6)), verifier)
            every = read_source(LocalFile(path=str(path)), "d", families=(), rng_seed=1)
            there = sum(1 for _ in every)
        except PhiKitError as error:
            said = str(error)
            refused += "\n  to do: " in said  # or it is neither read nor refused
        else:
            counts = flow.as_dict()
            dropped = sum(counts["dropped"].values())
            total = counts["kept"] + dropped + counts.get("unread", 0)
            assert total == there, (seed, number)
            read_whole += 1
        assert time.monotonic() - began < 60, (seed, number)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 1 << 20  # kilobytes
    return read_whole, refused


def test_half_a_character_can_be_written_wherever_it_stands(tmp_path):
    path = tmp_path / "a.jsonl"
    half = "\ud800"
    rows = [
        {"q": f"a{half}", "a": f"b{half}", "c": [f"x{half}", "y"], "d": {half: half}},
        {"q": "Which?", "a": "x", "c": {"A": "x", half: half, "B": f"y{half}"}, "d": 1},
        {"q": "a", "a": {half: half}, "c": [], "d": 1},
        {"q": "a", "a": [half, "b", "c"], "c": [], "d": 1},
    ]
    text = "\n".join(map(json.dumps, rows))
    path.write_text(f'{text}\n{{"\\ud800": 1, "\\ud800": 2}}')
    columns = {"question": "q", "answer": "a", "choices": ["c"], "extra": {"d": "d"}}
    found = list(
        read_source(LocalFile(path=str(path), **columns), "d", families=(), rng_seed=1)
    )
    assert len(found) == 5
    judged = list(
        filter_rows(
            found, choice.verify, Seal([]), max_chars=500, near=NearDuplicateIndex()
        )
    )
    dropped_rows.dropped_table(judged).to_parquet(tmp_path / "out.parquet")
    to_frame(found).to_parquet(tmp_path / "out.parquet")


def test_the_files_are_whole_to_begin_with(tmp_path):
    for name, raw in WHOLE.items():
        (tmp_path / name).write_bytes(raw)
        source = LocalFile(path=str(tmp_path / name))
        assert (
            len(list(islice(read_source(source, "d", families=(), rng_seed=1), 99)))
            == 40
        )


@pytest.mark.slow
def test_a_hundred_changed_files(tmp_path):
    read_whole, refused = try_all(tmp_path, 100, seed=1)
    assert read_whole + refused == 100
    assert read_whole > 40


@pytest.mark.slow
def test_a_thousand_changed_files(tmp_path):
    read_whole, refused = try_all(tmp_path, 1000, seed=2)
    assert read_whole + refused == 1000
    assert read_whole > 400
