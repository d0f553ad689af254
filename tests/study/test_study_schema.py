"""The schema accepts every study of the kit and refuses what a run refuses."""

import json
from pathlib import Path

import jsonschema
import pytest

from phi_kit.core import yaml12
from phi_kit.study.study_schema import study_schema

PARAMS = Path(__file__).resolve().parents[2] / "params"
STUDIES = sorted(PARAMS.glob("*.yaml"))


@pytest.fixture(scope="module")
def check():
    # As an editor reads it: from a file.
    schema = json.loads(json.dumps(study_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_there_are_studies():
    assert len(STUDIES) >= 4


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_it_accepts_the_kits_own_studies(check, path):
    assert [e.message for e in check.iter_errors(yaml12.load(path.read_text()))] == []


OWN = {
    "verifier": "contains",
    "instruction": "Answer in one sentence.",
    "sources": [{"path": "a.csv", "question": "Q", "answer": "A"}],
}


@pytest.mark.parametrize(
    "study",
    [
        {"domains": ["math"]},
        {"domains": {"math": None, "own": OWN}, "filter_edge": None},
        {"domains": ["math"], "from": "quickstart", "probe_sft": {"dose": [0.5, 1]}},
        {"domains": {"math": {"style": "answer", "filter_edge": {"samples": 8}}}},
    ],
    ids=str,
)
def test_it_accepts_what_a_run_accepts(check, study):
    assert [e.message for e in check.iter_errors(study)] == []


@pytest.mark.parametrize(
    "study",
    [
        {},
        {"domains": []},
        {"domains": ["math"], "filter_egde": {}},
        {"domains": ["math"], "filter_edge": {"sampels": 3}},
        {"domains": ["math"], "filter_edge": {"samples": 1}},
        {"domains": ["math"], "filter_edge": {"study": "x"}},
        {"domains": ["math"], "style": "steps by step"},
        {"domains": {"math": {"benchmark": {"samples": 3}}}},
        {"domains": ["math"], "rng_seed": "seven"},
    ],
    ids=str,
)
def test_it_refuses_what_a_run_refuses(check, study):
    assert list(check.iter_errors(study))
