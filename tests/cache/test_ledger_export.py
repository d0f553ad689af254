"""`phi-kit ledger`: sums and files."""

import json
import sqlite3
from dataclasses import replace

import pandas as pd
import pytest
from samplers import Counting
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.inference.draw import draw
from phi_kit.inference.types import SamplingParams


def call(*arguments):
    return CliRunner().invoke(app, ["ledger", *arguments], prog_name="phi-kit")


@pytest.fixture
def sampled(runs):
    how = SamplingParams(max_tokens=50)
    base = draw(Counting(), ["one", "two"], how, k=5)
    tuned = Counting(name="counting+arm", identity="weights-1/float32+arm-1")
    return [*base, *draw(tuned, ["öne"], how, k=3)]


def test_stats(sampled):
    done = call("stats")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    everyone = [sample for samples in sampled for sample in samples]
    base, tuned = everyone[:10], everyone[10:]
    for line, name, part in zip(
        lines[2:4], ("counting", "counting+arm"), (base, tuned), strict=True
    ):
        cut = sum(sample.finish == "length" for sample in part) / len(part)
        tokens = sum(sample.tokens for sample in part)
        expected = [name, str(len(part)), str(tokens), f"{cut:.1%}"]
        assert line.split()[:4] == expected
    assert lines[4:] == [
        "counting: weights-1/float32",
        "counting+arm: weights-1/float32+arm-1",
    ]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ((), 13),
        (("--model", "counting"), 10),
        (("--model", "weights-1/float32+arm-1"), 3),
    ],
)
def test_exports_hold_the_same_rows(sampled, tmp_path, words, count):
    plain, parquet = tmp_path / "out.jsonl", tmp_path / "out.parquet"
    for out in (plain, parquet):
        done = call("export", str(out), *words)
        assert done.exit_code == 0, done.stderr
        assert done.stdout == f"{count} samples: {out}\n"
    listed = [json.loads(line) for line in plain.read_text().splitlines()]
    table = pd.read_parquet(parquet)
    assert len(listed) == len(table) == count
    assert table.text.tolist() == [row["text"] for row in listed]
    assert table.seed.tolist() == [row["seed"] for row in listed]
    assert listed[0]["settings"]["max_tokens"] == 50
    assert {path.name for path in tmp_path.iterdir()} >= {"out.jsonl", "out.parquet"}
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_exported_is_a_message(sampled, tmp_path):
    for words, says in (
        (["out.csv"], "an export is .jsonl or .parquet"),
        (["out.jsonl", "--model", "countng"], "did you mean 'counting'"),
        ([str(tmp_path / "none" / "out.jsonl")], "there is no such folder"),
    ):
        done = call("export", *words)
        assert done.exit_code == 1
        assert says in done.stderr


def test_without_a_ledger(runs, monkeypatch):
    assert "there is no such ledger" in call("stats").stderr
    monkeypatch.setenv("PHI_KIT_LEDGER", "off")
    assert "PHI_KIT_LEDGER is off" in call("stats").stderr
    assert not runs.exists()


def test_a_replay_of_nothing(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_REPLAY", "")  # the command sets it: put back after
    done = call("replay", str(tmp_path / "none.sqlite"), "params/smoke.yaml")
    assert done.exit_code == 1
    assert "there is no such ledger" in done.stderr


@pytest.mark.parametrize(
    ("column", "value"),
    [("text", b"\xff"), ("tokens", "many"), ("prompt", b""), ("settings", b"{}")],
)
@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_a_row_of_another_type_is_named(sampled, runs, tmp_path, column, value, name):
    with sqlite3.connect(runs / "ledger.sqlite") as plain:
        key = plain.execute("SELECT max(key) FROM samples").fetchone()[0]
        update = f"UPDATE samples SET {column} = ? WHERE key = ?"
        plain.execute(update, (value, key))
    done = call("export", str(tmp_path / name))
    assert done.exit_code == 1
    assert f"its {column} is of the type" in done.stderr
    assert key in done.stderr
    assert not list(tmp_path.glob("*out*"))
    assert call("stats").exit_code == 0


def test_settings_that_are_no_json_stay_as_they_are(sampled, runs, tmp_path):
    with sqlite3.connect(runs / "ledger.sqlite") as plain:
        plain.execute("UPDATE samples SET settings = '{'")
    out = tmp_path / "out.jsonl"
    assert call("export", str(out)).exit_code == 0
    assert {json.loads(line)["settings"] for line in out.read_text().splitlines()} == {
        "{"
    }


def test_stats_count_what_has_no_answer(runs):
    class Choosy(Counting):
        def stream(self, asked, sampling):
            for place, sample in super().stream(asked, sampling):
                why = "filtered" if place < 2 else sample.finish
                yield place, replace(sample, finish=why)

    draw(Choosy(), ["one", "two"], SamplingParams(max_tokens=50), k=4)
    (head, row) = call("stats").stdout.splitlines()[1:3]
    assert head.split()[4] == "unanswered"
    assert row.split()[4] == "25.0%"
