import io

import fake_study
import pytest

from phi_kit.core.errors import RunError
from phi_kit.study.sweep.sweep_state import SweepState, WorkState, read_state
from phi_kit.study.sweep.sweep_status import show_status, sweep_state
from phi_kit.study.sweep.sweep_table import LiveTable, table

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
