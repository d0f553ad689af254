"""Plans: what steps will do, how long it takes, what is left to do."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.core.errors import DataError
from phi_kit.study import config
from phi_kit.study.planning import fit, plan, probe_speed, workload
from phi_kit.study.planning import lines as plan_lines
from phi_kit.study.planning.plan import Done, Prices
from phi_kit.study.planning.probe_speed import Answers, Pace
from phi_kit.training.estimate import Peak
from phi_kit.training.memory import MicroBatching

GB = 10**9
PEAK = Peak(
    before=GB,
    floats=GB // 2,
    adapter=GB // 10,
    activations=GB // 2,
    head=GB // 10,
    fit=MicroBatching(512, per_token=GB // 1000),
    kept=GB // 1000,
    twice=GB // 10_000,
)
ANSWERS = Answers(asked=31, teachable=15.5, samples=128, tokens=512, row=40)
PACE = Pace(
    load=2,
    drawn=100,
    trained=200,
    setup=1,
    sampling=GB,
    seconds=30,
    free=20 * GB,
    peak=PEAK,
    answers={"math": ANSWERS, "puzzles": ANSWERS},
)


@pytest.fixture(autouse=True)
def nothing_finished(tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))


def units(*sets, study="quickstart"):
    return config.load(study, sets).units()


def counted(*sets, share=0.5):
    shares = {"math": share, "puzzles": share}
    found = workload.works(units(*sets), shares=shares, size=lambda _: 0)
    return {(one.unit.step, one.unit.domain): one for one in found}


def drawn(one):
    return sum(draw.samples for draw in one.draws)


def seen(one):
    return sum(training.rows for training in one.trainings)


SMALL = ("math.collect_seeds.sources=[{limit: 100}]",)


def test_the_work_of_every_step():
    found = counted(*SMALL)
    assert drawn(found["pick_domain", "math"]) == 100 * 2
    assert drawn(found["collect_seeds", "math"]) == 0
    assert drawn(found["filter_edge", "math"]) == 5 * 100 + 2 * 50
    probe = found["probe_sft", "math"]
    assert drawn(probe) == 2 * 200  # two arms, each asks dev
    assert seen(probe) == 2 * 50 * 3  # two arms, three epochs
    assert probe.trainings[0].runs == 2
    expand = found["expand_domains", ""]
    assert drawn(expand) == 3 * (200 + 200)  # A, B, A+B on both domains
    frozen = 50 / 0.33
    other = 0.5 * 64 / 0.33
    assert seen(expand) == pytest.approx(2 * frozen + 2 * other)
    assert sum(t.runs for t in expand.trainings) == 3
    assert drawn(found["benchmark", ""]) == 2 * 2 * 100 * 3


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        ("probe_sft.train_seeds=[1, 2, 3]", 6),
        ("probe_sft.search={learning_rate: [1e-3, 5e-4], rank: [8, 16]}", 2 + 4),
        ("probe_sft.dose=[0.25, 0.5, 1]", 2 + 2),
        ("probe_sft.arms=[teachable]", 1),
    ],
)
def test_more_runs_are_counted(change, runs):
    found = counted(*SMALL, change)["probe_sft", "math"]
    assert found.trainings[0].runs == runs
    assert drawn(found) == runs * 200
    if "dose" in change:
        assert seen(found) == 150 * (2 + 0.25 + 0.5)


@pytest.mark.parametrize("step", ["probe_sft", "expand_domains"])
def test_early_stopping_asks_more_often(step):
    key = (step, "math" if step == "probe_sft" else "")
    plain, often = (
        drawn(counted(*SMALL, f"{step}.eval_steps={n}")[key]) for n in (0, 2)
    )
    assert often > plain


def test_what_finished_steps_kept_is_known(monkeypatch):
    kept = {"pick_domain": None, "collect_seeds": 80, "filter_edge": 7}
    monkeypatch.setattr(
        plan,
        "_finished",
        lambda unit: Done(1.0, kept[unit.step]) if unit.step in kept else None,
    )
    found = {planning_name(step): step for step in plan.steps(units(), PACE)}
    assert found["filter_edge", "math"].drawn == 4 * (5 * 80 + 2 * 40)
    probe = found["probe_sft", "math"]
    assert probe.trained == 40 * 2 * 7 * 3
    assert probe.seconds == probe.most


def test_a_wish_for_few_rows_bounds_training():
    found = counted(*SMALL, "filter_edge.wanted=10")
    assert seen(found["probe_sft", "math"]) == 2 * 10 * 3


def test_long_answers_cost_what_they_may_take():
    cut = Answers(samples=4, tokens=probe_speed.TRIAL + 30, cut=1)
    assert cut.tokens_each(2048) == pytest.approx(30 / 4 + 2048 / 4)
    short = Answers(samples=4, tokens=8 + 15, cut=1, limit=8)
    assert short.tokens_each(8) == pytest.approx(23 / 4)
    assert short.tokens_each(512) == pytest.approx(15 / 4 + 512 / 4)
    assert Answers(samples=4, tokens=40).tokens_each(2048) == 10
    assert Answers(samples=4, tokens=40).tokens_each(8) == 8
    assert Answers().tokens_each(16) == 16


def test_time_is_work_by_pace():
    found = plan.steps(units(*SMALL), PACE)
    probe = next(s for s in found if planning_name(s) == ("probe_sft", "math"))
    tokens, rows = 2 * 200 * 4, 2 * 50 * 3 * 40
    expected = plan.NOTEBOOK + 2 + tokens / 100 + rows / 200 + 2 * 1
    assert probe.seconds == pytest.approx(expected)
    assert probe.most > probe.seconds
    assert probe.memory == PEAK.total == 2.44 * GB
    collect = next(s for s in found if planning_name(s) == ("collect_seeds", "math"))
    assert collect.seconds == plan.NOTEBOOK
    assert collect.memory == 0


def planning_name(step):
    return step.unit.step, step.unit.domain


def test_energy_and_money():
    prices = Prices(watts=100, per_kwh=0.5, per_hour=2)
    assert prices.energy(3600) == pytest.approx(0.1)
    assert prices.money(3600) == pytest.approx(2.05)


def test_the_table_has_every_step_and_the_sum():
    found = plan.steps(units(), PACE)
    lines = list(plan_lines.table(found, PACE, Prices(100, 0.5, 2)))
    head, *rows = lines
    for column in ("time", "at most", "memory", "kWh", "money"):
        assert column in head
    for unit, row in zip(units(), rows, strict=False):
        assert unit.params.STEP.replace("_", " ", 1) in row
    assert rows[len(found)].startswith("all ")
    without = next(plan_lines.table(found, PACE, Prices()))
    assert "kWh" not in without
    assert "money" not in without


def test_a_finished_step_takes_no_more_time(monkeypatch):
    def finished(unit):
        return Done(61.0, None) if unit.step == "pick_domain" else None

    monkeypatch.setattr(plan, "_finished", finished)
    found = plan.steps(units(), PACE)
    text = "\n".join(plan_lines.table(found, PACE, Prices()))
    assert text.count("done (1 min 1 s)") == 2
    assert "all that is left" in text


def test_sources_without_limit_are_counted(tmp_path):
    file = tmp_path / "own.jsonl"
    file.write_text('{"question": "1 + 1", "answer": "2"}\n' * 30)
    source = f"[{{path: {file}, question: question, answer: answer}}]"
    some = units(f"math.collect_seeds.sources={source}")
    found = plan.steps(some, PACE)
    step = next(s for s in found if planning_name(s) == ("filter_edge", "math"))
    assert step.drawn == 4 * (5 * 30 + 2 * 15)
    hub = units("math.collect_seeds.sources=[{hub: openai/gsm8k}]")
    with pytest.raises(DataError, match="without a limit"):
        plan.steps(hub, PACE)


def test_this_machine_by_what_was_measured():
    """The trainer's own fit as far as time goes; rows and rank are given up after."""
    roomy = fit.by_probe(units(), PEAK, 100 * GB)
    assert (roomy.fits, roomy.rung) == (True, roomy.wish)
    tight = fit.by_probe(units(), PEAK, 1.4 * GB)
    assert tight.fits
    assert tight.rung.checkpointing
    assert tight.needed <= tight.room
    none = fit.by_probe(units(), PEAK, 0.1 * GB)
    assert not none.fits
    assert "does NOT fit" in "\n".join(plan_lines.fitting(none))


def test_a_setting_is_only_said_where_it_lowers():
    wanted = ("expand_domains.rank=4", "probe_sft.rank=32", "probe_sft.epochs=1")
    tight = fit.by_probe(units(*wanted), PEAK, 1.33 * GB)
    assert tight.settings["probe_sft.rank"] == 8
    assert "expand_domains.rank" not in tight.settings
    assert tight.settings["expand_domains.gradient_checkpointing"] == "on"
    assert "probe_sft.rank=8" in "\n".join(plan_lines.fitting(tight))


def call(*words):
    return CliRunner().invoke(app, ["plan", *words])


def test_the_command_line(monkeypatch):
    monkeypatch.setattr(probe_speed, "measure", lambda units, seconds: PACE)
    done = call("smoke.yaml", "--watts", "60", "--per-kwh", "0.3")
    assert done.exit_code == 0, done.output
    assert "07 benchmark" in done.stdout
    assert "given up for it: nothing" in done.stdout
    alone = call("smoke.yaml", "--per-kwh", "0.3")
    assert alone.exit_code == 2
    assert "--watts" in alone.stderr


def test_training_that_does_not_fit_here_is_a_failure(monkeypatch):
    little = replace(PACE, free=GB // 10)
    monkeypatch.setattr(probe_speed, "measure", lambda units, seconds: little)
    done = call("smoke.yaml")
    assert done.exit_code == 1
    assert "07 benchmark" in done.stdout
    assert "does NOT fit" in done.stdout


def test_a_card_that_is_elsewhere():
    done = call("phi4-24gb", "--memory-gb", "24")
    assert done.exit_code == 0, done.output
    assert "fits into 24.00 GB; given up for it: nothing" in done.stdout
    small = call("phi4-24gb", "--memory-gb", "0.5")
    assert small.exit_code == 1
    assert "does NOT fit" in small.stdout


def test_a_model_too_large_for_this_machine_is_not_loaded(monkeypatch):
    from phi_kit.training import memory

    monkeypatch.setattr(memory, "free_bytes", lambda: 4 * GB)
    monkeypatch.setattr(probe_speed, "measure", lambda *_, **__: pytest.fail("loaded"))
    done = call("phi4-24gb")
    assert done.exit_code == 1
    assert "smollm2-135m instead" in done.stdout


def test_an_endpoint_cannot_be_planned_for():
    done = call("smoke", "--set", "model=http://127.0.0.1:9/v1#m")
    assert done.exit_code == 1
    assert "needs the model's weights" in done.stderr


def test_the_catalogue_says_what_is_smaller():
    assert fit.smaller("phi-4") == ["phi-4-mini", "smollm2-135m"]
    assert fit.smaller("smollm2-135m") == []


def test_what_reads_a_step_that_is_redone_is_not_done(monkeypatch):
    stale = ("filter_edge", "math")
    took = {True: None, False: Done(61.0, None)}
    monkeypatch.setattr(
        plan, "_finished", lambda unit: took[(unit.step, unit.domain) == stale]
    )
    found = plan.steps(units(), PACE)
    left = [planning_name(step) for step in found if step.done is None]
    assert left == [
        ("filter_edge", "math"),
        ("probe_sft", "math"),
        ("synthesize", "math"),
        ("expand_domains", ""),
        ("benchmark", ""),
    ]


def test_the_best_recipe_is_the_probes():
    sets = (*SMALL, "expand_domains.recipe=best")
    own, best = (seen(counted(*one)["expand_domains", ""]) for one in (SMALL, sets))
    assert best == pytest.approx(3 * own)
    assert fit.wished(units("expand_domains.rank=99"), kind="cuda").rank == 99
    sets = ("expand_domains.recipe=best", "expand_domains.rank=99")
    assert fit.wished(units(*sets), kind="cuda").rank == 16


def test_a_step_that_is_told_twice_counts_once(monkeypatch):
    def told(*_, hooks, **__):
        for step, rate in ((1, 10), (1, 10), (2, 100), (2, 100)):
            hooks.watch({"step": step, "tokens": 50, "tokens_per_second": rate})

    monkeypatch.setattr(probe_speed, "train", told)
    params = next(u.params for u in units() if u.step == "probe_sft")
    found = Pace()
    probe_speed._train(None, [], params, found, seconds=60)
    assert found.trained == 100
