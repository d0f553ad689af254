"""A project with the toy study, and sweeps of it."""

import fake_study
import pytest

from phi_kit.core.errors import RunError
from phi_kit.study.notebook.warm_kernels import COLD
from phi_kit.study.sweep import sweep_config, sweep_run


@pytest.fixture
def project(tmp_path, monkeypatch):
    fake_study.make_project(tmp_path)
    fake_study.install(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PHI_KIT_RUNS", raising=False)
    (tmp_path / "params/sweeps").mkdir()
    return tmp_path


@pytest.fixture
def load(project):
    """Load a sweep of the toy study from its text."""

    def load(text, *, name="demo"):
        (project / f"params/sweeps/{name}.yaml").write_text(f"base: toy\n{text}")
        return sweep_config.load(name)

    return load


@pytest.fixture
def run(load):
    """Run a sweep of the toy study; the lines that it says."""

    def run(text, *, name="demo", **options):
        lines = []
        sweep_run.run_sweep(load(text, name=name), say=lines.append, **options)
        return lines

    return run


class Steps:
    """Steps that are carried out without their notebooks.

    Attributes:
        failing: values of `samples` with which a step raises.
        carry_out: runs a step.
    """

    def __init__(self):
        self.failing, self.carry_out = set(), fake_study.run

    def run_unit(self, unit, *, say, warm, patience):
        say(f"[{unit.title}] starts")
        if getattr(unit.params, "samples", None) in self.failing:
            raise RunError("it raised", where="a cell")
        self.carry_out(unit.params)
        say(f"[{unit.title}] done")


@pytest.fixture
def no_kernels(monkeypatch):
    steps = Steps()
    monkeypatch.setenv(COLD, "1")
    monkeypatch.setattr("phi_kit.study.sweep.notebook_engine.run_unit", steps.run_unit)
    return steps
