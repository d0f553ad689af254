"""Races of the toy study, whose step 4 says how good it is."""

import fake_study
import pytest
import race_steps

from phi_kit.core.errors import RunError, StudyError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.step_table import PROBE_SFT
from phi_kit.study.sweep import sweep_cost
from phi_kit.study.sweep.sweep_state import read_state
from phi_kit.study.sweep.sweep_status import show_status, sweep_state

TO_PROBE = "sets: {domains: [math]}\nto: probe_sft\nrace: true\n"
THREE = (
    "grid:\n  probe_sft.train_seeds: [[1], [2]]\n  probe_sft.level: [0.8, 0.75, 0.2]\n"
)
LAST = "level-0.2"  # far behind


@pytest.fixture(autouse=True)
def probes(project, monkeypatch, no_kernels):
    race_steps.install(monkeypatch)
    no_kernels.carry_out = race_steps.carry_out
    return no_kernels


def probes_run(project):
    runs = [line.split(maxsplit=1) for line in fake_study.executions(project)]
    return [rest for step, rest in runs if step == "04_probe_sft"]


def kinds(state):
    return {name: one.kind for name, one in state.variant_states().items()}


@pytest.mark.slow
def test_who_is_far_behind_is_not_measured_to_the_end(project, load, run):
    lines = run(TO_PROBE + THREE)
    # Everybody has one training run before anybody has a second.
    first, second = probes_run(project)[:3], probes_run(project)[3:5]
    assert sorted(first) == ["0.2 [1]", "0.75 [1]", "0.8 [1]"]
    assert sorted(second) == ["0.75 [2]", "0.8 [2]"]
    found = kinds(read_state("demo"))
    assert found.pop(f"train_seeds-2--{LAST}") == "dropped"
    assert set(found.values()) == {"finished"}
    folder = project / f"runs/demo/train_seeds-2--{LAST}/math"
    assert not (folder / "04_probe_sft").exists()
    (why,) = read_state("demo").dropped.values()
    assert why.startswith("behind train_seeds-1--level-0.")
    assert " at look 1 of 2: −" in why
    assert "100 items, corrected p " in why
    assert f"train_seeds-2--{LAST} is dropped: {why}" in lines
    text = "\n".join(lines)
    assert "race at 04_probe_sft, arm teachable: 3 contestants, 2 of 2 looks" in text
    assert "left out: 1 notebook, about " in text

    # The same command finds the same; so does who only looks.
    again = run(TO_PROBE + THREE)
    assert "0 notebooks run, 10 finished earlier" in "\n".join(again)
    assert kinds(read_state("demo")) == kinds(sweep_state(load(TO_PROBE + THREE)))
    told = []
    show_status(load(TO_PROBE + THREE), say=told.append)
    assert next(line for line in told if "dropped" in line).endswith(why)
    assert [one for one in told if "measured again" in one] == [
        one for one in lines if "measured again" in one
    ]


@pytest.mark.slow
def test_the_winner_is_measured_again_on_fresh_samples(project, run):
    lines = run(TO_PROBE + THREE)
    again = [name for name in read_state("demo").variants if "--again-" in name]
    assert len(again) == 1
    folder = RunFolder.of(f"demo/{again[0]}", PROBE_SFT, domain="math")
    params = folder.manifest["params"]
    assert (params["rng_seed"], params["train_seeds"]) == (8, [3, 4])
    (before,) = [line for line in lines if "it was chosen by" in line]
    (fresh,) = [line for line in lines if "measured again" in line]
    assert "(fresh items, seeds and training)" in fresh
    samples = folder.table("samples")
    own = samples[samples.arm == "teachable"]
    assert f"{100 * (own.verdict == 'right').mean():.1f}" in fresh
    assert all("n = 100), +" in line for line in (before, fresh))
    assert "quote the second figure" in lines[lines.index(fresh) + 1]


@pytest.mark.slow
def test_later_steps_wait_for_the_last_look(project, run):
    text = TO_PROBE.replace("to: probe_sft\n", "") + THREE
    run(text)
    steps = [line.split()[0] for line in fake_study.executions(project)]
    looked = [i for i, step in enumerate(steps) if step == "04_probe_sft"][:5]
    assert steps.index("07_benchmark") > max(looked)
    assert steps.count("07_benchmark") == 4  # of those that are still in
    assert f"train_seeds-1--{LAST}" in read_state("demo").dropped


@pytest.mark.slow
def test_everything_may_differ_between_rounds(project, run):
    text = "rng_seeds: [3, 4]\ngrid:\n  probe_sft.level: [0.8, 0.2]\n"
    run(TO_PROBE + text)
    state = read_state("demo")
    assert kinds(state)["level-0.2--rng_seed-4"] == "dropped"
    assert len(probes_run(project)) == 4
    (again,) = [name for name in state.variants if "--again-" in name]
    assert "rng_seed=5" in state.variants[again]


@pytest.mark.slow
def test_equals_are_all_measured(project, run):
    text = THREE.replace("[0.8, 0.75, 0.2]", "[0.5, 0.51, 0.52]")
    run(TO_PROBE + text)
    assert "dropped" not in kinds(read_state("demo")).values()
    assert len(probes_run(project)) == 7


@pytest.mark.slow
def test_who_is_named_is_run(project, run):
    run(TO_PROBE + THREE)
    lines = run(TO_PROBE + THREE, names=[f"train_seeds-2--{LAST}"])
    assert "1 notebook run" in "\n".join(lines)
    assert kinds(read_state("demo"))[f"train_seeds-2--{LAST}"] == "finished"


@pytest.mark.slow
def test_who_fails_is_out_of_it_and_the_race_goes_on(project, run, probes):
    def carry_out(params):
        if getattr(params, "level", 0) == 0.75 and params.train_seeds == [1]:
            raise RunError("it raised")
        return race_steps.carry_out(params)

    probes.carry_out = carry_out
    with pytest.raises(RunError, match=r"1 variant .*: train_seeds-1--level-0\.75"):
        run(TO_PROBE + THREE)
    found = kinds(read_state("demo"))
    assert found["train_seeds-1--level-0.75"] == "failed"
    assert found[f"train_seeds-2--{LAST}"] == "dropped"
    assert found["train_seeds-2--level-0.75"] == "finished"


@pytest.mark.slow
def test_a_sweep_that_grows_races_anew(project, run):
    run(TO_PROBE + THREE)
    run(TO_PROBE + THREE.replace("[0.8,", "[0.95, 0.8,"))
    state = read_state("demo")
    assert state.notes[1] == "  look 1: train_seeds-1--level-0.95 leads"
    again = [name for name in state.variants if "--again-" in name]
    assert again[0].startswith("train_seeds-1--level-0.95--again-")
    kept = list((project / "runs/demo").glob("*--again-*"))
    assert len(kept) == 2  # the earlier winner's is nobody else's


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "race: true\nto: probe_sft\nrng_seeds: [1, 2]\n",
            "line 2   race: one alone is no race",
        ),
        (
            "race: true\nto: filter_edge\ngrid: {filter_edge.samples: [3, 4]}\n",
            "line 2   race: the sweep ends before probe_sft",
        ),
        (
            "race: {arm: own}\ngrid: {probe_sft.level: [0.3, 0.4]}\n",
            "line 2   race: 'level-0.3' has no arm 'own' in step 4",
        ),
        (
            "race: true\nvariants:\n- {probe_sft.level: 0.3, rng_seed: 1}\n"
            "- {probe_sft.level: 0.4, rng_seed: 2}\n",
            "line 2   race: everybody needs the same random seeds",
        ),
        ("race: 3\nrng_seeds: [1]\n", "line 2   race: "),
        (
            "race: {spred: 0.1}\nrng_seeds: [1]\n",
            "line 2   race.spred: unknown parameter; did you mean 'spread'?",
        ),
    ],
)
def test_what_cannot_be_raced_is_said_at_its_line(load, text, fault):
    with pytest.raises(StudyError) as caught:
        load(text)
    assert str(caught.value).splitlines()[1].startswith(f"  {fault}")


@pytest.mark.slow
def test_a_plan_counts_the_fresh_measurement_and_not_who_is_out(load, run, monkeypatch):
    asked = []
    monkeypatch.setattr(sweep_cost, "measure", lambda units, *, seconds: "speed")
    monkeypatch.setattr(sweep_cost, "plan_steps", lambda *_, **__: asked or [])
    sweep = load(TO_PROBE + THREE)
    cost = sweep_cost.sweep_cost(sweep, seconds=1)
    assert (len(cost.items), len(cost.finished)) == (2 + 6 + 3, 0)
    assert "measured again is counted" in " ".join(sweep_cost.cost_lines(sweep, cost))
    run(TO_PROBE + THREE)
    cost = sweep_cost.sweep_cost(sweep, seconds=1)
    assert (len(cost.items), len(cost.finished)) == (2 + 5 + 3, 10)
