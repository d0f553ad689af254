"""Scores as others read them: the harness, the hub, Every Eval Ever."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import scored
from huggingface_hub import ModelCard
from ruamel.yaml import YAML

from phi_kit.core.errors import RunError
from phi_kit.study.results_export import export_results

# Every Eval Ever's own, from its wheel (MIT, (c) 2026 EvalEval; the licence is beside).
SCHEMA = Path(__file__).with_name("schemas") / "every_eval_ever-0.3.0.schema.json"
EEE = json.loads(SCHEMA.read_text(encoding="utf-8"))


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


def test_the_cards_index_is_one_that_the_hubs_library_reads(exported):
    """Benchmarks that the hub has not registered: the others have `.eval_results`."""
    out, _ = exported
    text = (out / "model_index.yaml").read_text()
    card = ModelCard(f"---\n{text}---\n\n# A card\n", ignore_metadata_errors=False)
    found = {one.dataset_name: one for one in card.data.eval_results}
    assert card.data.model_name == "demo-final"
    assert set(found) == {"MATH-500", "math, sealed test items of demo"}
    public = found["MATH-500"]
    assert (public.task_type, public.metric_type) == ("text-generation", "pass@1")
    assert public.dataset_type == "HuggingFaceH4/MATH-500"
    assert public.metric_value == 0.75
    assert public.metric_args == {"n": 20, "low": 0.531, "high": 0.888}


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
