"""Scores as others read them: the harness, the hub, Every Eval Ever."""

import json
import re

import jsonschema
import pytest
import scored
from ruamel.yaml import YAML

from phi_kit.core.errors import RunError
from phi_kit.study.results_export import export_results

# What Every Eval Ever asks of a record, of the parts that are written here
# (`every_eval_ever/schemas/eval.schema.json`; uncertainty as in 0.3.0).
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
EEE = {
    "type": "object",
    "required": [
        *("schema_version", "evaluation_id", "retrieved_timestamp"),
        *("source_metadata", "model_info", "eval_library", "evaluation_results"),
    ],
    "additionalProperties": False,
    "properties": {
        "schema_version": {"const": "0.3.0"},
        "evaluation_id": {"type": "string"},
        "evaluation_timestamp": {"type": "string"},
        "retrieved_timestamp": {"type": "string", "pattern": r"^\d+$"},
        "source_metadata": {
            "type": "object",
            "required": [
                *("source_type", "source_organization_name"),
                "evaluator_relationship",
            ],
            "properties": {
                "source_type": {"enum": ["documentation", "evaluation_run"]},
                "evaluator_relationship": {
                    "enum": ["first_party", "third_party", "collaborative", "other"]
                },
            },
        },
        "eval_library": {"type": "object", "required": ["name", "version"]},
        "model_info": {
            "type": "object",
            "required": ["name", "id"],
            "properties": {"additional_details": _TEXTS},
        },
        "evaluation_results": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": [
                    *("evaluation_name", "source_data"),
                    *("metric_config", "score_details"),
                ],
                "properties": {
                    "source_data": {
                        "oneOf": [
                            {
                                "required": ["dataset_name", "source_type", "hf_repo"],
                                "properties": {"source_type": {"const": "hf_dataset"}},
                            },
                            {
                                "required": ["dataset_name", "source_type"],
                                "properties": {"source_type": {"const": "other"}},
                            },
                        ]
                    },
                    "metric_config": {
                        "required": ["lower_is_better", "min_score", "max_score"],
                        "properties": {"score_type": {"const": "continuous"}},
                    },
                    "score_details": {
                        "required": ["score"],
                        "properties": {
                            "score": {"type": "number"},
                            "uncertainty": {
                                "properties": {
                                    "standard_error": {"required": ["value"]},
                                    "confidence_interval": {
                                        "required": ["lower", "upper"]
                                    },
                                    "num_samples": {"type": "integer"},
                                }
                            },
                        },
                    },
                    "generation_config": {
                        "properties": {
                            "generation_args": {
                                "additionalProperties": False,
                                "properties": {
                                    "temperature": {"type": ["null", "number"]},
                                    "max_tokens": {"type": "integer", "minimum": 1},
                                },
                            }
                        }
                    },
                },
            },
        },
    },
}


@pytest.fixture
def exported(runs, tmp_path):
    scored.finish()
    out = tmp_path / "results"
    return out, export_results("demo", out)


def test_the_harness_finds_results_and_samples_by_their_names(exported):
    out, files = exported
    model = out / "lm_eval" / "demo-final"
    (results,) = model.glob("results_*.json")
    # As the harness reads a date and a task off a file's name.
    stamp = results.name[results.name.rfind("_") + 1 :].removesuffix(".json")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}", stamp)
    samples = sorted(model.glob("samples_*.jsonl"))
    tasks = [
        path.name[path.name.find("_") + 1 : path.name.rfind("_")] for path in samples
    ]
    assert sorted(tasks) == ["gsm8k", "math", "math-500"]
    assert all(path.name.endswith(f"{stamp}.jsonl") for path in samples)
    assert set(files) >= {results, *samples}


def test_what_the_harness_writes_is_there_and_agrees_with_the_samples(exported):
    out, _ = exported
    for model, right in scored.RIGHT.items():
        name = {"base": "smollm2-135m", "final": "demo-final"}[model]
        folder = out / "lm_eval" / name
        (path,) = folder.glob("results_*.json")
        results = json.loads(path.read_text())
        assert results["model_name"] == name
        for task, row in results["results"].items():
            assert row["exact_match,none"] == pytest.approx(right / 20)
            assert row["exact_match_stderr,none"] > 0
            assert results["n-samples"][task] == {"original": 20, "effective": 20}
            assert task in results["configs"]
            (samples,) = folder.glob(f"samples_{task}_*.jsonl")
            lines = [json.loads(line) for line in samples.read_text().splitlines()]
            assert len(lines) == 20
            mean = sum(line["exact_match"] for line in lines) / 20
            assert mean == pytest.approx(row["exact_match,none"])
            assert all(len(line["resps"][0]) == 2 for line in lines)
            assert {"doc_id", "doc", "target", "arguments", "doc_hash"} <= set(lines[0])
        assert set(results["task_hashes"]) == set(results["results"])


def test_sealed_items_are_named_and_not_shown(exported):
    _, files = exported
    told = "".join(path.read_text() for path in files if "samples_math_" in path.name)
    assert "sealed item" in told
    assert "Sealed 3?" not in told
    public = "".join(path.read_text() for path in files if "samples_gsm8k" in path.name)
    assert "Question 3?" in public


def test_the_hub_gets_registered_benchmarks_only(exported):
    out, _ = exported
    (path,) = (out / ".eval_results").iterdir()
    (entry,) = YAML(typ="safe").load(path.read_text())
    assert path.name == "gsm8k.yaml"
    assert entry["dataset"] == {"id": "openai/gsm8k", "task_id": "gsm8k"}
    assert entry["value"] == 0.75
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry["date"])
    assert "n=20" in entry["notes"]


def test_every_eval_ever_records_validate_and_carry_intervals(exported):
    out, _ = exported
    for path in (out / "every_eval_ever").glob("*.json"):
        record = json.loads(path.read_text())
        jsonschema.validate(record, EEE)
        for result in record["evaluation_results"]:
            details = result["score_details"]
            span = details["uncertainty"]["confidence_interval"]
            assert span["lower"] < details["score"] < span["upper"]
            assert span["confidence_level"] == 0.95


def test_nothing_is_written_over_and_nothing_unfinished_exported(exported, runs):
    out, _ = exported
    with pytest.raises(RunError, match="a folder of their own"):
        export_results("demo", out)
    with pytest.raises(RunError, match="step 7 has not finished"):
        export_results("nobody", out / "x")
