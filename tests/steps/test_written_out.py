"""What the runner or papermill writes into a notebook is read back as it was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
from papermill.translators import PythonTranslator

from phi_kit import steps
from phi_kit.core.errors import StudyError
from phi_kit.core.step_table import STEPS
from phi_kit.steps import (
    benchmark,
    collect_seeds,
    expand_domains,
    filter_edge,
    pick_domain,
    probe_sft,
    synthesize,
)
from phi_kit.study.notebook.execute import first_parameters, notebook_parameters

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
URL = "http://localhost:8000/v1#my-model"


def read_back(params, first=()):
    """The parameters after papermill has written them into a cell and it has run."""
    namespace = {}
    exec(PythonTranslator.codify(notebook_parameters(params, first=first)), namespace)
    return type(params).from_namespace(namespace)


@pytest.mark.parametrize("step", steps.STEPS, ids=str)
def test_defaults_are_read_back(step):
    params = steps.load(step).Params()
    assert read_back(params) == params


@pytest.fixture
def changed(tmp_path):
    """By step: parameters that are lists, nested, or text that YAML would read."""
    path = tmp_path / "rows.csv"
    path.write_text("question,answer\n1 + 1,2\n")
    file = {"path": str(path), "question": "question", "answer": "answer"}
    return {
        "pick_domain": pick_domain.Params(
            domain="own",
            custom={"verifier": "numeric", "sources": [file], "title": "null"},
            instruction="yes: 'quoted', \"twice\"\nand a second line\\",
            families=["rows"],
        ),
        "collect_seeds": collect_seeds.Params(
            study="123",
            sources=[
                {**file, "weight": 2.5},
                {"task": "gcd", "config": {"min_value": 2}},
                {"kind": "procedural", "limit": 7},
            ],
            limit=9,
        ),
        "filter_edge": filter_edge.Params(
            model=URL,
            reference="1e5",
            risk=1e-5,
            thinking_tags=("<false>", "</false>"),
            endpoint={"price_in": 1e-06, "price_out": 2.0, "logprobs": True},
        ),
        "probe_sft": probe_sft.Params(
            arms=["teachable", "unfiltered"],
            train_seeds=[1, 2],
            dose=[0.25, 0.5],
            search={"learning_rate": [1e-4, 5e-3], "rank": [4]},
        ),
        "synthesize": synthesize.Params(
            arm="random", transforms=["swap", "story"], grader="no"
        ),
        "expand_domains": expand_domains.Params(
            domains=["puzzles", "math"], recipe="best", redo=True
        ),
        "benchmark": benchmark.Params(domains=["math"], temperature=0.0),
    }


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_lists_nested_values_and_odd_text_are_read_back(changed, step):
    params = changed[step.name]
    assert params != type(params)()
    assert read_back(params) == params


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_notebook_is_given_what_its_first_cell_names_and_the_rest_as_advanced(
    changed, step
):
    params = changed[step.name]
    first = first_parameters(NOTEBOOKS / f"{step.folder}.ipynb")
    assert first[-1] == "ADVANCED"
    written = notebook_parameters(params, first=first)
    assert list(written) == [name for name in written if name in first]
    assert set(written) == set(first)
    assert read_back(params, first) == params


@pytest.mark.parametrize("text", ["", "{}", '{"cells": [{"metadata": {}}]}', "[1]"])
def test_of_an_unreadable_notebook_all_parameters_are_given_by_name(tmp_path, text):
    (tmp_path / "x.ipynb").write_text(text)
    assert first_parameters(tmp_path / "x.ipynb") == []
    assert first_parameters(tmp_path / "gone.ipynb") == []
    assert "RANK" in notebook_parameters(probe_sft.Params())


# `papermill -p NAME VALUE` and shells hand text over: it means what it spells in YAML.
@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("TRAIN_SEEDS", "[1, 2]", [1, 2]),
        ("DOSE", "[0.25, 1]", [0.25, 1.0]),
        ("ARMS", "[random, teachable]", ["random", "teachable"]),
        ("LEARNING_RATE", "1e-4", 1e-4),
        ("RNG_SEED", "11", 11),
        ("REDO", "true", True),
        ("THINKING_TAGS", "null", None),
        ("THINKING_TAGS", "[<a>, </a>]", ("<a>", "</a>")),
        ("SEARCH", "{learning_rate: [1e-4], rank: [8]}", None),
        ("STUDY", "123", "123"),
        ("MODEL", "1e5", "1e5"),
    ],
)
def test_text_means_what_it_spells(name, text, value):
    params = probe_sft.Params.from_namespace({name: text})
    if name == "SEARCH":
        value = probe_sft.Params(search={"learning_rate": [1e-4], "rank": [8]}).search
    assert getattr(params, name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text"), [("TRAIN_SEEDS", "1, 2"), ("REDO", "yes"), ("RNG_SEED", "0x1g")]
)
def test_text_that_spells_another_type_is_refused(name, text):
    with pytest.raises(StudyError, match=name.lower()):
        probe_sft.Params.from_namespace({name: text})
