from pathlib import Path

import pytest

from phi_kit.core.errors import StudyError
from phi_kit.study import config


@pytest.fixture
def study(project):
    def load(text, *sets, name="demo.yaml"):
        (project / "params" / name).write_text(text)
        return config.load(f"params/{name}", sets)

    return load


def faults(load, text, *sets):
    with pytest.raises(StudyError) as caught:
        load(text, *sets)
    head, *lines = str(caught.value).splitlines()
    count = head.removeprefix("params/demo.yaml has ").split()[0]
    assert int(count) == len(lines)
    assert head.endswith("; nothing was started")
    return lines


def unit(study, step, domain=""):
    found = [u.params for u in study.units() if (u.step, u.domain) == (step, domain)]
    assert len(found) == 1
    return found[0]


SOURCES = """\
domains: [math]
collect_seeds:
  sources:
    - path: nowhere.jsonl
      qestion: prompt
"""


def test_a_missing_source_file_is_a_fault_before_anything_starts(tmp_path, monkeypatch):
    (tmp_path / "demo.yaml").write_text(SOURCES)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError) as caught:
        config.load(tmp_path / "demo.yaml")
    _, path, question = str(caught.value).splitlines()
    assert path.startswith("  line 4   collect_seeds.sources.0.path: there is no such")
    assert question.startswith("  line 5   collect_seeds.sources.0.qestion: unknown")


def test_every_study_file_of_the_kit_loads():
    found = sorted((Path(__file__).parents[2] / "params").glob("*.yaml"))
    assert len(found) >= 2
    for path in found:
        assert config.load(path).name == path.stem


def test_units_stand_domain_by_domain_then_once(study):
    loaded = study("domains: [puzzles, math]\n")
    assert loaded.name == "demo"
    assert [(u.step, u.domain) for u in loaded.units()] == [
        ("pick_domain", "puzzles"),
        ("filter_edge", "puzzles"),
        ("pick_domain", "math"),
        ("filter_edge", "math"),
        ("benchmark", ""),
    ]
    assert unit(loaded, "benchmark").domains == ["puzzles", "math"]
    assert all(u.params.study == "demo" for u in loaded.units())


def test_values_mean_what_yaml_1_2_says(study):
    text = "domains: [math]\nfilter_edge:\n  rate: 1e-5\n  adapt: false\n  note: no\n"
    params = unit(study(text + "  BAND: [0, 1]\n"), "filter_edge", "math")
    assert (params.rate, params.adapt, params.note) == (1e-5, False, "no")
    assert params.band == [0, 1]


def test_a_domain_overrides_a_section(study):
    text = "domains:\n  math: {filter_edge: {samples: 8}}\n  puzzles:\n"
    loaded = study(text + "filter_edge: {samples: 5, note: all}\n")
    math, puzzles = (unit(loaded, "filter_edge", d) for d in ("math", "puzzles"))
    assert (math.samples, puzzles.samples) == (8, 5)
    assert math.note == puzzles.note == "all"


def test_five_faults_are_five_lines(study):
    text = (
        "study: demo\n"
        "rng_seed: -1\n"
        "domains: [math, puzles]\n"
        "filter_egde:\n"
        "  samples: 4\n"
        "filter_edge:\n"
        "  samples: 0\n"
        "  ADAPT: maybe\n"
    )
    assert faults(study, text) == [
        "  line 2   rng_seed: input should be greater than or equal to 0 (it is -1)",
        "  line 3   domains.1: unknown domain 'puzles'; did you mean 'puzzles'?",
        "  line 4   filter_egde: unknown section; did you mean 'filter_edge'?",
        "  line 7   filter_edge.samples: input should be greater than or equal to 2 "
        "(it is 0)",
        "  line 8   filter_edge.ADAPT: input should be a valid boolean (it is 'maybe')",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("domains: [math\n", "line 2   is not YAML: "),
        ("", "line 1   the file is empty"),
        ("- math\n", "line 1   the file should be a mapping"),
        ("domains: [math]\ndomains: [math]\n", "line 2   domains: is given twice"),
        ("model: smollm2-135m\n", "line 1   domains: is missing"),
        ("domains: math\n", "line 1   domains: should name one domain"),
        ("domains: [math, math]\n", "line 1   domains.1: 'math' is named twice"),
        ("domains: [math]\nfilter_edge: 3\n", "line 2   filter_edge: should be a map"),
        (
            "domains: [math]\nfilter_edge:\n  sample: 3\n",
            "line 3   filter_edge.sample: unknown parameter; did you mean 'samples'?",
        ),
        (
            "domains: [math]\nfilter_edge:\n  rng_seed: 3\n",
            "line 3   filter_edge.rng_seed: belongs to the whole study",
        ),
        (
            "domains: [math]\nfilter_edge:\n  samples: 3\n  SAMPLES: 4\n",
            "line 4   filter_edge.SAMPLES: is given twice",
        ),
        (
            "domains: [math]\nfilter_edge: {}\nFILTER_EDGE: {}\n",
            "line 3   FILTER_EDGE: is given twice, in upper and in lower case",
        ),
        ("domains: [math]\nstudy: a/b\n", "line 2   study: 'a/b' cannot be a folder"),
        (
            "domains: [math]\ncompute: half\n",
            "line 2   compute: input should be 'auto' or 'float32'",
        ),
        (
            "domains: [math]\nengine: vlm\n",
            "line 2   engine: input should be 'auto', 'own', 'transformers' or 'vllm'",
        ),
        ("domains: [math]\nfrom: a b\n", "line 2   from: 'a b' cannot be a folder"),
        ("domains: [math]\nfrom: 7\n", "line 2   from: 7 is no text"),
        ("domains: [math]\nmodl: x\n", "line 2   modl: unknown key; did you mean"),
        (
            "domains:\n  math:\n    benchmark:\n      items: 3\n",
            "line 3   domains.math.benchmark: runs once for all domains",
        ),
        (
            "domains:\n  math:\n    filter_edge:\n      samples: 1\n",
            "line 4   domains.math.filter_edge.samples: input should be",
        ),
        (
            "domains: [math, puzzles]\nfilter_edge:\n  band: [1, 0]\n",
            "line 3   filter_edge.band should rise (it is [1, 0])",
        ),
        (
            "domains: [math, puzzles]\nfilter_edge:\n  band:\n  - 1\n  - x\n",
            "line 5   filter_edge.band.1: input should be a valid number (it is 'x')",
        ),
    ],
)
def test_one_fault_one_line(study, text, fault):
    (line,) = faults(study, text)
    assert line.startswith(f"  {fault}")


def test_sets_change_the_study_and_have_the_last_word(study):
    text = "domains:\n  math: {filter_edge: {samples: 8}}\n  puzzles:\n"
    sets = ("filter_edge.SAMPLES=3", "puzzles.filter_edge.samples=5", "rng_seed=3")
    sets += ("compute=float32", "engine=transformers")
    loaded = study(text, *sets, "filter_edge.note=17", "filter_edge.rate=1e-5")
    math, puzzles = (unit(loaded, "filter_edge", d) for d in ("math", "puzzles"))
    assert (math.samples, puzzles.samples) == (3, 5)
    assert (math.note, math.rate) == ("17", 1e-5)
    assert {u.params.rng_seed for u in loaded.units()} == {3}
    assert {u.params.compute for u in loaded.units()} == {"float32"}
    assert {u.params.engine for u in loaded.units()} == {"transformers"}
    renamed = study(text, "study=other", "domains=[puzzles]")
    assert renamed.name == "other"
    assert unit(renamed, "benchmark").domains == ["puzzles"]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("filter_edge.SAMPLES=0", "filter_edge.samples: input should be greater"),
        ("filter_egde.samples=3", "filter_egde.samples: unknown section; did you"),
        ("filter_edge.sampels=3", "filter_edge.sampels: unknown parameter; did you"),
        ("filter_edge=3", "filter_edge: name a parameter of it"),
        ("moth.filter_edge.samples=3", "moth.filter_edge.samples: the study has no"),
        ("samples", "samples: should read NAME=VALUE"),
        ("domains=[chess]", "domains: unknown domain 'chess'"),
        ("from=a b", "from: 'a b' cannot be a folder's name"),
        ("study=a b", "study: 'a b' cannot be a folder's name"),
    ],
)
def test_a_fault_of_a_set_is_listed_with_the_files(study, given, fault):
    lines = faults(study, "domains: [math]\nrng_seed: x\n", given)
    assert lines[0].startswith("  line 2   rng_seed: input should be a valid integer")
    assert lines[1].startswith(f"  --set    {fault}")


def test_a_bare_name_is_looked_for_in_params(study):
    study("domains: [math]\n")
    assert config.load("demo").name == config.load("demo.yaml").name == "demo"
    with pytest.raises(StudyError, match="did you mean 'demo'"):
        config.load("demmo")
