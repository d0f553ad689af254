"""Steps 2, 5 and 6 keep sealed items out, with no model: step 1 is made by hand."""

from itertools import islice
from typing import ClassVar

import pandas as pd
import pytest
from fake_models import Fake
from pydantic import Field

from phi_kit import domains
from phi_kit.core import step_table
from phi_kit.core.errors import StudyError
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.core.step_table import Step
from phi_kit.data import records, sealed_splits
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed, to_frame
from phi_kit.inference import completion
from phi_kit.steps import collect_seeds, expand_domains, synthesize

STORY = "Vanessa packs her many orders with 200g of peanuts each and has 3000g left."


class Card(StepParams):
    STEP: ClassVar[Step] = Step(1, "pick_domain")
    domain: str = "math"
    families: list[str] = Field([])


class Edge(Card):
    STEP: ClassVar[Step] = Step(3, "filter_edge")
    max_tokens: int = 8
    temperature: float = 0.6


class Probe(Card):
    STEP: ClassVar[Step] = Step(4, "probe_sft")


class Made(Card):
    STEP: ClassVar[Step] = Step(5, "synthesize")


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_RUNS", str(tmp_path / "runs"))


def pick(domain: str, *more: Seed) -> None:
    with open_run(Card(study="s", domain=domain)) as run:
        family = domains.get(domain).families[0]
        draw = {
            split: list(
                islice(generate_items(domain, family, rng_seed=7, split=split), 20)
            )
            for split in ("dev", "test", "draws")
        }
        sealed_splits.seal_split(run, "dev", [*draw["dev"], *more])
        sealed_splits.seal_split(run, "test", draw["test"])
        sealed_splits.seal_split(run, sealed_splits.DRAWS, draw["draws"])


def of(step: Step, domain: str = "math") -> RunFolder:
    return RunFolder.of("s", step, domain=domain)


def test_step_2_names_the_item_and_the_words(tmp_path):
    item = Seed("math", STORY, "15", family="gsm8k")
    pick("math", item)
    path = tmp_path / "mine.jsonl"
    rows = pd.DataFrame(
        {
            "question": [f"Well! {STORY} Why?", "What is 1 + 1?", "How many are 2?"],
            "answer": ["15", "2", "proof"],
        }
    )
    rows.to_json(path, orient="records", lines=True)
    with path.open("a") as file:
        file.write("{broken\n")
    params = collect_seeds.Params(
        study="s", sources=[collect_seeds.Procedural(limit=40), {"path": str(path)}]
    )
    run = collect_seeds.run(params)
    gone = of(step_table.COLLECT_SEEDS).table("quarantine")
    hits = of(step_table.COLLECT_SEEDS).table("sealed_hits")
    mine = hits[hits.family == "gsm8k"].iloc[0]
    assert mine["item"] == item.id
    assert mine.how == "8-gram"
    assert "peanuts each and has 3000" in mine.span
    assert {"no answer", "unreadable line"} <= set(gone.reason)
    assert "line 4 is not JSON" in set(gone.detail)
    assert len(gone) + len(run.table) == run.flow.read == 44
    assert set(run.table.answer_kind) == {domains.get("math").answer_kind}
    assert list(run.result["pinned"]) == ["2 mine.jsonl"]


def test_a_mix_needs_a_limit_and_keeps_to_it(tmp_path):
    pick("math")
    sources = [{"task": "gcd", "weight": 3.0}, {"task": "chain_sum", "weight": 1.0}]
    with pytest.raises(StudyError, match="give collect_seeds a limit"):
        collect_seeds.Params.validated({"sources": sources}, where="here")
    params = collect_seeds.Params(study="s", sources=sources, limit=40)
    run = collect_seeds.run(params)
    assert run.flow.read == 40
    assert [part["read"] for part in run.result["mix"]] == [30, 10]


@pytest.mark.slow
def test_step_5_checks_rows_and_their_ancestors(monkeypatch):
    monkeypatch.setattr(completion, "load", lambda name, **_: Fake(None))
    pick("math")
    collect_seeds.run(collect_seeds.Params(study="s"))
    seeds = of(step_table.COLLECT_SEEDS).table()
    held_out = sealed_splits._read_split(of(step_table.PICK_DOMAIN), "dev")[0]
    pool = pd.concat([seeds[seeds.family == "sum-1"].head(30), to_frame([held_out])])
    with open_run(Edge(study="s")) as run:
        told = {"place": "inside", "responses": 1, "own_responses": 0}
        run.save_rows(pool.assign(tier="teachable", control=False, **told))
        golds = pd.DataFrame({"seed_id": pool.id, "text": pool.answer, "rank": 1})
        run.save_rows(golds.assign(kept=True, own=False), "responses")
        columns = ["seed_id", "text", "tokens", "sample", "verdict", "finish"]
        run.save_rows(pd.DataFrame(columns=columns), "samples")
    with open_run(Probe(study="s")) as run:
        run.save_rows(pd.DataFrame({"arm": ["base"], "accuracy": [0.5]}))
    synthesize.run(synthesize.Params(study="s", arm="teachable", own_solutions=False))
    hits = of(step_table.SYNTHESIZE).table("sealed_hits")
    assert held_out.id in set(hits.ancestor)
    assert held_out.id not in set(of(step_table.SYNTHESIZE).table().parent)


def test_step_6_holds_every_domain_against_every_seal():
    pick("math")
    pick("puzzles")
    theirs = sealed_splits._read_split(of(step_table.PICK_DOMAIN, "puzzles"), "test")[0]
    for domain in ("math", "puzzles"):
        family = domains.get(domain).families[2]
        seeds = list(
            islice(generate_items(domain, family, rng_seed=7, split="train"), 5)
        )
        if domain == "math":
            seeds += [Seed("math", theirs.prompt, "1")]
            seeds += [Seed("math", "Say 1.", "1", parent=seeds[-1].id)]
        with open_run(Made(study="s", domain=domain)) as run:
            rows = to_frame(seeds, completion=[seed.answer for seed in seeds])
            if domain == "math":  # its response holds what the other domain tests
                rows.loc[0, "completion"] = f"As in: {theirs.prompt}\n\nAnswer: 1"
            records.save_dataset(rows, run.folder("dataset"))

    class Merge(StepParams):
        STEP: ClassVar[Step] = Step(
            6,
            "expand_domains",
            needs=(step_table.PICK_DOMAIN, step_table.SYNTHESIZE),
            per_domain=False,
        )
        domains: list[str] = Field(["math", "puzzles"])

    with open_run(Merge(study="s")) as run:
        found = expand_domains.drop_sealed_rows(run, expand_domains.combined_seal(run))
    assert {name: len(rows) for name, rows in found.items()} == {
        "math": 4,
        "puzzles": 5,
    }
    assert run.flow.dropped == {"sealed": 2, "sealed ancestor": 1}
    hits = of(step_table.EXPAND_DOMAINS).table("sealed_hits")
    assert set(hits["item"]) == {theirs.id}
    assert set(hits.domain) == {"puzzles"}
