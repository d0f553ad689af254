import io
import time

import fake_study
import pytest

from phi_kit.core.errors import RunError
from phi_kit.study.sweep import sweep_status
from phi_kit.study.sweep.sweep_state import SweepState, WorkState, read_state
from phi_kit.study.sweep.sweep_status import show_status, sweep_state
from phi_kit.study.sweep.sweep_table import LiveTable, table
from phi_kit.study.sweep.time_left import time_left

GRID = (
    "sets: {domains: [math]}\nto: filter_edge\n"
    "grid:\n  filter_edge.samples: [3, 4, 5]\n"
)


def kinds(sweep):
    states = sweep_state(sweep).variant_states()
    return [(one.kind, one.done, one.of) for one in states.values()]


def test_what_is_finished_is_told_by_manifests(project, load, run, no_kernels):
    sweep = load(GRID)
    assert kinds(sweep) == [("waiting", 0, 2)] * 3
    fake_study.run(fake_study.Pick(study="toy"))  # somebody else's
    assert kinds(sweep) == [("waiting", 1, 2)] * 3
    no_kernels.failing.add(4)
    with pytest.raises(RunError):
        run(GRID)
    assert kinds(sweep) == [("finished", 2, 2), ("failed", 1, 2), ("finished", 2, 2)]
    (project / "runs/demo/sweep.json").write_text("{")  # it is only for who looks on
    assert kinds(sweep) == [("finished", 2, 2), ("waiting", 1, 2), ("finished", 2, 2)]


def test_a_changed_study_is_noticed(project, load, run, no_kernels):
    run(GRID)
    text = (project / "params/toy.yaml").read_text()
    (project / "params/toy.yaml").write_text(f"{text}  note: other\n")
    assert kinds(load(GRID)) == [("waiting", 1, 2)] * 3
    lines = run(GRID)
    assert lines[-1].startswith("3 notebooks run, 1 finished earlier; ")
    (project / "params/toy.yaml").write_text(text)  # and back: what there was is kept
    assert run(GRID)[-1].startswith("0 notebooks run, 4 finished earlier; ")


def test_what_failed_is_shown_until_it_would_be_another_notebook(
    project, load, run, no_kernels
):
    no_kernels.failing.add(4)
    with pytest.raises(RunError):
        run(GRID)
    lines = []
    show_status(load(GRID), say=lines.append)
    assert lines[1].split() == (
        ["samples-4", "failed", "1/2", "03", "filter_edge", "math", "it", "raised"]
    )
    assert lines[3] == "3 variants: 2 finished, 1 failed; 3 of 4 notebooks finished"
    assert lines[4:] == [
        "03 filter_edge math failed in samples-4:",
        "  it raised",
        "    where: a cell",
    ]
    sweep = load(f"{GRID}  filter_edge.note: [x]\n")
    assert {kind for kind, *_ in kinds(sweep)} == {"waiting"}


def test_a_table_shows_first_who_is_at_work(runs):
    (runs / "demo").mkdir(parents=True)
    state = SweepState("demo", {f"v{n}": [] for n in range(9)})
    for n in range(9):
        state.work[f"k{n}"] = WorkState("01 pick_domain math", [f"v{n}"], "finished")
    state.work["k7"].kind, state.work["k7"].said = "in flight", "12/40 prompts"
    state.fail("v8", "k8", "no such column\nwhere: x.csv")
    lines = list(table(state, most=3))
    assert [line.split()[0] for line in lines] == ["v7", "v8", "v0", "…", "9"]
    assert lines[0].endswith("12/40 prompts")
    assert lines[1].endswith("no such column")
    assert read_state("demo").failures == state.failures
    out = io.StringIO()
    live = LiveTable(out)
    live.draw(state, now=True)
    live.draw(state)  # a moment later: not again
    drawn = out.getvalue().count("v7")
    live.draw(state, now=True)
    assert (drawn, out.getvalue().count("v7")) == (1, 2)
    assert "\x1b[10A" in out.getvalue()  # back to its first line


def in_flight(runs):
    """Two notebooks of a kind have taken 100 s each; one runs since 40 s, two wait."""
    (runs / "demo").mkdir(parents=True)
    state = SweepState("demo", {f"v{n}": [] for n in range(5)})
    for n in range(5):
        state.work[f"k{n}"] = WorkState("03 filter_edge math", [f"v{n}"])
    for n in range(2):
        state.tell(f"k{n}", kind="finished", seconds=100.0)
    state.tell("k2", kind="in flight", began=time.time() - 40)
    return state


def test_the_time_left_is_told_by_what_alike_notebooks_took(runs):
    state = in_flight(runs)
    lines = list(table(state))
    assert "40 s of 1 min 40 s" in lines[2]
    assert lines[-1].endswith("2 of 5 notebooks finished; about 4 min 20 s left")
    state.tell(
        "k3", kind="in flight", began=time.time() - 500
    )  # slower than the others
    left = time_left(state, now=time.time())
    assert left.seconds == pytest.approx((60 + 0 + 100) / 2, abs=1)
    state.work["k4"].title = "03 filter_edge puzzles"  # the step in another domain
    assert time_left(state, now=time.time()).seconds == pytest.approx(80, abs=1)
    state.work["k4"].title = "04 probe_sft math"
    assert str(time_left(state, now=time.time())) == (
        "about 30 s left, and 1 notebook of a kind that has not run yet"
    )
    for n in (2, 3, 4):
        state.tell(f"k{n}", kind="finished")
    assert list(table(state))[-1].endswith("5 of 5 notebooks finished")


def test_nothing_is_said_of_time_that_nobody_can_know(runs):
    state = in_flight(runs)
    for work in state.work.values():
        work.seconds = 0.0
    assert list(table(state))[-1].endswith("2 of 5 notebooks finished")


def test_ctrl_c_ends_the_watching_and_not_the_sweep(project, load, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep_status, "is_going_on", lambda name: True)
    monkeypatch.setattr(sweep_status.time, "sleep", interrupt)
    said, out = [], io.StringIO()
    show_status(load(GRID), say=said.append, live=LiveTable(out))
    assert said == ["no longer watched; the sweep goes on"]
