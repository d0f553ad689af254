"""Held-out items: closed to whoever does not declare them."""

import gzip

import pandas as pd
import pytest
from fake_study import Pick

from phi_kit import steps
from phi_kit.core.errors import RunError, SealError
from phi_kit.core.step_run import open_run
from phi_kit.data.records import Seed
from phi_kit.data.sealed_splits import Seal, seal_split, unseal

ITEMS = [Seed("math", f"Secret question {i}\u2028é?", f"{i}") for i in range(20)]


class Opens(Pick):
    """May look at dev, not at test."""

    SEALED = ("dev",)


@pytest.fixture
def folder(runs):
    with open_run(Opens()) as run:
        seal_split(run, "dev", ITEMS[:10])
        seal_split(run, "test", ITEMS[10:])
        run.save_rows(pd.DataFrame({"x": [1]}))
    return run.run_folder


def test_only_declared_splits_open(folder):
    assert unseal(folder, "dev", params=Opens()) == ITEMS[:10]
    for split, params in (
        ("test", Opens()),
        ("dev", Pick()),
        ("test", Pick()),
    ):
        with pytest.raises(
            SealError, match=f"01_pick_domain may not open the sealed {split}"
        ):
            unseal(folder, split, params=params)


def test_only_the_benchmark_opens_test():
    declared = {step.name: steps.load(step).Params.SEALED for step in steps.STEPS}
    assert {name for name, splits in declared.items() if "test" in splits} == {
        "benchmark"
    }
    assert {name for name, splits in declared.items() if "dev" in splits} == {
        "pick_domain",
        "probe_sft",
        "synthesize",  # a round is over when dev no longer rises
        "expand_domains",
    }


def test_the_seal_knows_every_split_and_gives_no_item_away(folder):
    seal = Seal.of([folder])
    assert all(item.prompt in seal for item in ITEMS)
    assert ITEMS[3].prompt.upper() in seal
    assert "Secret question 99?" not in seal
    assert "" not in seal
    with pytest.raises(TypeError):
        iter(seal)


def test_nothing_that_reads_by_accident_finds_an_item(folder):
    tables = pd.concat([pd.read_parquet(p) for p in folder.path.rglob("*.parquet")])
    assert (
        not tables.astype(str).apply(lambda c: c.str.contains("Secret")).any(axis=None)
    )
    for path in folder.path.rglob("*"):
        assert path.is_dir() or b"Secret question" not in path.read_bytes()


def test_an_edited_seal_is_refused(folder):
    path = folder.path / "sealed" / "dev.seal"
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(RunError, match="not what 01_pick_domain wrote"):
        unseal(folder, "dev", params=Opens())
