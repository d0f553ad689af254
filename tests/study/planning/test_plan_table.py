"""Plans: what steps will do, how long it takes, what is left to do."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.study import config
from phi_kit.study.notebook.warm_kernels import COLD
from phi_kit.study.planning import speed_probe
from phi_kit.study.planning.plan_table import (
    IMPORTS,
    NOTEBOOK,
    FinishedUnit,
    Prices,
    plan_steps,
    table,
)
from phi_kit.study.planning.speed_probe import (
    MachineSpeed,
    ProbedAnswers,
    ProbedDomain,
)
from phi_kit.training import memory

pytestmark = pytest.mark.usefixtures("forking")
STUDY = Path(__file__).with_name("planned.yaml")
TEACHER = "teacher=http://127.0.0.1:9/v1#m"  # nobody is there, nor need be
GB = 10**9
MATH = ProbedDomain(
    asked=31,
    band=15.5,
    teachable=15.5,
    untaught=15.5,
    prompt=50,
    rows=[30, 40, 50],
    plain=ProbedAnswers(samples=128, tokens=512, tps=100),
    shown=ProbedAnswers(samples=128, tokens=1024, tps=50),
    tuned=ProbedAnswers(samples=128, tokens=768, tps=100),
)
SPEED = MachineSpeed(
    load=2,
    train_tps=200,
    setup=1,
    sampling_bytes=GB,
    loaded_bytes=GB,
    free_bytes=20 * GB,
    seconds=30,
    domains={"math": MATH, "puzzles": MATH},
)
PEAK = 2.44 * GB


@pytest.fixture(autouse=True)
def nothing_finished(tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))


def units(*sets):
    return config.load(STUDY, sets).units()


def test_what_finished_steps_kept_is_known():
    kept = {"pick_domain": None, "collect_seeds": 80, "filter_edge": 7}
    done = {
        (unit.step, unit.domain): FinishedUnit(1.0, kept[unit.step])
        for unit in units()
        if unit.step in kept
    }
    plans = plan_steps(units(), SPEED, PEAK, done=done)
    found = {key_of(step): step for step in plans}
    # Four tokens an answer, eight after worked examples.
    assert found["filter_edge", "math"].sampled == 4 * (5 * 80 + 2 * 40) + 8 * 160
    probe = found["probe_sft", "math"]
    assert probe.trained == 40 * 3 * 7 * 3
    assert probe.seconds == probe.most


@pytest.fixture
def forking(monkeypatch):
    """A machine whose kernels are forked."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv(COLD, raising=False)


def test_benchmarks_that_cannot_be_counted_are_named():
    def said(*sets):
        plans = plan_steps(units(*sets), SPEED, PEAK)
        return [one for one in table(plans, SPEED, Prices()) if "lie on the hub" in one]

    named = "benchmark.benchmarks=[gsm8k]"
    (line,) = said(named)
    assert line.startswith("Not counted: gsm8k, whose items lie on the hub")
    assert said(named, "benchmark.benchmark_items=50") == said() == []


def test_kernels_that_start_from_nothing_import_in_every_notebook(monkeypatch):
    warm = plan_steps(units(), SPEED, PEAK)
    monkeypatch.setenv(COLD, "1")
    cold = plan_steps(units(), SPEED, PEAK)
    for one, other in zip(warm, cold, strict=True):
        assert other.seconds == pytest.approx(one.seconds + IMPORTS)
        assert other.most == pytest.approx(one.most + IMPORTS)


def test_time_is_work_by_pace():
    found = plan_steps(units(), SPEED, PEAK)
    probe = next(s for s in found if key_of(s) == ("probe_sft", "math"))
    tuned, shown, rows = 3 * 200 * 6, 200 * 8, 3 * 50 * 3 * 40
    work = tuned / 100 + shown / 50 + rows / 200
    assert probe.seconds == pytest.approx(NOTEBOOK + 2 + work + 3 * 1)
    assert probe.most > probe.seconds
    assert probe.memory == PEAK
    collect = next(s for s in found if key_of(s) == ("collect_seeds", "math"))
    assert collect.seconds == NOTEBOOK
    assert collect.memory == 0


def key_of(step):
    return step.unit.step, step.unit.domain


def test_energy_and_money():
    prices = Prices(watts=100, per_kwh=0.5, per_hour=2)
    assert prices.energy(3600) == pytest.approx(0.1)
    assert prices.money(3600) == pytest.approx(2.05)


def test_the_table_has_every_step_and_the_sum():
    found = plan_steps(units(), SPEED, PEAK)
    lines = list(table(found, SPEED, Prices(100, 0.5, 2)))
    head, *rows = lines
    for column in ("time", "at most", "memory", "kWh", "money"):
        assert column in head
    for unit, row in zip(units(), rows, strict=False):
        assert f"{unit.params.STEP.number:02} {unit.step}" in row
    assert rows[len(found)].startswith("all ")
    without = next(table(found, SPEED, Prices()))
    assert "kWh" not in without
    assert "money" not in without


def test_a_finished_step_takes_no_more_time():
    done = {
        ("pick_domain", "math"): FinishedUnit(61.0, None),
        ("pick_domain", "puzzles"): FinishedUnit(61.0, None, "first"),
    }
    found = plan_steps(units(), SPEED, PEAK, done=done)
    text = "\n".join(table(found, SPEED, Prices()))
    assert "done (1 min 1 s)" in text
    assert "from 'first' (1 min 1 s)" in text
    assert "all that is left" in text


def lines(*sets, speed=SPEED):
    return "\n".join(table(plan_steps(units(*sets), speed, PEAK), speed, Prices()))


def test_without_a_teacher_nothing_is_said_of_one():
    assert "teacher" not in lines().replace("teacher tokens", "")


def test_what_a_teacher_is_asked_and_what_it_costs():
    """Half of 2 x 100 seeds, each tried once at least, all tries at most."""
    unpriced = lines(TEACHER, "filter_edge.teacher_tokens=1000")
    assert "The teacher http://127.0.0.1:9/v1#m is asked for" in unpriced
    assert "232 (at most " in unpriced  # 100 x (1 + 1 + 1/4 + 1/16 + 1/128)
    assert "232,031 (at most " in unpriced
    assert "price unknown: set endpoint.price_in and endpoint.price_out" in unpriced
    prices = "endpoint={price_in: 1000, price_out: 10, budget_cost: 5}"
    priced = lines(TEACHER, "filter_edge.teacher_tokens=1000", prices)
    assert "price 13.92, at most " in priced  # 11,602 of prompts, 232,031 of responses
    assert "more than the study's budget" in priced
    bounded = lines(TEACHER, "filter_edge.teacher_budget=70")
    assert "140 (at most 140) samples" in bounded
    assert "its budget: 70 + 70 samples, in steps 3 and 5 of a domain" in bounded
    assert "its budget" not in unpriced


def test_a_teacher_that_has_been_asked_is_not_paid_again():
    asked = units(TEACHER)
    done = {
        (unit.step, unit.domain): FinishedUnit(9.0, 50 if "edge" in unit.step else 64)
        for unit in asked
    }
    plans = plan_steps(asked, SPEED, PEAK, done=done)
    assert "is asked for" not in "\n".join(table(plans, SPEED, Prices()))


def test_rows_without_a_known_response_are_named():
    unknown = replace(MATH, guessed=2)
    speed = replace(SPEED, domains={"math": unknown, "puzzles": MATH})
    assert lines(speed=speed).count("2 of 3 seeds have no response yet") == 1


def call(*words):
    return CliRunner().invoke(app, ["plan", *words])


def test_the_command_line(monkeypatch):
    monkeypatch.setattr(speed_probe, "measure", lambda units, seconds: SPEED)
    done = call("smoke.yaml", "--watts", "60", "--per-kwh", "0.3")
    assert done.exit_code == 0, done.output
    assert "07 benchmark" in done.stdout
    assert "given up for it: nothing" in done.stdout
    alone = call("smoke.yaml", "--per-kwh", "0.3")
    assert alone.exit_code == 2
    assert "--watts" in alone.stderr


def test_training_that_does_not_fit_here_is_a_failure(monkeypatch):
    little = replace(SPEED, free_bytes=GB // 10)
    monkeypatch.setattr(speed_probe, "measure", lambda units, seconds: little)
    done = call("smoke.yaml")
    assert done.exit_code == 1
    assert "07 benchmark" in done.stdout
    assert "does NOT fit" in done.stdout


def test_a_card_that_is_elsewhere():
    """The teacher's bill needs neither the card nor the teacher."""
    done = call("phi4-24gb", "--memory-gb", "24")
    assert done.exit_code == 0, done.output
    assert "fits into 24.00 GB; given up for it: nothing" in done.stdout
    assert "Phi-4-reasoning-plus is asked for" in done.stdout
    assert "(at most 24,000) samples" in done.stdout  # 2 x 3,000 seeds, four tries
    small = call("phi4-24gb", "--memory-gb", "0.5")
    assert small.exit_code == 1
    assert "does NOT fit" in small.stdout


def test_a_model_too_large_for_this_machine_is_not_loaded(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 4 * GB)
    monkeypatch.setattr(speed_probe, "measure", lambda *_, **__: pytest.fail("loaded"))
    done = call("phi4-24gb")
    assert done.exit_code == 1
    assert "smollm2-135m instead" in done.stdout


def test_an_endpoint_cannot_be_planned_for():
    done = call("smoke", "--set", "model=http://127.0.0.1:9/v1#m")
    assert done.exit_code == 1
    assert "needs the model's weights" in done.stderr
