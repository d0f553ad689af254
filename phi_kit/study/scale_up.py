"""The second phase of a study: its chosen recipe, all domains, larger sets.

Written as an ordinary study file from what the finished study's manifests say, so that
nothing is remembered by hand and everything can be read and changed before it is run.
Its held-out items are fresh: another `rng_seed` draws others, for the first phase has
looked at its own.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phi_kit import steps
from phi_kit.core import step_table
from phi_kit.core.errors import RunError, StudyError
from phi_kit.core.files import write_atomic
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.paths import display_path, project_root
from phi_kit.evaluation.decision import SCALE, SEEDS

from .study_draft import COMMON

FACTOR = 4  # how many times the seeds of the first phase (kit default)
HELD_OUT = (
    300  # items of dev and test at least: a gain of 7 points is seen (kit default)
)
_SKIPPED = ("domain", "domains", "redo", *COMMON)


def write_scaled_study(
    study: str, *, factor: int = FACTOR, anyway: bool = False
) -> Path:
    """Write `params/<study>-scaled.yaml`.

    Args:
        study: the name of a study that has finished step 7.
        factor: how many times as many seeds.
        anyway: also where the decision is another than to scale.

    Raises:
        RunError: the study has not finished step 7.
        StudyError: its decision is another, or the file is there already.
    """
    last = RunFolder.of(study, step_table.BENCHMARK)
    decision = last.result.get("decision")
    if not decision:
        raise RunError(
            f"{study} has decided nothing: an older kit ran its step 7",
            where=display_path(last.path),
            todo="run it again: --from benchmark --redo",
        )
    if decision["verdict"] != SCALE and not anyway:
        reasons = "; ".join(
            f"{one['name']}: {one['status']}"
            for one in decision["criteria"]
            if one["status"] != "met"
        )
        raise StudyError(
            f"the decision of {study} is '{decision['verdict']}' ({reasons})",
            where=display_path(last.path),
            todo="do what its criteria name next, or say --anyway",
        )
    path = project_root() / "params" / f"{study.replace('/', '-')}-scaled.yaml"
    if path.exists():
        raise StudyError(
            "the study file of the second phase is there already",
            where=display_path(path),
            todo="use it, or move it away",
        )
    values = scaled_values(study, last.manifest["params"]["domains"], factor=factor)
    path.parent.mkdir(exist_ok=True)
    write_atomic(path, _as_yaml(values, _head(study, decision, path, factor)))
    return path


def scaled_values(study: str, domains: list[str], *, factor: int) -> dict[str, Any]:
    """The second phase as the values of a study file.

    Args:
        study: whose manifests are read.
        domains: of the study.
        factor: how many times as many seeds.
    """
    first = RunFolder.of(study, step_table.PICK_DOMAIN, domain=domains[0])
    before = first.manifest["params"]
    values: dict[str, Any] = {
        "rng_seed": before["rng_seed"] + 1,
        "model": before["model"],
        "domains": {name: _of_domain(study, name, factor) for name in domains},
    }
    for step in (step_table.EXPAND_DOMAINS, step_table.BENCHMARK):
        values[step.name] = _given(RunFolder.of(study, step), steps.load(step).Params)
    merged = RunFolder.of(study, step_table.EXPAND_DOMAINS)
    seeds = list(range(1, SEEDS + 1))
    values["expand_domains"] |= {**merged.result["recipe"], "train_seeds": seeds}
    values["expand_domains"] |= {"recipe": "own"}
    return values


def _of_domain(study: str, domain: str, factor: int) -> dict[str, Any]:
    """A domain's sections: what the study set, its recipe, larger sets."""
    section: dict[str, Any] = {}
    for step in steps.STEPS:
        if not step.per_domain:
            continue
        folder = RunFolder.of(study, step, domain=domain)
        section[step.name] = _given(folder, steps.load(step).Params)
    card, seeds, probe = (
        section[step.name]
        for step in (
            step_table.PICK_DOMAIN,
            step_table.COLLECT_SEEDS,
            step_table.PROBE_SFT,
        )
    )
    section |= card.pop("custom", {})
    for split in ("dev_items", "test_items"):
        card[split] = max(HELD_OUT, card.get(split, 0))
    for source in seeds.get("sources", []):
        if source.get("limit"):
            source["limit"] *= factor
    if "sources" not in seeds:
        usual = steps.load(step_table.COLLECT_SEEDS).Params().sources[0].limit
        seeds["sources"] = [{"limit": factor * usual}]
    folder = RunFolder.of(study, step_table.PROBE_SFT, domain=domain)
    probe |= {**folder.result["recipe"], "train_seeds": list(range(1, SEEDS + 1))}
    probe |= {"arms": ["random", "teachable"]}
    probe.pop("search", None)
    return {name: value for name, value in section.items() if value}


def _given(folder: RunFolder, kind: type[StepParams]) -> dict[str, Any]:
    """What a step was given other than its defaults."""
    usual = kind().model_dump(mode="json")
    found = {
        name: value
        for name, value in folder.manifest["params"].items()
        if name in kind.model_fields and name not in _SKIPPED and value != usual[name]
    }
    for name in {"custom", "sources"} & found.keys():
        found[name] = _without_blanks(found[name])
    return found


def _without_blanks(value: Any) -> Any:
    """Sources as a user writes them: without the keys that say nothing."""
    if isinstance(value, Mapping):
        told = {key: _without_blanks(one) for key, one in value.items()}
        blank = (None, "", [], {}, False, 0.0)
        return {key: one for key, one in told.items() if one not in blank}
    return [_without_blanks(one) for one in value] if isinstance(value, list) else value


def _head(study: str, decision: Mapping[str, Any], path: Path, factor: int) -> str:
    lines = [
        f"The second phase of {study}: the recipes it chose, all of its domains,",
        f"{factor} times the seeds, fresh held-out items.",
        "",
        f"  phi-kit run {display_path(path)}",
        "",
        f"Decision of {study}: {decision['verdict']}.",
    ]
    for one in decision["criteria"]:
        lines.append(f"  {one['status']}: {one['name']}: {one['why']}")
    return "".join(f"# {line}".rstrip() + "\n" for line in lines) + "\n"


def _as_yaml(values: Mapping[str, Any], head: str) -> str:
    from ruamel.yaml import YAML

    text, yaml = io.StringIO(), YAML()
    yaml.default_flow_style = False
    yaml.dump(dict(values), text)
    return head + text.getvalue()
