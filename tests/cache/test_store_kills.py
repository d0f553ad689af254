"""Sampling killed twenty times: nothing is lost, nothing is paid for twice."""

import multiprocessing
import random
import sqlite3
import time
from contextlib import ExitStack

import pytest
import sqlalchemy as sa
from postgres import server
from samplers import Counting

from phi_kit.cache.schema import leases, samples
from phi_kit.cache.store import Ledger
from phi_kit.inference.draw import draw
from phi_kit.inference.types import SamplingParams

pytestmark = pytest.mark.slow

KILLS = 20
# Before each sample: the run lasts longer than the kills, however fast the machine.
PAUSE = 0.015


@pytest.fixture(scope="module")
def processes():
    """Processes that need not load the model: they fork from one that has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["killed"])
        yield context


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def places(request, tmp_path_factory):
    """A function that gives the address of a new ledger."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            folder = tmp_path_factory.mktemp("ledgers")
            yield lambda name: str(folder / f"{name}.sqlite")
            return
        url = stack.enter_context(server()).url
        engine = sa.create_engine(
            url.replace("postgresql:", "postgresql+psycopg:"),
            isolation_level="AUTOCOMMIT",
        )

        def place(name):
            with engine.connect() as opened:
                opened.exec_driver_sql(f"CREATE DATABASE {name}")
            return url.replace("/postgres", f"/{name}")

        yield place
        engine.dispose()


def begin(processes, address, log, *, pause=0.0):
    from killed import sample

    process = processes.Process(target=sample, args=(address, str(log), pause))
    process.start()
    return process


@pytest.fixture(scope="module")
def whole(processes, places, tmp_path_factory):
    """The table of a run that nobody disturbed."""
    address = places("whole")
    log = tmp_path_factory.mktemp("whole") / "log"
    process = begin(processes, address, log)
    process.join()
    assert process.exitcode == 0
    from killed import SAMPLES

    assert check(log, address) == SAMPLES
    return table(address)


def table(address):
    """What was sampled; not when, nor how long it took."""
    columns = [c for c in samples.columns if c.name not in ("seconds", "created_at")]
    with Ledger(address, readonly=True).database.connection() as opened:
        return set(opened.execute(sa.select(*columns)).all())


def check(log, address):
    """What was taken is in the ledger, and was neither taken nor asked again."""
    taken = set()
    for line in log.read_text().splitlines():
        what, seed = line.split()
        assert int(seed) not in taken, line
        if what == "taken":
            taken.add(int(seed))
    with Ledger(address, readonly=True).database.connection() as opened:
        kept = set(opened.scalars(sa.select(samples.c.seed)))
        left = [opened.scalar(sa.select(sa.func.count(t.c.owner))) for t in (leases,)]
    assert taken <= kept
    assert left == [0]
    return len(taken)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_twenty_times(processes, places, whole, tmp_path, workers):
    address, log = places(f"killed_{workers}"), tmp_path / "log"
    moments = random.Random(workers)
    running = [begin(processes, address, log, pause=PAUSE) for _ in range(workers)]
    kills = 0
    while kills < KILLS:
        time.sleep(moments.uniform(0, 0.4))
        victim = moments.randrange(workers)
        assert running[victim].exitcode is None, "it ended before it could be killed"
        running[victim].kill()
        running[victim].join()
        kills += 1
        running[victim] = begin(processes, address, log, pause=PAUSE)
    for process in running:
        process.join()
        assert process.exitcode == 0
    check(log, address)
    assert table(address) == whole


def test_two_at_once_pay_once_and_get_the_same(processes, places, whole, tmp_path):
    address, log = places("two"), tmp_path / "log"
    both = [begin(processes, address, log) for _ in range(2)]
    for process in both:
        process.join()
        assert process.exitcode == 0
    assert check(log, address) == len(whole)
    assert table(address) == whole


def test_eight_that_start_together_make_one_ledger(processes, places, tmp_path):
    address = places("eight")
    all_ = [begin(processes, address, tmp_path / "log") for _ in range(8)]
    time.sleep(2)
    for process in all_:
        assert process.exitcode in (None, 0)
        process.kill()
        process.join()


def test_any_sql_tool_reads_it(whole, places):
    address = places("plain")
    if "://" in address:
        pytest.skip("this one is about the file")
    with sqlite3.connect(address.replace("plain", "whole")) as plain:
        found = plain.execute(
            "SELECT model, json_extract(settings, '$.temperature'), count(*) "
            "FROM samples GROUP BY 1, 2"
        ).fetchall()
    assert found == [("tiny/float64", 1.0, len(whole))]


def test_a_server_that_restarts_meanwhile_is_waited_for(monkeypatch):
    with server() as postgres:
        monkeypatch.setenv("PHI_KIT_LEDGER", postgres.url)

        class Restarting(Counting):
            def stream(self, asked, sampling):
                for place, sample in super().stream(asked, sampling):
                    if place == 2:
                        postgres.restart()
                    yield place, sample

        prompts = [f"prompt {n}" for n in range(6)]
        found = draw(Restarting(), prompts, SamplingParams())
        assert draw(Counting(breaks=0), prompts, SamplingParams()) == found
        assert len(table(postgres.url)) == 6
