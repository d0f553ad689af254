"""The page of the claims sweep, from run folders that were made up."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from phi_kit.cli import app
from phi_kit.core.errors import StudyError
from phi_kit.core.files import digest
from phi_kit.study.claims_evidence import ClaimsEvidence
from phi_kit.study.claims_page import BY_HAND, write_claims
from phi_kit.study.sweep import sweep_config

FILE = Path(__file__).parents[2] / "params/sweeps/claims.yaml"
FAMILIES = ["told", "sum-1"]
ITEMS = {
    name: pd.DataFrame(
        {
            "id": [f"{name}-{n:03}" for n in range(120)],
            "family": [FAMILIES[n % 2] for n in range(120)],
            "level": 1,
        }
    )
    for name in ("math", "puzzles")
}
RULE = {"margin": 0.05, "primary": ""}


def right(rate, *labels):
    """Whether each of 120 items is answered right; another run, other items."""
    draw = np.random.default_rng([ord(c) for c in "-".join(map(str, labels))])
    return draw.permutation(np.arange(120) < round(120 * rate))


def samples(arm, rate, *, runs=(1.0, 2.0, 3.0)):
    return pd.concat(
        pd.DataFrame(
            {
                "seed_id": ITEMS["math"].id,
                "arm": arm,
                "finish": "stop",
                "verdict": np.where(right(rate, arm, run), "right", "wrong"),
                "train_seed": run,
            }
        )
        for run in runs
    )


class Runs:
    """Finished steps of the sweep's variants."""

    def __init__(self, root, sweep):
        self.root, self.sweep = root, sweep
        self.variants = ClaimsEvidence(self.sweep).variants

    def finish(self, name, place, result=None, *, params=None, **tables):
        folder = self.root / self.variants[name].study.name / place
        folder.mkdir(parents=True, exist_ok=True)
        files = {}
        for table, frame in tables.items():
            frame.to_parquet(folder / f"{table}.parquet")
            files[f"{table}.parquet"] = digest(folder / f"{table}.parquet")
        manifest = {
            "digest": f"{name}/{place}",
            "files": files,
            "result": result or {},
            "params": {"model": "smollm2-135m", "style": "steps"} | (params or {}),
            "seconds": 60.0,
            "finished": "2026-11-27T08:00:00Z",
            "versions": {"phi_kit": "0.1.0"},
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))

    def pool(self, name, random, teachable, **others):
        """A pool's steps 1, 3 and 4, with the accuracies of its arms."""
        self.finish(name, "math/01_pick_domain", rows=ITEMS["math"])
        ids = [f"seed-{n}" for n in range(10)]
        edge = pd.DataFrame({"id": ids, "family": ["told"] * 4 + ["sum-1"] * 6})
        edge = edge.assign(
            tier=["easy"] * 4 + ["teachable"] * 6, place="inside", responses=1
        )
        edge = edge.assign(own_responses=0, control=[n < 6 for n in range(10)])
        told = {"seed_id": ids, "text": "So.", "kept": True, "own": False, "rank": 0}
        self.finish(
            name, "math/03_filter_edge", rows=edge, responses=pd.DataFrame(told)
        )
        arms = {"random": random, "teachable": teachable, **others}
        table = [
            samples(arm, rate) for arm, rate in arms.items() if arm != "few-shot base"
        ]
        for arm in {"base": 0.2} | {k: v for k, v in others.items() if "shot" in k}:
            rate = 0.2 if arm == "base" else others[arm]
            table.append(samples(arm, rate, runs=(np.nan,)))
        said = [
            {"arm": arm, "accuracy": rate, "lenient": rate + 0.1, "form": None}
            for arm, rate in arms.items()
        ]
        self.finish(name, "math/04_probe_sft", {"arms": said}, samples=pd.concat(table))

    def merged(self, name, seed, rates):
        """A merged variant's step 6, with accuracies by adapter and domain."""
        self.finish(name, "math/01_pick_domain", rows=ITEMS["math"])
        rows = [
            pd.DataFrame(
                {
                    "adapter": adapter,
                    "domain": domain,
                    "seed_id": ITEMS[domain].id,
                    "accuracy": right(rate, domain, seed).astype(float),
                }
            )
            for (adapter, domain), rate in rates.items()
        ]
        result = {"final": "math+puzzles", "finals": ["math+puzzles"], "rule": RULE}
        domains = {"domains": ["math", "puzzles"]}
        self.finish(
            name, "06_expand_domains", result, params=domains, items=pd.concat(rows)
        )

    def rewrites(self, name, rate, made):
        """A dose of rewrites: steps 5 and 6."""
        self.finish(name, "math/01_pick_domain", rows=ITEMS["math"])
        mix = {"organic": 50, "synthetic": made, "self": 0}
        self.finish(name, "math/05_synthesize", {"mix": mix})
        finals = ["math", "math@2", "math@3"]
        rows = [
            pd.DataFrame(
                {
                    "adapter": adapter,
                    "domain": "math",
                    "seed_id": ITEMS["math"].id,
                    "accuracy": right(rate, "dose", adapter).astype(float),
                }
            )
            for adapter in finals
        ]
        result = {"final": "math", "finals": finals, "rule": RULE}
        self.finish(
            name,
            "06_expand_domains",
            result,
            params={"domains": ["math"]},
            items=pd.concat(rows),
        )


@pytest.fixture(scope="module")
def sweep():
    return sweep_config.load(FILE)


@pytest.fixture
def made(runs, sweep):
    return Runs(runs, sweep)


def written(made, folder):
    return write_claims(made.sweep, folder).read_text().replace("\u00a0", " ")


def section(page, number):
    return page.split("\n## ")[number]


@pytest.mark.slow
def test_the_page_says_where_the_filter_pays(made, tmp_path):
    few_shot = {"own": 0.3, "few-shot base": 0.35}
    made.pool("equal-levels-gap", 0.5, 0.5, **few_shot)
    made.pool("mostly-solved-gap", 0.4, 0.7)
    made.pool("out-of-reach-band", 0.7, 0.4)
    page = written(made, tmp_path)
    assert "3 of 12 variants have finished, 9 notebooks in 9 min" in page
    assert "Not finished: out-of-reach-gap, " in page
    first = section(page, 1)
    assert "Of 3 comparisons: cannot tell in 1, better in 1, worse in 1." in first
    (solved,) = [row for row in first.splitlines() if "70.0 % | +30.0 [" in row]
    assert solved.startswith(
        "| mostly solved already | never-solved taken in | 4 / 6 / 0 | 6 | 6 |"
    )
    assert solved.endswith("| better |")
    assert "| mostly solved already, never-solved taken in | 4 / 0 | 2 / 6 |" in first
    form = section(page, 4)
    assert "base with examples in its prompt | 35.0 % | 50.0 % | +15.0" in form
    assert "its own right answers | 30.0 % | 50.0 % | +20.0" in form
    assert "<svg" in (tmp_path / "figures/claims.svg").read_text()
    assert "mostly solved already" in page.split("![")[1]  # the figure in words


@pytest.mark.slow
def test_merging_is_held_against_a_margin(made, tmp_path):
    rates = {("math", "math"): 0.6, ("puzzles", "puzzles"): 0.6}
    for seed in (1, 2, 3):
        merged = {("math+puzzles", "math"): 0.6, ("math+puzzles", "puzzles"): 0.2}
        made.merged(f"merged-{seed}", seed, rates | merged)
    page = section(written(made, tmp_path), 2)
    # The same draw: the very items that the adapter alone solves.
    assert "| math | 60.0 % | 60.0 % |" in page
    (puzzles,) = [row for row in page.splitlines() if row.startswith("| puzzles")]
    assert "| −40.0 [" in puzzles
    assert puzzles.endswith("| worse |")


@pytest.mark.slow
def test_doses_stand_against_no_rewrite(made, tmp_path):
    made.rewrites("rewrites-one", 0.7, 48)
    page = written(made, tmp_path)
    assert "No dose can be compared yet." in section(page, 3)
    made.rewrites("rewrites-none", 0.4, 0)
    page = section(written(made, tmp_path), 3)
    assert "| one for each | 48 | 40.0 % | 70.0 % | +30.0 [" in page
    assert "Organic rows: no rewrite: 50; one for each: 50." in page


@pytest.mark.slow
def test_what_was_written_by_hand_stays(made, tmp_path):
    page = write_claims(made.sweep, tmp_path)
    assert "0 of 12 variants have finished" in page.read_text()
    page.write_text(page.read_text() + "Why: the seeds were few.\n")
    made.pool("equal-levels-gap", 0.5, 0.5)
    text = written(made, tmp_path)
    assert "1 of 12 variants" in text
    assert text.endswith(f"{BY_HAND}\nWhy: the seeds were few.\n")


def test_the_command_says_where_the_page_is(made, tmp_path):
    made.pool("equal-levels-gap", 0.5, 0.5)
    done = CliRunner().invoke(app, ["claims", str(FILE), "--out", str(tmp_path / "d")])
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("d/claims.md\n")
    assert (tmp_path / "d/figures/claims.svg").is_file()


def test_another_sweep_tests_no_claim(tmp_path):
    with pytest.raises(StudyError, match="'recipe' tests none of the claims"):
        write_claims(sweep_config.load(FILE.with_name("recipe.yaml")), tmp_path)
