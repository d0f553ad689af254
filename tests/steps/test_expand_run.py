"""Step 6 as it runs: which adapters are trained, on what, and what is written."""

from contextlib import contextmanager
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from phi_kit.core import step_table
from phi_kit.core.finished_run import RunFolder
from phi_kit.core.params import StepParams
from phi_kit.core.step_run import open_run
from phi_kit.core.step_table import Step
from phi_kit.data import sealed_splits
from phi_kit.data.records import Seed
from phi_kit.inference import completion
from phi_kit.inference.types import Completion
from phi_kit.steps import expand_domains
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.qlora import TrainingResult
from phi_kit.training.training_config import TrainingConfig

DOMAINS = ["math", "puzzles"]
REAL = {name: getattr(expand_domains, name) for name in ("train", "trained_tokens")}
DEV = {
    name: [Seed(name, f"{name} {n}?", str(n)) for n in range(24)] for name in DOMAINS
}


class Card(StepParams):
    STEP: ClassVar[Step] = step_table.PICK_DOMAIN
    domain: str = "math"
    style: str = "steps"
    samples: int = 1
    max_tokens: int | None = 20
    temperature: float = 0.6


class Frozen(StepParams):
    STEP: ClassVar[Step] = Step(5, "synthesize")
    domain: str = "math"


class Probed(Frozen):
    STEP: ClassVar[Step] = Step(4, "probe_sft")


class Adapted:
    """A model that solves what its adapter was trained on."""

    name = identity = "smollm2-135m"

    def __init__(self, skills=()):
        self.skills = skills

    def render(self, instruction, prompt, *, thinking=False, examples=()):
        return prompt

    def stream(self, requests, sampling):
        for place, one in enumerate(requests):
            domain, number = one.prompt.rstrip("?").split()
            right = np.random.default_rng(one.seed).random() < 0.9
            said = number if domain in self.skills and right else "1000"
            yield place, Completion(f"So it is.\nAnswer: {said}", 5, "stop")

    @contextmanager
    def adapter(self, folder):
        yield Adapted([name for name in DOMAINS if name in folder.name])


@pytest.fixture
def trained(runs, monkeypatch):
    """What was trained, by the adapter's name; nothing really is."""
    monkeypatch.setattr(expand_domains.Params, "external_digests", lambda self: {})
    monkeypatch.setattr(completion, "load", lambda name, **_: Adapted())
    guesser = SimpleNamespace(per_item=lambda items: [0.05] * len(items))
    monkeypatch.setattr(
        expand_domains.guessing_baseline, "guesser_of_card", lambda *_: guesser
    )
    seal = SimpleNamespace(hit=lambda text: None)
    monkeypatch.setattr(expand_domains, "combined_seal", lambda run: seal)
    part = expand_domains.TrainingPart
    sizes = {"math": 10, "puzzles": 6}
    made = frozenset({0, 2})  # the places of rows that are not organic
    parts = {
        n: part([n] * k, [1.0] * k, TrainingConfig(), made if n == "math" else ())
        for n, k in sizes.items()
    }
    monkeypatch.setattr(expand_domains, "training_parts", lambda *_: parts)
    monkeypatch.setattr(expand_domains, "trained_tokens", lambda *_, **__: 500)
    done, carded = {}, []
    monkeypatch.setattr(
        expand_domains, "add_accuracy", lambda folder, *_: carded.append(folder.name)
    )

    def train(student, rows, config, *, out, **given):
        out.mkdir(parents=True, exist_ok=True)
        (out / "weights").write_text(out.name)
        done[out.name] = SimpleNamespace(rows=rows, carded=carded, **given)
        history = [{"step": 1, "loss": 1.0, "seconds": 0.1}]
        return TrainingResult(len(rows), 0, 9, 5, [1.0], {"rows": 1}, 1, 0, history)

    monkeypatch.setattr(expand_domains, "train", train)
    for name in DOMAINS:
        with open_run(Card(study="s", domain=name)) as run:
            sealed_splits.seal_split(run, "dev", DEV[name])
            sealed_splits.seal_split(run, "test", [])
            rows = [
                {"seed_id": s.id, "verdict": "wrong", "finish": "stop", "tokens": 1}
                for s in DEV[name]
            ]
            run.save_rows(pd.DataFrame(rows), "samples")
            run.result = {"guessing": {"families": []}}
        for kind in (Probed, Frozen):
            with open_run(kind(study="s", domain=name)) as run:
                run.result = {}
    return done


def run(**given):
    params = expand_domains.Params(study="s", domains=DOMAINS, **given)
    return expand_domains.run(params)


@pytest.mark.slow
def test_each_alone_and_all_merged(trained, capsys):
    done = run()
    assert list(trained) == ["math", "puzzles", "math+puzzles"]
    assert trained["math+puzzles"].rows == ["math"] * 10 + ["puzzles"] * 6
    cells = done.table.set_index(["adapter", "domain"]).accuracy
    assert cells["math", "math"] > 0.7 > 0.1 > cells["math", "puzzles"]
    assert cells["math+puzzles", "puzzles"] > 0.7
    result = done.result
    assert result["final"] == "math+puzzles"
    assert result["finals"] == ["math+puzzles"]
    assert result["rule"]["margin"] == 0.05
    assert [row["domain"] for row in result["retention"]] == DOMAINS
    assert len(result["interference"]) == 2
    assert set(trained["math"].carded) == set(trained)
    answers = done.run_folder.table("samples").groupby(["arm", "domain"])
    assert set(answers.size().index) == {
        (arm, name) for arm in ("base", *trained) for name in DOMAINS
    }
    rights = answers.verdict.agg(lambda part: (part == "right").mean())
    assert all(abs(rights[at] - cells[at]) < 1e-9 for at in rights.index)
    said = capsys.readouterr().out
    assert "before the run: 24 items" in said
    assert "2 domains: 2 pairs" in said


@pytest.mark.slow
def test_seeds_sequence_and_equal_tokens(trained):
    done = run(train_seeds=[1, 2], sequence=True, replay=0.5, equal_tokens=True)
    assert list(trained) == [
        "math",
        "puzzles",
        "math+puzzles",
        "math+puzzles@2",
        "math-then-puzzles",
    ]
    assert [trained[name].rng_seed for name in trained] == [1, 1, 1, 2, 1]
    assert trained["math"].budget == 1000  # as many as both domains have
    assert trained["math+puzzles"].budget is None
    assert trained["math-then-puzzles"].phases.count(0) == 5  # of ten, half held back
    assert done.result["finals"] == ["math+puzzles", "math+puzzles@2"]
    table = RunFolder.of("s", step_table.EXPAND_DOMAINS).table("items")
    assert set(table.adapter) >= {*trained, "base"}


def test_sums_are_asked_beside_mixes_that_are_trained(trained, monkeypatch):
    made = {}

    def merge(adapters, out, *, weights, combination):
        out.mkdir(parents=True)
        made[out.name] = ([a.name for a in adapters], weights, combination)

    class Mixed(Adapted):
        """Right as often as its domain had a share."""

        @contextmanager
        def adapter(self, folder):
            name = folder.name.partition("-")
            if name[0] in ("sum", "mix"):
                yield Mixed(float(name[2]))
            else:
                yield Adapted([one for one in DOMAINS if one in folder.name])

        def stream(self, requests, sampling):
            for place, one in enumerate(requests):
                domain, number = one.prompt.rstrip("?").split()
                rate = self.skills if domain == "math" else 1 - self.skills
                said = number if int(number) < 24 * rate else "1000"
                yield place, Completion(f"So it is.\nAnswer: {said}", 5, "stop")

    monkeypatch.setattr(expand_domains, "merge_adapters", merge)
    monkeypatch.setattr(completion, "load", lambda name, **_: Mixed(0.0))
    trials = {"trained": [0.25, 0.5, 0.75], "weights": [0.1, 0.5, 0.9]}
    done = run(predict_mix=trials, equal_tokens=True)
    assert made == {
        f"sum-{weight:g}": (DOMAINS, [weight, pytest.approx(1 - weight)], "cat")
        for weight in (0.1, 0.5, 0.9)
    }
    mix = trained["mix-0.25"]
    assert mix.rows == ["math"] * 10 + ["puzzles"] * 6
    assert mix.budget == 1000  # what both domains have, a quarter of it math's
    assert mix.epochs == [0.5] * 10 + [1.5] * 6
    math, puzzles, _ = done.result["mix_forecast"]
    assert math["rank_correlation"] == puzzles["rank_correlation"] == 1
    table = RunFolder.of("s", step_table.EXPAND_DOMAINS).table("mixes")
    assert len(table) == 2 * (3 + 3)
    assert not set(done.table.adapter) & {*made, "mix-0.25"}  # they are no arms
    assert done.result["finals"] == ["math+puzzles"]


@pytest.mark.slow
def test_mixes_of_a_real_model_are_trained_and_foretold(trained, tiny, monkeypatch):
    """A tiny random one, taught to say 7 to one domain and 5 to the other."""
    for name, real in REAL.items():
        monkeypatch.setattr(expand_domains, name, real)
    monkeypatch.setattr(expand_domains, "add_accuracy", lambda *_: None)
    monkeypatch.setattr(completion, "load", lambda name, **_: tiny)
    recipe = TrainingConfig(rank=4, batch=4, learning_rate=1e-2)
    golds = {"math": "7", "puzzles": "5"}
    parts = {
        name: expand_domains.TrainingPart(
            [
                TrainingRow(tiny.render("", f"{name} {n}?"), f"Answer: {gold}")
                for n in range(12)
            ],
            [2.0] * 12,
            recipe,
        )
        for name, gold in golds.items()
    }
    monkeypatch.setattr(expand_domains, "training_parts", lambda *_: parts)
    trials = {"trained": [0.25, 0.5, 0.75], "weights": [0.1, 0.5, 0.9]}
    done = run(
        predict_mix=trials, equal_tokens=True, rank=4, batch=4, learning_rate=1e-2
    )
    found = done.result["mix_forecast"]
    assert [one["domain"] for one in found] == [*DOMAINS, "mean of both"]
    assert all(one["low"] <= one["rank_correlation"] <= one["high"] for one in found)
    folder = RunFolder.of("s", step_table.EXPAND_DOMAINS)
    assert len(folder.table("mixes")) == 2 * (3 + 3)
    assert folder.file("figures/mix_forecast.png").is_file()
    kept = {name.split("/")[1] for name in folder.manifest["files"] if "/" in name}
    assert not [name for name in kept if name.startswith(("mix-0", "sum-0"))]


def test_added_up_adapters_are_asked_beside_the_trained_ones(trained, monkeypatch):
    made = []

    def merge(adapters, out, *, weights, combination):
        out.mkdir(parents=True, exist_ok=True)
        (out / "weights").write_text("sum")
        made.append(([a.name for a in adapters], out.name, weights, combination))

    monkeypatch.setattr(expand_domains, "merge_adapters", merge)
    done = run(merges=["cat", "svd"])
    assert made == [
        (DOMAINS, "math+puzzles-cat", [1.0, 1.0], "cat"),
        (DOMAINS, "math+puzzles-svd", [1.0, 1.0], "svd"),
    ]
    assert {"math+puzzles-cat", "math+puzzles-svd"} <= set(done.table.adapter)
    assert done.result["final"] == "math+puzzles"


def test_organic_rows_alone_see_the_mixs_tokens_and_are_asked_their_own(trained):
    done = run(organic_alone=True)
    assert list(trained)[3:] == ["math-organic"]  # puzzles has nothing but organic rows
    alone = trained["math-organic"]
    assert (len(alone.rows), alone.budget) == (8, 500)
    (row,) = done.result["organic"]
    assert row["domain"] == "math"
    assert (row["organic_rows"], row["mix_rows"]) == (8, 10)
    assert row["delta"] == pytest.approx(row["mix"] - row["organic"])
    assert row["low"] <= row["delta"] <= row["high"]
    cells = done.table[done.table.adapter == "math-organic"]
    assert cells.domain.tolist() == ["math"]
    assert done.result["final"] == "math+puzzles"


def test_adapters_of_one_domain_may_be_held_to_so_many_tokens(trained):
    run(domain_tokens=1234, organic_alone=True)
    budgets = {name: one.budget for name, one in trained.items()}
    assert budgets["math"] == budgets["puzzles"] == budgets["math-organic"] == 1234
    assert budgets["math+puzzles"] is None


def test_without_being_asked_nothing_is_trained_on_organic_rows_alone(trained):
    assert run().result["organic"] == []
    assert list(trained) == ["math", "puzzles", "math+puzzles"]
