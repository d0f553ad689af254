"""A study's scores in the layouts that others read.

- lm-evaluation-harness: `results_*.json` and `samples_*.jsonl` in a folder for each
  model (its `loggers/evaluation_tracker.py` of 2026 writes these names and keys);
- the Hugging Face hub: `.eval_results/*.yaml` for a model's repository, of benchmarks
  that the hub has registered (https://huggingface.co/docs/hub/eval-results), and for
  the others `model_index.yaml`, to stand in the head of a model's card
  (https://github.com/huggingface/hub-docs/blob/main/modelcard.md);
- Every Eval Ever 0.3.0: one JSON file for each model, intervals included
  (https://github.com/evaleval/every_eval_ever, `eval.schema.json`).

All three are written, none is depended on. Sealed test items are named by their ids
only: what is published is no longer held out.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phi_kit import __version__
from phi_kit.core import step_table
from phi_kit.core.endpoint_url import is_endpoint
from phi_kit.core.errors import RunError, disk_errors
from phi_kit.core.files import write_atomic
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.paths import display_path
from phi_kit.data.records import from_frame
from phi_kit.evaluation.ask import accuracies_of
from phi_kit.evaluation.benchmarks import benchmark_table
from phi_kit.stats.intervals import Accuracy, accuracy

if TYPE_CHECKING:
    import pandas as pd

EEE_VERSION = "0.3.0"
MODELS = ("base", "final")


@dataclass(frozen=True)
class ScoredTask:
    """One benchmark as one model answered it.

    Attributes:
        task: the domain's or benchmark's name.
        model: `base` or `final`.
        samples: rows of `ask`.
        score: pass@1 with its interval.
    """

    task: str
    model: str
    samples: pd.DataFrame
    score: Accuracy


@dataclass(frozen=True)
class ScoredStudy:
    """What step 7 of a study measured, for the writers."""

    name: str
    base: str
    finished: datetime
    params: Mapping[str, Any]
    tasks: list[ScoredTask]
    prompts: Mapping[str, Mapping[str, str]]

    def model_name(self, model: str) -> str:
        """The base model's own name, or the study's for its final adapter."""
        return self.base if model == "base" else f"{self.name}-final"


def scored_study(study: str) -> ScoredStudy:
    """Read what step 7 of a study measured.

    Raises:
        RunError: it has not finished.
    """
    folder = RunFolder.of(study, step_table.BENCHMARK)
    if not folder.finished:
        raise RunError(
            f"{study} has no scores: step 7 has not finished",
            where=display_path(folder.path),
            todo=f"phi-kit run {study}.yaml",
        )
    manifest, tasks = folder.manifest, []
    params = manifest["params"]
    groups = folder.table("samples").groupby(["domain", "model"], sort=False)
    for (task, model), samples in groups:
        if model in MODELS:
            items = accuracies_of(samples, list(dict.fromkeys(samples.seed_id)))
            score = accuracy(items, rng_seed=params["rng_seed"])
            tasks.append(ScoredTask(str(task), str(model), samples, score))
    prompts = {}
    if "benchmark_items.parquet" in manifest["files"]:
        for seed in from_frame(folder.table("benchmark_items")):
            prompts[seed.id] = {"prompt": seed.prompt, "answer": seed.answer}
    when = datetime.fromisoformat(manifest["finished"].replace("Z", "+00:00"))
    return ScoredStudy(study, params["model"], when, params, tasks, prompts)


def export_results(study: str, out: Path) -> list[Path]:
    """Write a study's scores in all three layouts.

    Args:
        study: its name.
        out: a new or an empty folder.

    Returns:
        The files, in order.

    Raises:
        RunError: step 7 has not finished, or the folder holds something.
    """
    scored = scored_study(study)
    if out.exists() and any(out.iterdir()):
        raise RunError(
            "results are written into a folder of their own",
            where=str(out),
            todo="name a new folder",
        )
    files = {}
    for model in dict.fromkeys(task.model for task in scored.tasks):
        files |= dict(lm_eval_files(scored, model))
        files[f"every_eval_ever/{_plain(scored.model_name(model))}.json"] = _json(
            eee_record(scored, model)
        )
    files |= dict(hub_files(scored))
    if text := card_index(scored):
        files["model_index.yaml"] = text
    written = []
    for name, text in files.items():
        path = out / name
        with disk_errors(out):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
        written.append(path)
    return written


def lm_eval_files(scored: ScoredStudy, model: str) -> Iterator[tuple[str, str]]:
    """The harness's files of one model: results of all tasks, samples of each."""
    tasks = [task for task in scored.tasks if task.model == model]
    name, plain = scored.model_name(model), _plain(scored.model_name(model))
    date = scored.finished.replace(tzinfo=None).isoformat(timespec="microseconds")
    stamp = date.replace(":", "-")
    documents = {task.task: list(_sample_lines(scored, task)) for task in tasks}
    results = _lm_eval_settings(scored, tasks, name) | {
        "results": {
            task.task: {
                "alias": task.task,
                "exact_match,none": task.score.accuracy,
                "exact_match_stderr,none": _standard_error(task),
            }
            for task in tasks
        },
        "git_hash": None,
        "date": scored.finished.timestamp(),
        "task_hashes": {
            task: _digest(
                "".join(
                    line["doc_hash"] + line["prompt_hash"] + line["target_hash"]
                    for line in lines
                )
            )
            for task, lines in documents.items()
        },
        "model_source": "phi_kit",
        "model_name": name,
        "model_name_sanitized": plain,
        "start_time": None,
        "end_time": None,
        "total_evaluation_time_seconds": None,
    }
    yield f"lm_eval/{plain}/results_{stamp}.json", _json(results)
    for task, lines in documents.items():
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        yield f"lm_eval/{plain}/samples_{task}_{stamp}.jsonl", text


def _lm_eval_settings(
    scored: ScoredStudy, tasks: list[ScoredTask], name: str
) -> dict[str, Any]:
    """How the tasks were asked, under the harness's keys."""
    samples = int(scored.params["samples"])
    return {
        "group_subtasks": {task.task: [] for task in tasks},
        "configs": {
            task.task: {
                "task": task.task,
                "output_type": "generate_until",
                "repeats": samples,
                "num_fewshot": 0,
                "generation_kwargs": _generation(scored),
                "metadata": {"version": __version__},
            }
            for task in tasks
        },
        "versions": {task.task: __version__ for task in tasks},
        "n-shot": {task.task: 0 for task in tasks},
        "higher_is_better": {task.task: {"exact_match": True} for task in tasks},
        "n-samples": {
            task.task: {"original": task.score.n, "effective": task.score.n}
            for task in tasks
        },
        "config": {
            "model": "phi_kit",
            "model_args": f"pretrained={name}",
            "batch_size": None,
            "limit": None,
            "bootstrap_iters": 10_000,
            "gen_kwargs": _generation(scored),
            "random_seed": scored.params["rng_seed"],
        },
    }


def _sample_lines(scored: ScoredStudy, task: ScoredTask) -> Iterator[dict[str, Any]]:
    """One line an item, all of its samples in it."""
    for number, (seed_id, part) in enumerate(
        task.samples.groupby("seed_id", sort=False)
    ):
        known = scored.prompts.get(seed_id, {})
        prompt = known.get("prompt", f"sealed item {seed_id}")
        target = known.get("answer", "")
        doc = {"id": seed_id, "family": str(part.family.iloc[0]), "prompt": prompt}
        right = (part.verdict == "right").mean()
        yield {
            "doc_id": number,
            "doc": doc,
            "target": target,
            "arguments": {
                "gen_args_0": {"arg_0": prompt, "arg_1": _generation(scored)}
            },
            "resps": [part.text.tolist()],
            "filtered_resps": part.extracted.tolist(),
            "filter": "none",
            "metrics": ["exact_match"],
            "doc_hash": _digest(json.dumps(doc, ensure_ascii=False)),
            "prompt_hash": _digest(prompt),
            "target_hash": _digest(target),
            "exact_match": float(right),
        }


def hub_files(scored: ScoredStudy) -> Iterator[tuple[str, str]]:
    """The final adapter's `.eval_results`, of the benchmarks the hub has registered."""
    known = {one.name: one for one in benchmark_table.TABLE if one.task_id}
    for task in scored.tasks:
        if task.model != "final" or task.task not in known:
            continue
        benchmark = known[task.task]
        span = f"{task.score.low:.3f} to {task.score.high:.3f}"
        entry = {
            "dataset": {"id": benchmark.source.hub, "task_id": benchmark.task_id},
            "value": round(task.score.accuracy, 4),
            "date": scored.finished.date().isoformat(),
            "notes": f"pass@1, n={task.score.n}, 95% interval {span}, by phi_kit",
        }
        yield f".eval_results/{task.task}.yaml", _yaml([entry])


def card_index(scored: ScoredStudy) -> str:
    """The `model-index` of the final adapter's card; empty if there is nothing in it.

    Of benchmarks that the hub has not registered, and of the study's sealed items.
    """
    public = {one.name: one for one in benchmark_table.TABLE}
    results = []
    for task in scored.tasks:
        known = public.get(task.task)
        if task.model != "final" or (known and known.task_id):
            continue
        dataset = {"type": task.task, "split": "test"}
        dataset["name"] = f"{task.task}, sealed test items of {scored.name}"
        if known:
            dataset = {"type": known.source.hub, "name": known.title}
            dataset["split"] = known.source.split
            if known.source.config:
                dataset["config"] = known.source.config
        metric = {"type": "pass@1", "name": "pass@1"}
        metric["value"] = round(task.score.accuracy, 4)
        low, high = round(task.score.low, 3), round(task.score.high, 3)
        metric["args"] = {"n": task.score.n, "low": low, "high": high}
        task_type = {"type": "text-generation"}
        results.append({"task": task_type, "dataset": dataset, "metrics": [metric]})
    if not results:
        return ""
    index = [{"name": scored.model_name("final"), "results": results}]
    return _yaml({"model-index": index})


def eee_record(scored: ScoredStudy, model: str) -> dict[str, Any]:
    """One model's scores as a record of Every Eval Ever."""
    when, name = str(int(scored.finished.timestamp())), scored.model_name(model)
    return {
        "schema_version": EEE_VERSION,
        "evaluation_id": f"phi_kit/{_plain(name)}/{when}",
        "evaluation_timestamp": when,
        "retrieved_timestamp": when,
        "source_metadata": {
            "source_name": f"the study {scored.name}",
            "source_type": "evaluation_run",
            "source_organization_name": "phi_kit",
            "evaluator_relationship": "first_party" if model == "final" else "other",
        },
        "eval_library": {"name": "phi_kit", "version": __version__},
        "model_info": {
            "name": name,
            "id": name,
            "additional_details": {
                "base_model": scored.base,
                "deployment_type": "unknown"
                if is_endpoint(scored.base)
                else "self_deployed",
                "model_availability": "unknown",
            },
        },
        "evaluation_results": [
            _eee_result(scored, task) for task in scored.tasks if task.model == model
        ],
    }


def _eee_result(scored: ScoredStudy, task: ScoredTask) -> dict[str, Any]:
    score = task.score
    return {
        "evaluation_name": task.task,
        "source_data": _eee_source(task),
        "metric_config": {
            "evaluation_description": "pass@1: the share of right samples of an item, "
            "averaged over items",
            "metric_id": "pass_at_k",
            "metric_name": "pass@1",
            "metric_kind": "pass_rate",
            "metric_unit": "proportion",
            "metric_parameters": {"k": 1},
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
        },
        "score_details": {
            "score": score.accuracy,
            "uncertainty": {
                "standard_error": {"value": _standard_error(task), "method": "items"},
                "confidence_interval": {
                    "lower": score.low,
                    "upper": score.high,
                    "confidence_level": 0.95,
                    "method": "Wilson, or a bootstrap over items of several samples",
                },
                "num_samples": score.n,
            },
        },
        "generation_config": {"generation_args": _generation(scored)},
    }


def _eee_source(task: ScoredTask) -> dict[str, Any]:
    known = {one.name: one for one in benchmark_table.TABLE}
    if task.task not in known:
        return {"dataset_name": task.task, "source_type": "other"}
    source = known[task.task].source
    found = {
        "dataset_name": known[task.task].title,
        "source_type": "hf_dataset",
        "hf_repo": source.hub,
        "hf_split": source.split,
        "samples_number": task.score.n,
    }
    return found | ({"hf_config": source.config} if source.config else {})


def _generation(scored: ScoredStudy) -> dict[str, Any]:
    given = {"temperature": float(scored.params["temperature"])}
    limit = scored.params.get("max_tokens")
    return given | ({"max_tokens": int(limit)} if limit else {})


def _standard_error(task: ScoredTask) -> float:
    """Of a mean over items, as the harness has it."""
    items = accuracies_of(task.samples, list(dict.fromkeys(task.samples.seed_id)))
    known = [value for value in items if value == value]
    if len(known) < 2:
        return 0.0
    mean = sum(known) / len(known)
    spread = sum((value - mean) ** 2 for value in known) / (len(known) - 1)
    return (spread / len(known)) ** 0.5


def _plain(name: str) -> str:
    """A name as a folder: the harness replaces what is no letter, digit or dash."""
    return "".join(c if c.isalnum() or c in "-._" else "_" for c in name)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _yaml(value: Any) -> str:
    from ruamel.yaml import YAML

    text = io.StringIO()
    YAML().dump(value, text)
    return text.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
