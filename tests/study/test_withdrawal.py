"""A source taken out: what goes with it, and what stays as it is."""

import json
from types import SimpleNamespace
from typing import ClassVar

import pytest
from pydantic import Field

from phi_kit.core import step_table
from phi_kit.core.errors import RunError, StudyError
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.core.step_state import up_to_date
from phi_kit.core.step_table import Step
from phi_kit.data import sealed_splits, withdrawn
from phi_kit.data.records import Seed
from phi_kit.steps import collect_seeds
from phi_kit.study import withdrawal


class Card(StepParams):
    STEP: ClassVar[Step] = step_table.PICK_DOMAIN
    domain: str = "math"
    families: list[str] = Field([])


def collected(tmp_path, domain, *files):
    """Steps 1 and 2 of a domain, with seeds of these files."""
    with open_run(Card(study="s", domain=domain)) as run:
        for part in ("dev", "test", sealed_splits.DRAWS):
            sealed = Seed("x", f"A {part} item, sealed.", "1")
            sealed_splits.seal_split(run, part, [sealed])
    sources = []
    for n, name in enumerate(files):
        path = tmp_path / name
        rows = [
            {"question": f"What is {i} plus {n + 1}?", "answer": i + n + 1}
            for i in range(10, 40)
        ]
        path.write_text("\n".join(map(json.dumps, rows)))
        sources.append({"path": str(path)})
    params = collect_seeds.Params(study="s", domain=domain, sources=sources)
    return params, collect_seeds.run(params)


def study(*domains):
    return SimpleNamespace(
        name="s", units=lambda: [SimpleNamespace(domain=d) for d in (*domains, "")]
    )


def test_only_what_came_from_a_source_is_redone(runs, tmp_path):
    both, run = collected(tmp_path, "math", "a.jsonl", "b.jsonl")
    other, _ = collected(tmp_path, "puzzles", "b.jsonl")
    (name,) = [one for one in run.result["sources"] if "a.jsonl" in one]
    said = list(withdrawal.withdraw(study("math", "puzzles"), name))
    assert said[0].startswith(f"math: 30 seeds of {name} are withdrawn")
    assert said[1] == "puzzles: nothing of it; its steps stay as they are"
    assert not up_to_date(both)
    assert up_to_date(other)
    again = collect_seeds.run(both)
    assert again.flow.dropped["source withdrawn"] == 30
    assert name not in again.result["sources"]
    assert again.flow.read == run.flow.read
    assert up_to_date(both)
    # Asked for again, nothing more happens.
    said = list(withdrawal.withdraw(study("math", "puzzles"), name))
    assert said == ["puzzles: nothing of it; its steps stay as they are"]
    assert up_to_date(both)


def test_a_source_that_nobody_has_is_refused_with_the_nearest(runs, tmp_path):
    _, run = collected(tmp_path, "math", "a.jsonl")
    (name,) = run.result["sources"]
    with pytest.raises(StudyError, match="did you mean"):
        list(withdrawal.withdraw(study("math"), name[:-1]))


def test_a_spoilt_note_stops_the_step(runs, tmp_path):
    both, _ = collected(tmp_path, "math", "a.jsonl")
    withdrawn.withdraw_source("s", "math", "x")
    (runs / "s" / "math" / "withdrawn.json").write_text("{")
    with pytest.raises(RunError, match="which sources are withdrawn"):
        both.external_digests()
