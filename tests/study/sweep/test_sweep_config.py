import json
from pathlib import Path

import pytest

from phi_kit.core.errors import StudyError
from phi_kit.core.folder_names import study_fault
from phi_kit.study import config
from phi_kit.study.sweep import sweep_config


def names(sweep):
    return [variant.name for variant in sweep.variants]


def of(variant, step, domain="math"):
    (found,) = [u.params for u in variant.units if (u.step, u.domain) == (step, domain)]
    return found


GRID = "grid:\n  filter_edge.samples: [3, 4]\n  math.filter_edge.RATE: [1e-3, 1e-5]\n"


def test_a_grid_crosses_its_values(load):
    sweep = load(GRID + "sets: {rng_seed: 9}\n")
    assert (sweep.name, sweep.base.name, sweep.workers) == ("demo", "toy.yaml", 1)
    assert names(sweep) == [
        "samples-3--rate-0.001",
        "samples-3--rate-1e-5",
        "samples-4--rate-0.001",
        "samples-4--rate-1e-5",
    ]
    last = sweep.variants[-1]
    assert last.study.name == "demo/samples-4--rate-1e-5"
    assert {unit.params.study for unit in last.units} == {last.study.name}
    math, puzzles = of(last, "filter_edge"), of(last, "filter_edge", "puzzles")
    assert (math.samples, math.rate, math.rng_seed) == (4, 1e-5, 9)
    assert (puzzles.samples, puzzles.rate) == (4, 1e-3)
    assert last.sets == (
        "rng_seed=9",
        "filter_edge.samples=4",
        "math.filter_edge.rate=1e-05",
    )
    again = config.load("toy", last.sets)  # as a user may repeat it by hand
    assert of(last, "filter_edge").model_dump(exclude={"study"}) == next(
        unit.params.model_dump(exclude={"study"})
        for unit in again.units()
        if (unit.step, unit.domain) == ("filter_edge", "math")
    )


def test_variants_are_listed_and_crossed_with_seeds(load):
    text = (
        "variants:\n- {name: plain}\n"
        "- {filter_edge.note: a b, filter_edge.samples: 5}\n"
        "rng_seeds: [1, 2]\nto: filter_edge\n"
    )
    sweep = load(text)
    first, *_, last = sweep.variants
    assert first.name == "plain--rng_seed-1"
    assert last.name.startswith("note-a-b--samples-5--rng_seed-2-")
    assert of(last, "filter_edge").note == "a b"
    assert [unit.step for unit in last.units] == ["pick_domain", "filter_edge"] * 2


def test_a_variant_may_go_on_further_than_the_others(load):
    text = "variants:\n- {name: short}\n- {name: long, to: filter_edge}\n"
    short, long = load(text + "to: pick_domain\n").variants
    assert [variant.name for variant in (short, long)] == ["short", "long"]
    assert {unit.step for unit in short.units} == {"pick_domain"}
    assert {unit.step for unit in long.units} == {"pick_domain", "filter_edge"}
    with pytest.raises(StudyError, match=r"line 4 +variants\.1\.to: .*'filter_egde'"):
        load(text.replace("edge", "egde"))


def test_draws_stay_as_they_are_when_there_are_more(load):
    text = (
        "random:\n  draws: {}\n  over:\n    filter_edge.samples: [3, 4, 5]\n"
        "    filter_edge.rate: {{low: 1e-4, high: 1e-1, log: true}}\n"
        "    pick_domain.items: {{low: 2, high: 9}}\n"
    )
    few, many = load(text.format(5)), load(text.format(40))
    assert names(many)[:5] == names(few)
    drawn = [of(variant, "filter_edge").rate for variant in many.variants]
    assert min(drawn) < 1e-3 < 1e-2 < max(drawn)
    assert {of(v, "filter_edge").samples for v in many.variants} == {3, 4, 5}
    assert {of(v, "pick_domain").items for v in many.variants} == set(range(2, 10))


def test_a_combination_that_comes_twice_is_one_variant(load):
    sweep = load("grid:\n  filter_edge.samples: [3, 4, 3]\n")
    assert names(sweep) == ["samples-3", "samples-4"]
    assert sweep.repeated == 1


def test_a_sweep_that_grows_keeps_its_names(load):
    before = load("grid:\n  filter_edge.note: [x y, '1', x/y]\n")
    after = load("grid:\n  filter_edge.note: [z, x/y, '1', x y, x-y]\n")
    assert set(names(before)) < set(names(after))
    assert len(set(names(after))) == 5


@pytest.mark.parametrize(
    "values",
    [
        ["x" * 100, "x" * 101],
        ["a", "A"],
        ["", " "],
        ["nul", "é", "日本"],
        ["../up", "a/b", "."],
    ],
)
def test_every_name_is_a_folder_of_its_own(load, values):
    sweep = load(f"grid:\n  filter_edge.note: {json.dumps(values)}\n")
    assert [study_fault(name) for name in names(sweep)] == [""] * len(values)
    assert len({name.casefold() for name in names(sweep)}) == len(values)
    assert [of(v, "filter_edge").note for v in sweep.variants] == values


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1   nothing varies"),
        ("grid:\n  filter_edge.samples: []\n", "line 3   grid.filter_edge.samples: "),
        ("grd: {}\n", "line 2   grd: unknown parameter; did you mean 'grid'?"),
        ("workers: 0\nrng_seeds: [1]\n", "line 2   workers: input should be greater"),
        (
            "rng_seeds: [1]\nbase: x\n",
            "line 3   base: is given twice; first on line 1",
        ),
        (
            "grid:\n  filter_edge.samples:\n  - 3\n  - 1\n",
            "line 5   grid.filter_edge.samples.1: input should be greater than or "
            "equal to 2 (it is 1)",
        ),
        (
            "grid:\n  filter_egde.samples: [3]\n",
            "line 3   grid.filter_egde.samples.0: unknown section; did you mean "
            "'filter_edge'?",
        ),
        (
            "sets: {filter_edge.sampels: 3}\nrng_seeds: [1, 2]\n",
            "line 2   sets.filter_edge.sampels: unknown parameter; did you mean "
            "'samples'?",
        ),
        (
            "variants:\n- {filter_edge.samples: 3}\n- {filter_edge.samples: x}\n",
            "line 4   variants.1.filter_edge.samples: input should be a valid integer",
        ),
        (
            "variants:\n- {name: a b}\n",
            "line 3   variants.0.name: 'a b' cannot be a folder's name",
        ),
        (
            "variants:\n- {name: sweep.json}\n",
            "line 3   variants.0.name: 'sweep.json' is the kit's own",
        ),
        (
            "grid:\n  filter_edge.samples: [3]\n  filter_edge.SAMPLES: [4]\n",
            "line 4   grid.filter_edge.SAMPLES: filter_edge.samples varies in grid and "
            "in grid; once is enough",
        ),
        (
            "grid: {rng_seed: [1]}\nrng_seeds: [2]\n",
            "line 3   rng_seeds: rng_seed varies in grid and in rng_seeds",
        ),
        (
            "grid:\n  study: [a, b]\n",
            "line 3   grid.study: study is for the sweep to say",
        ),
        (
            "limits: {variants: 3}\ngrid: {filter_edge.samples: [2, 3, 4, 5]}\n",
            "line 2   limits.variants: the file gives 4 variants, and 3 are the limit",
        ),
        ("rng_seeds: [1]\nto: 9\n", "line 3   to: there is no step '9'"),
        (
            "random: {draws: 2, over: {filter_edge.rate: {low: 2, high: 1}}}\n",
            "line 2   random.over.filter_edge.rate",
        ),
        (
            "random: {draws: 2, over: {filter_edge.rate: 3}}\n",
            "line 2   random.over.filter_edge.rate",
        ),
        ("sweep: a/b\nrng_seeds: [1]\n", "line 2   sweep: 'a/b' cannot be a folder's"),
    ],
)
def test_one_fault_one_line(load, text, fault):
    with pytest.raises(StudyError) as caught:
        load(text)
    head, line = str(caught.value).splitlines()
    assert head == "params/sweeps/demo.yaml has 1 fault; nothing was started"
    assert line.startswith(f"  {fault}")


def test_what_does_not_go_together_is_said_of_the_variant(load):
    text = (
        "grid:\n  filter_edge.band: [[0, 1], [1, 0]]\n  filter_edge.samples: [3, 4]\n"
    )
    with pytest.raises(StudyError) as caught:
        load(text)
    _, *lines = str(caught.value).splitlines()
    assert lines[0].startswith("  line 3   grid.filter_edge.band.1: ")
    assert "band should rise (it is [1, 0]), in the variant 'band-1.0--s" in lines[0]


def test_all_faults_are_listed_at_once(load):
    with pytest.raises(StudyError) as caught:
        load("to: 12\nworkers: 1\nsweep: x y\nvariants:\n- {redo: true, name: 7}\n")
    lines = [line.split()[1] for line in str(caught.value).splitlines()[1:]]
    assert lines == ["4", "6", "6"]


def test_a_base_with_faults_says_its_own(load, project):
    (project / "params/toy.yaml").write_text("domains: [moth]\n")
    with pytest.raises(StudyError, match=r"params/toy.yaml has 1 fault.*\n.*'math'"):
        load("rng_seeds: [1]\n")
    (project / "params/toy.yaml").unlink()
    with pytest.raises(StudyError, match="line 1   base: there is no study file 'toy'"):
        load("rng_seeds: [1]\n")


def test_variants_are_chosen_by_name(load):
    sweep = load(GRID)
    assert len(sweep_config.chosen(sweep, [])) == 4
    found = sweep_config.chosen(sweep, ["samples-3*", "samples-4--rate-0.001"])
    assert [variant.name for variant in found] == names(sweep)[:3]
    with pytest.raises(StudyError, match="no variant 'samples-5'; did you mean"):
        sweep_config.chosen(sweep, ["samples-5"])


def test_a_sweep_file_is_told_from_a_study_file(load):
    load(GRID)
    assert sweep_config.is_sweep("demo")
    assert sweep_config.is_sweep("params/sweeps/demo.yaml")
    assert not sweep_config.is_sweep("toy")
    assert not sweep_config.is_sweep("nothing")
    with pytest.raises(StudyError, match="no sweep file 'dmo'; did you mean 'demo'"):
        sweep_config.load("dmo")


def test_every_sweep_file_of_the_kit_loads():
    found = sorted((Path(__file__).parents[3] / "params/sweeps").glob("*.yaml"))
    sizes = {path.stem: len(sweep_config.load(path).variants) for path in found}
    sizes_of_files = {"bands": 6, "claims": 12, "gate": 2, "organic_share": 4}
    assert sizes == {**sizes_of_files, "recipe": 24}
    for path in found:
        sweep = sweep_config.load(path)
        assert sweep.name == path.stem
        assert all(study_fault(variant.name) == "" for variant in sweep.variants)
