"""Step 5 killed in one place after another: no reply is paid for twice, and what is
frozen in the end is the same."""

import multiprocessing
import os
import signal
from itertools import islice

import pytest
from synthesis_study import SEEDS, as_json, study, worded
from test_asked_rows import BadTeacher

from phi_kit.core import step_table
from phi_kit.core.finished_run import RunFolder
from phi_kit.data.records import Seed
from phi_kit.steps import synthesize
from phi_kit.steps.synthesize import Params
from phi_kit.synthesis import frozen_set, mix_balance

pytestmark = pytest.mark.slow

SUMS = [Seed("math", f"What is {n} + 5 =", str(n + 5)) for n in (12, 14)]
# Sums are given other numbers offline; nothing is to be made of their words.
REPLIES = dict.fromkeys(SEEDS[:4], lambda seed: as_json(worded(seed)))
REPLIES |= dict.fromkeys(SUMS, lambda seed: "INVALID")
PARAMS = {"transforms": ["renumber", "paraphrase"], "organic_share": 0.1}
NOTHING = -1  # replies after which it dies: never


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def dying(real, rows=None):
    """A function that dies once it has done its work, or amid its rows."""

    def amid(*given, **more):
        yield from islice(real(*given, **more), rows)
        die()

    def after(*given, **more):
        real(*given, **more)
        die()

    return amid if rows else after


# Where it is killed, after so many replies of that attempt or by what it calls; the
# last with its set written, but no manifest.
PLACES = {
    "offline rows": (NOTHING, synthesize, "synthetic_rows", 1),
    "rewrites": (2, None, "", None),
    "second answers": (6, None, "", None),
    "responses": (7, None, "", None),
    "before the gates": (NOTHING, synthesize, "answering", None),
    "scores": (NOTHING, mix_balance, "row_logprobs", None),
    "the set": (NOTHING, frozen_set, "freeze", None),
}


def synthesized(monkeypatch, log, place=(NOTHING, None, "", None)):
    """Step 5, which notes what the teacher is asked, and dies in that place."""
    lives, module, name, rows = place
    teacher, left = BadTeacher(REPLIES), [lives]

    def says(prompt, draw, limit):
        if left[0] == 0:
            die()
        left[0] -= 1
        with log.open("a") as file:
            file.write(f"{draw.integers(2**62)} {prompt!r}\n")
        return teacher(prompt, draw, limit)

    study(monkeypatch, says, seeds=[*REPLIES], responses=["worked", "teacher"])
    if module:
        monkeypatch.setattr(module, name, dying(getattr(module, name), rows))
    synthesize.run(Params(study="s", model="student", **PARAMS))


def attempt(*given):
    """The same in a process of its own, which has all imports already; how it ended."""
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=synthesized, args=given)
    process.start()
    process.join()
    return process.exitcode


def frozen():
    folder = RunFolder.of("s", step_table.SYNTHESIZE, domain="math")
    return folder.result, folder.table(), folder.table("dropped")


@pytest.mark.usefixtures("runs")
def test_killed_again_and_again_it_pays_once_and_freezes_the_same(
    tmp_path, monkeypatch
):
    whole, killed = tmp_path / "whole.log", tmp_path / "killed.log"
    synthesized(monkeypatch, whole)
    undisturbed = frozen()
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "killed"))
    for name, place in PLACES.items():
        assert attempt(monkeypatch, killed, place) == -signal.SIGKILL, name
        assert not RunFolder.of("s", step_table.SYNTHESIZE, domain="math").finished
    paid = killed.read_text().splitlines()
    assert attempt(monkeypatch, killed) == 0
    drawn = killed.read_text().splitlines()
    assert drawn == paid  # all were paid for before the last kill
    assert len(set(drawn)) == len(drawn)
    assert sorted(drawn) == sorted(whole.read_text().splitlines())
    result, rows, dropped = frozen()
    assert {"renumber", "paraphrase"} <= set(rows.by)
    assert result["frozen"] == undisturbed[0]["frozen"]
    assert result == undisturbed[0]
    assert rows.equals(undisturbed[1])
    assert dropped.equals(undisturbed[2])
