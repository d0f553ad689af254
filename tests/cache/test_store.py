"""The ledger: what was paid for once is not paid for again."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from fake_study import Pick
from samplers import Counting

from phi_kit.cache import leases, store
from phi_kit.cache.schema import lease_holders, samples
from phi_kit.core.errors import RunError
from phi_kit.core.step_run import open_run
from phi_kit.inference.draw import draw
from phi_kit.inference.types import SamplingParams

HERE = Path(__file__).resolve().parent
PROMPTS = ["one", "two", "three"]
HOW = SamplingParams(max_tokens=100, temperature=0.8)


def rows(file):
    with sqlite3.connect(file) as plain:
        plain.row_factory = sqlite3.Row
        return [dict(row) for row in plain.execute("SELECT * FROM samples")]


@pytest.fixture
def file(runs):
    return runs / "ledger.sqlite"


def test_more_samples_pay_for_the_difference(file):
    sampler = Counting()
    four = draw(sampler, PROMPTS, HOW, k=4)
    assert len(sampler.asked) == 12
    eight = draw(sampler, PROMPTS, HOW, k=8)
    assert len(sampler.asked) == 24
    assert [samples[:4] for samples in eight] == four
    assert draw(sampler, PROMPTS, HOW, k=[1, 8, 3]) == [
        samples[:n] for samples, n in zip(eight, [1, 8, 3], strict=True)
    ]
    assert len(sampler.asked) == 24
    assert len(rows(file)) == 24


def test_one_edited_prompt_pays_for_one(file):
    sampler = Counting()
    draw(sampler, PROMPTS, HOW)
    sampler.asked.clear()
    draw(sampler, ["one", "two!", "three"], HOW)
    assert [one.prompt for one in sampler.asked] == ["two!"]


@pytest.mark.parametrize(
    "change",
    [
        {"identity": "weights-1/float32+adapter-7"},
        {"identity": "weights-2/float32"},
        {"sampling": replace(HOW, temperature=0.7)},
        {"sampling": replace(HOW, max_tokens=101)},
        {"rng_seed": 8},
        {"label": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_nothing_stale_is_met(file, change):
    draw(Counting(), PROMPTS, HOW, k=2)
    other = Counting(identity=change.pop("identity", Counting.identity))
    sampling = change.pop("sampling", HOW)
    draw(other, PROMPTS, sampling, k=2, **change)
    assert len(other.asked) == 6
    assert len(rows(file)) == 12


def test_another_template_is_another_prompt(tiny, file, monkeypatch):
    sampler = replace(tiny, identity="tiny/float32")
    short = SamplingParams(max_tokens=2)
    for _ in range(2):
        draw(sampler, [sampler.render("Count.", "1")], short)
    assert len(rows(file)) == 1
    changed = f"New. {tiny.tokenizer.chat_template}"
    monkeypatch.setattr(tiny.tokenizer, "chat_template", changed)
    draw(sampler, [sampler.render("Count.", "1")], short)
    assert len(rows(file)) == 2


def test_samples_are_the_same_with_and_without(runs, monkeypatch):
    prompts = [*PROMPTS, "two"]  # one twice
    kept = draw(Counting(), prompts, HOW, k=3)
    assert draw(Counting(breaks=0), prompts, HOW, k=3) == kept
    monkeypatch.setenv("PHI_KIT_LEDGER", "off")
    assert draw(Counting(), prompts, HOW, k=3) == kept


def test_equal_prompts_are_paid_once(file):
    sampler = Counting()
    one, other = draw(sampler, ["two", "two"], HOW, k=2)
    assert one == other
    assert len(sampler.asked) == len(rows(file)) == 2


def test_rows_say_everything_in_plain_columns(file):
    (kept,) = draw(Counting(), ["one"], HOW, k=1, rng_seed=7, label="a")[0]
    (row,) = rows(file)
    assert row.pop("seconds") >= 0
    assert row.pop("created_at")[:2] == "20"
    assert len(row.pop("key")) == 32
    assert json.loads(row.pop("settings")) == {"max_tokens": 100, "temperature": 0.8}
    assert row.pop("seed") > 0
    assert row == {
        "model": "weights-1/float32",
        "prompt": "one",
        "sample": 0,
        "text": kept.text,
        "tokens": kept.tokens,
        "finish": kept.finish,
        "logprob": kept.logprob,
        "cost": None,
    }


def test_a_model_without_identity_is_not_kept(file):
    draw(Counting(identity=""), PROMPTS, HOW)
    assert not file.exists()


def test_off_is_off(file, monkeypatch):
    monkeypatch.setenv("PHI_KIT_LEDGER", "off")
    draw(Counting(), PROMPTS, HOW)
    assert not file.exists()


def test_it_lies_where_it_is_told(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_LEDGER", str(tmp_path / "new" / "other.db"))
    draw(Counting(), PROMPTS, HOW)
    assert len(rows(tmp_path / "new" / "other.db")) == 3
    assert not runs.exists()


def test_a_ledger_that_was_moved_away_is_begun_anew(file):
    draw(Counting(), PROMPTS, HOW)
    for path in file.parent.glob("ledger.sqlite*"):
        path.rename(path.with_name(path.name.replace("ledger", "old")))
    draw(Counting(), PROMPTS[:2], HOW)
    assert len(rows(file)) == 2
    assert len(rows(file.with_name("old.sqlite"))) == 3


def test_what_came_before_a_failure_is_kept(file):
    broken = Counting(breaks=4)
    with pytest.raises(ConnectionError):
        draw(broken, PROMPTS, HOW, k=3)
    assert len(rows(file)) == 4
    mended = Counting()
    draw(mended, PROMPTS, HOW, k=3)
    assert len(mended.asked) == 5
    with sqlite3.connect(file) as plain:
        assert plain.execute("SELECT count(*) FROM claims").fetchone() == (0,)
        assert plain.execute("SELECT count(*) FROM owners").fetchone() == (0,)


def test_lookups_come_in_bulk(file):
    prompts = [f"prompt {n}" for n in range(500)]
    draw(Counting(), prompts, HOW, k=8)
    said = []
    engine = store.open_ledger().database.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *a: said.append(a[2]))
    draw(Counting(breaks=0), prompts, HOW, k=8)
    assert len(said) <= 4


def test_the_manifest_counts_and_the_digest_does_not(runs, monkeypatch):
    def step():
        with open_run(Pick()) as run:
            draw(Counting(), PROMPTS, HOW, k=2)
            draw(Counting(identity="weights-2"), PROMPTS, HOW)
        return run.run_folder.manifest

    first = step()
    paid = first["samples"]["paid_tokens"]
    assert paid > 0
    assert first["samples"] == {
        "asked": 9,
        "from_ledger": 0,
        "paid": 9,
        "paid_tokens": paid,
        "cost": None,
    }
    second = step()
    assert second["samples"] == {
        "asked": 9,
        "from_ledger": 9,
        "paid": 0,
        "paid_tokens": 0,
        "cost": None,
    }
    for name in ("digest", "fingerprint", "result"):
        assert first[name] == second[name]
    monkeypatch.setenv("PHI_KIT_LEDGER", "off")
    assert step()["samples"]["paid"] == 9


def test_costs_add_up(runs):
    class Priced(Counting):
        def stream(self, asked, sampling):
            for place, sample in super().stream(asked, sampling):
                yield place, replace(sample, cost=0.25)

    with open_run(Pick()) as run:
        first = draw(Priced(), PROMPTS, HOW)
    assert run.run_folder.manifest["samples"]["cost"] == 0.75
    assert draw(Priced(), PROMPTS, HOW) == first


def test_the_reader_is_told_what_was_free(runs, capsys):
    draw(Counting(), PROMPTS, HOW, k=2, label="base on dev")
    assert capsys.readouterr().out == ""
    draw(Counting(), PROMPTS, HOW, k=3, label="base on dev")
    said = capsys.readouterr().out
    assert said == "base on dev: 6 of 9 samples came from the ledger\n"


def test_time_left_is_of_what_must_be_paid():
    from phi_kit.core.progress import Heartbeat

    bar = Heartbeat("x", total=100, unit="samples")
    bar.have(80)
    bar.step(10)
    line = bar.line(bar.started + 10)
    assert line == "x: 90/100 samples (80 from the ledger), 10 s left"


# --- two processes -------------------------------------------------------------

CLAIM = """
import os, sys, time
os.environ["PHI_KIT_LEDGER"] = sys.argv[1]
from samplers import Counting
from phi_kit.inference.draw import draw
from phi_kit.inference.types import SamplingParams

class Slow(Counting):
    def stream(self, asked, sampling):
        for place, sample in super().stream(asked, sampling):
            print("working", flush=True)
            time.sleep(float(sys.argv[2]))
            yield place, sample

draw(Slow(), ["one", "two"], SamplingParams(100, 0.8), k=3)
print("done", flush=True)
"""


def other_process(file, seconds):
    path = os.pathsep.join([str(HERE.parents[1]), str(HERE.parent)])
    process = subprocess.Popen(
        [sys.executable, "-c", CLAIM, str(file), str(seconds)],
        env={**os.environ, "PYTHONPATH": path, "PHI_KIT_HEADLESS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "working\n"
    return process


@pytest.mark.slow
def test_what_another_process_draws_is_waited_for(file):
    process = other_process(file, 0.3)
    sampler = Counting()
    found = draw(sampler, PROMPTS, HOW, k=3)
    assert {one.prompt for one in sampler.asked} == {"three"}
    assert process.communicate(timeout=30)[0].endswith("done\n")
    assert draw(Counting(breaks=0), PROMPTS, HOW, k=3) == found


def test_the_claims_of_a_killed_process_are_free_at_once(file):
    process = other_process(file, 600)
    process.kill()
    sampler, began = Counting(), time.monotonic()
    draw(sampler, PROMPTS, HOW, k=3)  # not yet waited for: a zombie is dead, too
    assert time.monotonic() - began < 10
    assert len(sampler.asked) == 9
    process.communicate()


@pytest.mark.slow
def test_the_leases_of_another_machine_lapse(file, monkeypatch):
    monkeypatch.setattr(leases, "LEASE_SECONDS", 2.0)
    monkeypatch.setattr(
        leases, "_process_identity", lambda pid: ("elsewhere", pid, 0.0)
    )
    draw(Counting(), ["zero"], HOW)  # makes the ledger
    keys = [
        row["key"]
        for row in _planned(PROMPTS, monkeypatch)  # leased, and never paid for
    ]
    with leases.Leases(store.open_ledger().database) as there:
        there.take(keys)
        monkeypatch.undo()
        monkeypatch.setenv("PHI_KIT_RUNS", str(file.parent))
        monkeypatch.delenv("PHI_KIT_LEDGER", raising=False)
        sampler, began = Counting(), time.monotonic()
        draw(sampler, PROMPTS, HOW)
        assert time.monotonic() - began > 0.5
    assert len(sampler.asked) == 3


def _planned(prompts, monkeypatch):
    """The keys of a draw, from a ledger of its own."""
    with monkeypatch.context() as patch:
        patch.setenv("PHI_KIT_LEDGER", os.environ["PHI_KIT_RUNS"] + "/planned.sqlite")
        draw(Counting(), prompts, HOW)
        return rows(os.environ["PHI_KIT_LEDGER"])


@pytest.mark.slow
def test_a_long_draw_stays_alive(file, monkeypatch):
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.1)
    seen = []

    class Watched(Counting):
        def stream(self, asked, sampling):
            for place, sample in super().stream(asked, sampling):
                with store.open_ledger().database.connection() as opened:
                    seen.append(opened.scalar(sa.select(lease_holders.c.until)))
                time.sleep(1.2)
                yield place, sample

    draw(Watched(), PROMPTS, HOW)
    assert seen[0] < seen[1] < seen[2]


def test_threads_share_it(file):
    sampler, found = Counting(), []
    threads = [
        threading.Thread(target=lambda: found.append(draw(sampler, PROMPTS, HOW, k=4)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(one == found[0] for one in found)
    assert len(sampler.asked) == 12


# --- what can go wrong ----------------------------------------------------------


def test_a_damaged_file_is_one_clear_message(file):
    draw(Counting(), [f"prompt {n}" for n in range(200)], HOW, k=2)
    store.open_ledger().database.engine.dispose()
    data = bytearray(file.read_bytes())
    data[4096:] = b"\x5a" * (len(data) - 4096)
    file.write_bytes(data)
    with pytest.raises(RunError, match="the ledger is damaged") as caught:
        draw(Counting(), PROMPTS, HOW)
    assert caught.value.where == str(file)
    assert ".recover" in caught.value.todo


def test_a_file_that_is_no_ledger_is_left_alone(file):
    file.parent.mkdir()
    file.write_text("notes of mine\n" * 500)
    with pytest.raises(RunError, match="no ledger"):
        draw(Counting(), PROMPTS, HOW)
    assert file.read_text().startswith("notes of mine")


def test_a_folder_is_no_ledger(file):
    file.mkdir(parents=True)
    with pytest.raises(RunError, match="cannot be opened"):
        draw(Counting(), PROMPTS, HOW)


def test_a_place_where_nothing_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PHI_KIT_LEDGER", str(tmp_path / "file" / "ledger.sqlite"))
    with pytest.raises(RunError, match="cannot be opened") as caught:
        draw(Counting(), PROMPTS, HOW)
    assert "PHI_KIT_LEDGER" in caught.value.todo


def test_a_ledger_that_became_readonly(file):
    draw(Counting(), PROMPTS, HOW)
    database = store.open_ledger().database
    database.engine.dispose()

    @sa.event.listens_for(database.engine, "connect")
    def _(connection, record):  # what a read-only mount comes to, for root as well
        connection.execute("PRAGMA query_only = 1")

    with pytest.raises(RunError, match="cannot be written"):
        draw(Counting(), ["new"], HOW)


FULL = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from samplers import Counting
from phi_kit.core.errors import RunError
from phi_kit.inference.draw import draw
from phi_kit.inference.types import SamplingParams
draw(Counting(), ["first"], SamplingParams(100, 0.8))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    long = ["x" * 2000 + str(n) for n in range(500)]
    draw(Counting(), long, SamplingParams(100, 0.8))
except RunError as error:
    print(error)
"""


def test_a_full_disk_keeps_what_was_written(file):
    path = os.pathsep.join([str(HERE.parents[1]), str(HERE.parent)])
    done = subprocess.run(
        [sys.executable, "-c", FULL],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("the ledger's disk is full"), done.stderr
    assert done.stdout.count("\n") == 3
    kept = len(rows(file))
    assert 10 < kept < 500
    sampler = Counting()
    draw(sampler, ["x" * 2000 + str(n) for n in range(500)], HOW)
    assert len(sampler.asked) == 501 - kept


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://ada:hidden@127.0.0.1:9/kit", "does not answer"),
        ("mysql://ada:hidden@127.0.0.1/kit", "names no ledger"),
        ("sqlite://", "names no ledger"),
    ],
)
def test_a_database_that_cannot_be_used(monkeypatch, address, says):
    monkeypatch.setenv("PHI_KIT_LEDGER", address)
    with pytest.raises(RunError, match=says) as caught:
        draw(Counting(), PROMPTS, HOW)
    assert "hidden" not in str(caught.value)
    assert caught.value.todo


def test_postgresql_without_its_driver(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("PHI_KIT_LEDGER", "postgresql://ada@127.0.0.1:10/kit")
    with pytest.raises(RunError, match=r"needs the package psycopg[\s\S]*\[cluster\]"):
        draw(Counting(), PROMPTS, HOW)


def test_a_failing_ledger_stops_the_sampler(file):
    """What cannot be kept is not paid for any longer."""
    sampler = Counting()

    class Sabotage(Counting):
        def stream(self, asked, sampling):
            for place, sample in sampler.stream(asked, sampling):
                if place == 2:
                    with store.open_ledger().database.connection() as opened:
                        opened.execute(sa.schema.DropTable(samples))
                yield place, sample

    with pytest.raises(RunError, match="cannot be used"):
        draw(Sabotage(), [f"p{n}" for n in range(9)], HOW)
    assert len(sampler.asked) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("text", b"\x00\xff"),
        ("text", b""),
        ("tokens", "many"),
        ("tokens", b"5"),
        ("tokens", 5.5),
        ("finish", b"stop"),
        ("logprob", "likely"),
        ("cost", b"1"),
    ],
)
def test_a_row_of_another_type_is_named(file, column, value):
    """SQLite lets any column hold anything."""
    first = draw(Counting(), PROMPTS, HOW)
    with sqlite3.connect(file) as plain:
        where = "WHERE prompt = 'two'"
        (key,) = plain.execute(f"SELECT key FROM samples {where}").fetchone()
        plain.execute(f"UPDATE samples SET {column} = ? {where}", (value,))
    with pytest.raises(RunError, match=f"cannot be read: its {column} is") as caught:
        draw(Counting(), PROMPTS, HOW)
    assert f"{file}, table samples, key {key}" in caught.value.where
    assert "delete that row" in caught.value.todo
    with sqlite3.connect(file) as plain:
        plain.execute("DELETE FROM samples WHERE key = ?", (key,))
    assert draw(Counting(), PROMPTS, HOW) == first


def test_a_text_that_is_no_text_is_a_message(file):
    draw(Counting(), PROMPTS, HOW)
    with sqlite3.connect(file) as plain:
        plain.execute("UPDATE samples SET text = CAST(x'ff' AS TEXT)")
    with pytest.raises(RunError, match="the ledger cannot be used"):
        draw(Counting(), PROMPTS, HOW)


FOREIGN = {
    "a lease far ahead": {"until": 1e18},
    "a lease a year ahead": {"until": time.time() + 3e7},
    "a lease without end": {"until": float("inf")},
    "a lease that is a text": {"until": "tomorrow"},
    "a lease that is a blob": {"until": b"\xff"},
    "a lease long past": {"until": 0},
    "no owner at all": None,
    "a process that cannot be": {"host": None, "pid": -1},
    "a process beyond all": {"host": None, "pid": 2**62},
    "a process that is a blob": {"host": None, "pid": b"1"},
    "a birth that is a text": {"host": None, "pid": os.getpid(), "born": "once"},
}


@pytest.mark.slow
@pytest.mark.parametrize("how", FOREIGN)
def test_no_claim_is_waited_for_without_end(file, how, monkeypatch):
    """Rows that nobody alive has written, found in `claims` and `owners`."""
    draw(Counting(), ["zero"], HOW)  # makes the ledger
    keys = [row["key"] for row in _planned(PROMPTS, monkeypatch)]
    row = {"host": "elsewhere", "pid": 1, "born": 0.0, "until": time.time() + 50}
    if FOREIGN[how] is not None:
        row |= FOREIGN[how]
        row["host"] = row["host"] or leases._process_identity(os.getpid())[0]
    with sqlite3.connect(file) as plain:
        plain.executemany("INSERT INTO claims VALUES (?, 'x')", [(k,) for k in keys])
        if FOREIGN[how] is not None:
            plain.execute(
                "INSERT INTO owners VALUES ('x', :host, :pid, :born, :until)", row
            )
    began = time.monotonic()
    assert len(draw(Counting(), PROMPTS, HOW, k=3)) == 3
    assert time.monotonic() - began < 10
    with sqlite3.connect(file) as plain:
        assert plain.execute("SELECT count(*) FROM claims").fetchone() == (0,)
        assert plain.execute("SELECT count(*) FROM owners").fetchone() == (0,)


def test_a_lease_of_a_living_process_is_left_alone(file, monkeypatch):
    draw(Counting(), ["zero"], HOW)
    keys = [row["key"] for row in _planned(PROMPTS, monkeypatch)]
    database = store.open_ledger().database
    there, here = leases.Leases(database), leases.Leases(database)
    with there, here:
        assert there.take(keys) == set(keys)
        assert here.take(keys) == set()
        there.release()
        assert here.take(keys) == set(keys)
