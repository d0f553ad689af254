"""`phi-kit verify`: every line gets its verdict, whatever stands in it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.sandbox import sandbox


def call(*arguments, **options):
    return CliRunner().invoke(app, list(arguments), prog_name="phi-kit", **options)


def row(gold, response, **more):
    return json.dumps({"prompt": "q", "gold": gold, "response": response, **more})


def test_one_line_per_row_and_a_summary(tmp_path):
    file = tmp_path / "rows.jsonl"
    lines = [
        row("5", "The answer is 5."),
        row("5", "I saw 5 and then 6", finish="length"),
        row("", "5"),
        "{broken",
        "",
        "[1, 2]",
        row("5", "hm", finish="stop"),
        json.dumps({"gold": "5"}),
        row(5, 5),
    ]
    file.write_text("\n".join(lines) + "\n")
    done = call("verify", "math", str(file))
    assert done.exit_code == 0
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["line"] for r in said] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert [r["verdict"] for r in said] == [
        *("right", "wrong", "unknown", "unknown", "unknown", "wrong", "unknown"),
        "right",
    ]
    assert all({"verdict", "lenient", "reason", "extracted"} <= set(r) for r in said)
    assert said[1]["truncated"] is True
    assert "truncated" not in said[0]
    assert "no JSON" in said[3]["reason"]
    assert "no 'response'" in said[6]["reason"]
    assert "8 rows: 2 right, 2 wrong, 4 unknown" in done.stderr
    assert "unparsed 1 (12.5%)" in done.stderr
    assert "truncated 1; malformed 3" in done.stderr


def test_choices_may_stand_in_the_row(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text(row("B", "Rome", choices={"A": "Paris", "B": "Rome"}))
    done = call("verify", "choice", str(file))
    assert json.loads(done.stdout)["verdict"] == "right"


def test_broken_text_is_no_end(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(
        b"\xff\xfe\n" + row("5", "5").encode() + b'\n{"gold": "\xff"}\n\x00\n'
    )
    done = call("verify", "math", str(file))
    assert done.exit_code == 0
    verdicts = [json.loads(line)["verdict"] for line in done.stdout.splitlines()]
    assert verdicts == ["unknown", "right", "unknown", "unknown"]


@pytest.mark.parametrize("arguments", [("math", "none.jsonl"), ("maths", "none.jsonl")])
def test_a_missing_file_or_domain_is_a_message(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call("verify", *arguments)
    assert done.exit_code == 1
    assert done.stderr.startswith("phi-kit: ")
    assert "Traceback" not in done.output


def test_code_rows_say_which_isolation_is_in_force(tmp_path):
    file = tmp_path / "rows.jsonl"
    tests = {"tests": ["assert add(1, 2) == 3"]}
    lines = [
        row("", "def add(a, b): return a + b", extra=tests),
        row("", "def add(a, b): return a - b", extra=tests),
        row("", "I cannot", extra=tests),
        row("3", "3"),
    ]
    file.write_text("\n".join(lines))
    done = call("verify", "coding", str(file))
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["verdict"] for r in said] == ["right", "wrong", "wrong", "right"]
    walls = str(sandbox.isolation())
    assert all(r["reason"].endswith(f"[{walls}]") for r in said[:2])
    assert f"code was run in the sandbox: {walls}" in done.stderr


def test_nothing_is_said_of_a_sandbox_where_no_code_ran(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text(row("3", "3"))
    sandbox.isolation.cache_clear()
    assert "sandbox" not in call("verify", "coding", str(file)).stderr
