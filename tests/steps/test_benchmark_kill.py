"""Step 7 killed again and again: no sample is paid for twice, the table is the same."""

import multiprocessing
import os
import signal
from contextlib import contextmanager

import pytest
from test_benchmark import Weights, finished, weights  # noqa: F401

from phi_kit.core import step_table
from phi_kit.core.finished_run import RunFolder
from phi_kit.inference import completion
from phi_kit.steps import benchmark

pytestmark = pytest.mark.slow

PARAMS = {"study": "s", "samples": 2, "few_shot": 2}
KILLS = (1, 30, 64, 90)  # samples that each attempt is let draw; then kill -9


class Mortal(Weights):
    """Notes every sample that is drawn, and dies before the one that is too many."""

    def __init__(self, log, lives, skill=""):
        super().__init__(skill)
        self.log, self.lives = log, lives

    def stream(self, requests, sampling):
        numbered = dict(enumerate(requests))
        for place, said in super().stream(requests, sampling):
            if self.lives[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.lives[0] -= 1
            one = numbered[place]
            with self.log.open("a") as file:
                file.write(f"{self.skill} {one.seed} {one.prompt!r}\n")
            yield place, said

    @contextmanager
    def adapter(self, folder):
        yield Mortal(self.log, self.lives, folder.name.partition("@")[0])


def attempt(monkeypatch, log, lives):
    """Step 7 in a process of its own, which dies after so many samples."""

    def inside():
        model = Mortal(log, [lives])
        monkeypatch.setattr(completion, "load", lambda name, **_: model)
        benchmark.run(benchmark.Params(**PARAMS))

    process = multiprocessing.get_context("fork").Process(target=inside)
    process.start()
    process.join()
    return process.exitcode


def scores():
    folder = RunFolder.of("s", step_table.BENCHMARK)
    rows = folder.table("samples").sort_values(["domain", "model", "seed_id", "sample"])
    return folder.table(), rows.reset_index(drop=True), folder.result["decision"]


@pytest.mark.usefixtures("weights")
def test_killed_benchmarks_pay_for_nothing_twice(tmp_path, monkeypatch):
    finished(own={"math"})
    whole, killed = tmp_path / "whole.log", tmp_path / "killed.log"
    for lives in KILLS:
        assert attempt(monkeypatch, killed, lives) == -signal.SIGKILL
        assert not RunFolder.of("s", step_table.BENCHMARK).finished
    assert attempt(monkeypatch, killed, -1) == 0
    table, rows, decision = scores()
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "undisturbed"))
    finished(own={"math"})
    assert attempt(monkeypatch, whole, -1) == 0
    drawn = killed.read_text().splitlines()
    assert len(drawn) > sum(KILLS)
    assert len(set(drawn)) == len(drawn)
    assert sorted(drawn) == sorted(whole.read_text().splitlines())
    again, rows_again, decided = scores()
    assert table.equals(again)
    assert rows.equals(rows_again)
    assert decision == decided
