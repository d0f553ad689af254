"""A run that was stopped carries on as if it had not been, to the bit."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from runs_of_five import RECIPE, ROWS, run

from phi_kit.training import checkpoints
from phi_kit.training.checkpoints import Checkpoints
from phi_kit.training.qlora import train
from phi_kit.training.trainer import RunHooks

pytestmark = pytest.mark.slow

HERE = Path(__file__).resolve().parent
SAVED = ("optimizer.pt", "scheduler.pt", "rng_state.pth")


def last(work):
    (folder,) = (work / "arm").iterdir()
    return Checkpoints(folder).last()


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if hasattr(one, "shape"):
        return one.shape == other.shape and bool((one == other).all())
    return one == other


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """Five steps in one go."""
    root = tmp_path_factory.mktemp("whole")
    done = run(tiny, root / "work", root / "arm")
    return root, done


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Two steps with their checkpoint, then SIGKILL in the third."""
    root = tmp_path_factory.mktemp("killed")
    words = [root / "work", root / "arm", 3]
    done = subprocess.run(
        [sys.executable, str(HERE / "runs_of_five.py"), *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert last(root / "work").name == "checkpoint-2"
    return root


@pytest.fixture
def stopped(killed, tmp_path):
    """A copy of what the killed run left."""
    return Path(shutil.copytree(killed, tmp_path / "stopped"))


def adapter(folder):
    return (folder / "adapter_model.safetensors").read_bytes()


def test_two_and_three_steps_are_five(whole, stopped, tiny, capsys):
    root, done = whole
    found = run(tiny, stopped / "work", stopped / "arm")
    assert "arm: carries on after step 2 of 5" in capsys.readouterr().out
    assert found.resumed == 2
    assert adapter(stopped / "arm") == adapter(root / "arm")
    assert found == done  # losses among it
    rates = [[row["learning_rate"] for row in one.history] for one in (found, done)]
    assert rates[0] == rates[1]
    assert len(set(rates[0])) == 5
    for name in SAVED:
        one, other = (
            torch.load(last(where / "work") / name, weights_only=False)
            for where in (stopped, root)
        )
        assert same(one, other), name


def test_rows_come_in_the_same_order(tiny, stopped, monkeypatch):
    from phi_kit.training import trainer

    seen = []
    real = trainer.pack

    def noted(rows, **options):
        seen.append(rows)
        return real(rows, **options)

    monkeypatch.setattr(trainer, "pack", noted)
    run(tiny, stopped / "work", stopped / "arm")
    after = [[row.ids for row in rows] for rows in seen]
    seen.clear()
    run(tiny, stopped / "other", stopped / "arm")
    assert [[row.ids for row in rows] for rows in seen][2:] == after


def test_a_checkpoint_that_was_half_written_is_passed_over(whole, stopped, tiny):
    broken = last(stopped / "work").with_name("checkpoint-3")
    shutil.copytree(last(stopped / "work"), broken)
    (broken / "optimizer.pt").write_bytes(b"half")
    assert last(stopped / "work").name == "checkpoint-2"
    assert not broken.exists()
    unsealed = last(stopped / "work").with_name("checkpoint-4")
    unsealed.mkdir()
    run(tiny, stopped / "work", stopped / "arm")
    assert adapter(stopped / "arm") == adapter(whole[0] / "arm")


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": RECIPE.with_(learning_rate=2e-3)},
        {"recipe": RECIPE.with_(rank=8)},
        {"rows": ROWS[1:]},
        {"rng_seed": 4},
    ],
    ids=["learning rate", "rank", "rows", "seed"],
)
def test_no_other_run_carries_on_from_it(stopped, tiny, change):
    given = {"rows": ROWS, "recipe": RECIPE, "rng_seed": 3} | change
    rows, recipe = given.pop("rows"), given.pop("recipe")
    work = stopped / "work"
    hooks = RunHooks(work=work)
    done = train(tiny, rows, recipe, out=stopped / "arm", hooks=hooks, **given)
    assert done.resumed == 0
    assert len(list((work / "arm").iterdir())) == 1  # the other one's are gone


def test_how_often_it_is_saved_is_no_other_run(stopped, tiny):
    recipe = RECIPE.with_(save_steps=2, gradient_checkpointing="off")
    assert run(tiny, stopped / "work", stopped / "arm", recipe=recipe).resumed == 2


def test_a_finished_run_is_not_trained_again(whole, tiny, tmp_path, capsys):
    root, done = whole
    again = run(tiny, root / "work", tmp_path / "arm")
    assert "trained before" in capsys.readouterr().out
    assert again == done
    assert adapter(tmp_path / "arm") == adapter(root / "arm")
    assert not (tmp_path / "arm" / checkpoints.COMPLETE_FILE).exists()
