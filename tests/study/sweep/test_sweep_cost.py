from types import SimpleNamespace

import fake_study
import pytest

from phi_kit.core.errors import ModelError
from phi_kit.study.planning.plan_table import StepPlan
from phi_kit.study.planning.workload import StepLoad
from phi_kit.study.sweep import sweep_cost

GRID = (
    "sets: {domains: [math]}\nto: filter_edge\n"
    "grid:\n  filter_edge.samples: [3, 4, 5]\n"
)
ALONE = "6 notebooks if every variant ran alone; 4 different ones"


@pytest.fixture
def probed(monkeypatch):
    """A machine on which a notebook takes 100 s, 10 more for each of its `samples`."""
    probed = SimpleNamespace(measured=[], done=[])

    def measure(units, *, seconds):
        probed.measured.append(units)
        return "speed"

    def plan_steps(units, speed, training_bytes, *, done):
        assert speed == "speed"
        probed.done.append(done)
        times = [100 + 10 * getattr(unit.params, "samples", 0) for unit in units]
        return [
            StepPlan(None, StepLoad(unit), StepLoad(unit), time, 2 * time, 50, 7, 0)
            for unit, time in zip(units, times, strict=True)
        ]

    monkeypatch.setattr(sweep_cost, "measure", measure)
    monkeypatch.setattr(sweep_cost, "plan_steps", plan_steps)
    return probed


def lines(sweep):
    """The lines of a plan, single spaces between their words."""
    cost = sweep_cost.sweep_cost(sweep, seconds=1)
    return [" ".join(line.split()) for line in sweep_cost.cost_lines(sweep, cost)]


def test_every_notebook_is_counted_once(project, load, probed):
    said = lines(load(GRID))
    assert said[:3] == [
        "3 variants of params/toy.yaml",
        "samples-3",
        'domains=["math"] filter_edge.samples=3',
    ]
    assert "01 pick_domain math 1 0 1 min 40 s 3 min 20 s 50 7" in said
    assert "03 filter_edge math 3 0 7 min 0 s 14 min 0 s 150 21" in said
    assert "all 4 0 8 min 40 s 17 min 20 s 200 28" in said
    assert f"{ALONE}, 4 left to run" in said
    assert len(probed.measured) == 1  # one probe for all


def test_what_is_finished_costs_nothing(project, load, probed, run, no_kernels):
    fake_study.run(fake_study.Pick(study="toy"))
    fake_study.run(fake_study.Edge(study="toy", samples=4))
    said = lines(load(GRID))
    assert "01 pick_domain math 1 1" in said
    assert "03 filter_edge math 3 1 4 min 40 s 9 min 20 s 100 14" in said
    # Its rows are known, whichever study has kept them.
    assert [one["pick_domain", "math"].kept for one in probed.done] == [2, 2]
    run(GRID)
    probed.measured.clear()
    assert f"{ALONE}, 0 left to run" in lines(load(GRID))
    assert not probed.measured


def test_a_model_that_cannot_be_probed_is_said(project, load, monkeypatch):
    def measure(units, *, seconds):
        raise ModelError("an endpoint has no weights")

    monkeypatch.setattr(sweep_cost, "measure", measure)
    assert lines(load(GRID))[-1] == (
        "what they take is not known: an endpoint has no weights"
    )
