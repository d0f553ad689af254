"""Every notebook keeps the contract, and the check would notice if not."""

import copy
import itertools
import json
import re
from pathlib import Path

import pytest
from contract import faults, others, parameters, values

from phi_kit import steps
from phi_kit.study import config

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
EVERY = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    return notebook


@EVERY
def test_it_keeps_the_contract(path):
    assert faults(read(path)) == []


@EVERY
def test_its_parameters_are_the_steps_own(path):
    (step,) = [step for step in steps.STEPS if step.folder == path.stem]
    model = steps.load(step).Params
    given, rest = values(read(path)), others(read(path))
    named = [name.lower() for name in (*given, *rest) if name != "ADVANCED"]
    assert sorted(named) == sorted(model.model_fields)
    assert model.from_namespace(given) == model()
    assert model.from_namespace(given | {"ADVANCED": rest}) == model()


# What the quickstart sets for a model of 135M weights, and its planted faults.
OTHERWISE = (
    "math.pick_domain.families=[]",
    "pick_domain.samples=2",
    "math.collect_seeds.sources=[{limit: 160}]",
    "filter_edge.samples=4",
    "filter_edge.max_samples=16",
    "filter_edge.budget=5.0",
    "filter_edge.confirm=2",
    "filter_edge.band_high=0.75",
    "synthesize.organic_share=0.33",
    "expand_domains.epochs=1",
    "benchmark.samples=3",
)


@EVERY
def test_its_defaults_are_the_quickstarts(path):
    units = config.load(ROOT / "params" / "quickstart.yaml", OTHERWISE).units()
    (unit,) = [
        unit
        for unit in units
        if path.stem == unit.params.STEP.folder and unit.domain in ("math", "")
    ]
    assert unit.params == type(unit.params).from_namespace(values(read(path)))


COUNT = itertools.count()


def code(source):
    return {
        "cell_type": "code",
        "id": f"new-{next(COUNT)}",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def output(notebook):
    cell = code("1")
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    notebook["cells"].append(cell)


def count(notebook):
    notebook["cells"].append(code("1") | {"execution_count": 3})


def widget(notebook):
    notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


def injected(notebook):
    cell = code("STUDY = 'x'") | {"metadata": {"tags": ["injected-parameters"]}}
    notebook["cells"].append(cell)


def parameter(line):
    def change(notebook):
        parameters(notebook)[0]["source"] += f"\n{line}"

    change.__name__ = line
    return change


def cell(source):
    def change(notebook):
        notebook["cells"].append(code(source))

    change.__name__ = source[:30]
    return change


def title(old, new):
    def change(notebook):
        source = notebook["cells"][0]["source"]
        assert old in source
        notebook["cells"][0]["source"] = source.replace(old, new, 1)

    change.__name__ = f"title without {old}"
    return change


def twice(notebook):
    notebook["cells"].append(copy.deepcopy(parameters(notebook)[0]) | {"id": "again"})


def no_parameters(notebook):
    parameters(notebook)[0]["metadata"] = {}


NO_LITERAL = "no annotated UPPER_CASE literal"
BAD = [
    (output, "outputs"),
    (count, "an execution count"),
    (widget, "metadata of a run: ['widgets']"),
    (injected, "an injected cell"),
    (twice, "2 parameters cells"),
    (no_parameters, "0 parameters cells"),
    (parameter("RATE = 3  # not annotated"), NO_LITERAL),
    (parameter("RATE: int = 3"), NO_LITERAL),
    (parameter("RATE: int = 3 # "), NO_LITERAL),
    (parameter("rate: int = 3  # lower case"), NO_LITERAL),
    (parameter("RATE: int = 2 * 3  # arithmetic"), NO_LITERAL),
    (parameter("import os  # an import"), NO_LITERAL),
    (parameter("RANK: int = 16  # a ninth"), "8 parameters at most"),
    (cell("!pip install x"), "forbidden: !"),
    (cell("%cd .."), "forbidden: %"),
    (cell("import sys\nsys.exit(0)"), "forbidden: sys.exit"),
    (cell("sys.path.insert(0, '..')"), "forbidden: sys.path"),
    (cell("os.chdir('..')"), "forbidden: os.chdir"),
    (cell("name = input()"), "forbidden: input("),
    (cell("open('/home/ada/data.csv')"), "a machine's path: /home/"),
    (cell("open('C:\\\\data.csv')"), "a machine's path: C:"),
    (cell("x = 1\n" * 26), "cells too long"),
    (cell("x = " + "1" * 80), "a line too wide"),
    (cell("def long():\n" + "    x = 1\n" * 12), "long belongs into the package"),
    (title("# ", ""), "the first cell is no title"),
    (title("| takes |", "| minutes |"), "does not say what it takes"),
    (title("| reads |", "| |"), "does not say what it reads"),
]


@pytest.mark.parametrize(
    ("change", "fault"), BAD, ids=lambda one: getattr(one, "__name__", "")
)
def test_a_doctored_notebook_is_rejected_for_what_is_wrong_with_it(change, fault):
    notebook = read(NOTEBOOKS[0])
    change(notebook)
    (found,) = faults(notebook)
    assert fault in found


def test_a_notebook_of_long_cells_is_rejected():
    notebook = read(NOTEBOOKS[0])
    notebook["cells"] += [code("x = 1\n" * 7) for _ in range(30)]
    assert any("too long" in fault for fault in faults(notebook))


@EVERY
def test_no_cell_counts_on_many_rows(path):
    """A toy study may leave a single row: `.sample(4)` would end its notebook."""
    for cell in json.loads(path.read_text())["cells"]:
        assert not re.search(r"\.sample\(\s*\d", "".join(cell["source"]))
