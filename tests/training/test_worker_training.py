"""A run on several Ray workers is that of one process, also when one is killed."""

import os
import signal
import threading
import time

import psutil
import pytest
import torch
from runs_of_five import RECIPE, ROWS, run
from safetensors.torch import load_file
from tiny import tiny_student

from phi_kit.core.errors import RunError, StudyError
from phi_kit.inference import completion, engine_pool
from phi_kit.inference.pooled_model import PooledModel
from phi_kit.training.qlora import train
from phi_kit.training.trainer import RunHooks

pytestmark = pytest.mark.slow


@pytest.fixture
def students(tmp_path, real_tokenizer, monkeypatch):
    """The same model in this process and at two workers."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = tmp_path / "model"
    student = tiny_student(real_tokenizer)
    student.model.save_pretrained(folder)
    student.tokenizer.save_pretrained(folder)
    load = completion.load.__wrapped__
    yield load(str(folder)), load(str(folder), workers=2)
    engine_pool.close_pool()


def weights(folder):
    return load_file(folder / "adapter_model.safetensors")


def test_two_workers_have_the_losses_of_one_process(students, tmp_path):
    one, two = students
    assert isinstance(two, PooledModel)
    recipe, seen = RECIPE.with_(epochs=2, batch=3), []
    alone = run(one, tmp_path / "w1", tmp_path / "a" / "arm", recipe=recipe)
    shared = run(
        two, tmp_path / "w2", tmp_path / "b" / "arm", recipe=recipe, watch=seen.append
    )
    assert len(alone.losses) == 14
    torch.testing.assert_close(
        torch.tensor(shared.losses), torch.tensor(alone.losses), atol=1e-4, rtol=0
    )
    assert (shared.tokens, shared.trained_tokens) == (
        alone.tokens,
        alone.trained_tokens,
    )
    for name in ("tokens", "trained_tokens", "learning_rate"):
        here, there = ([row[name] for row in r.history] for r in (alone, shared))
        assert here == there
    assert [row["step"] for row in seen] == list(range(1, 15))
    here, there = weights(tmp_path / "a" / "arm"), weights(tmp_path / "b" / "arm")
    assert here.keys() == there.keys()
    for name, weight in here.items():
        torch.testing.assert_close(there[name], weight, atol=1e-3, rtol=0)
    again = run(two, tmp_path / "w2", tmp_path / "c" / "arm", recipe=recipe)
    assert again.losses == shared.losses  # trained before, not again


def kill_a_rank(work):
    """Kill the second worker once some steps are behind it."""
    while not any(int(f.read_text()) > 12 for f in work.rglob("steps.count")):
        time.sleep(0.01)
    ranks = [
        process
        for process in psutil.Process().children(recursive=True)
        if "RayTrainWorker" in " ".join(process.cmdline())
    ]
    os.kill(ranks[-1].pid, signal.SIGKILL)


def test_a_killed_worker_costs_the_steps_since_the_checkpoint(students, tmp_path):
    one, two = students
    recipe = RECIPE.with_(epochs=30, save_steps=5)
    alone = run(one, tmp_path / "w1", tmp_path / "a" / "arm", recipe=recipe)
    killer = threading.Thread(target=kill_a_rank, args=[tmp_path / "w2"])
    killer.start()
    shared = run(two, tmp_path / "w2", tmp_path / "b" / "arm", recipe=recipe)
    killer.join()
    assert shared.resumed >= 10
    assert len(shared.losses) == len(alone.losses) == 150
    torch.testing.assert_close(
        torch.tensor(shared.losses), torch.tensor(alone.losses), atol=1e-3, rtol=0
    )


def test_a_workers_error_is_the_kits_own(students, tmp_path):
    _, two = students
    recipe = RECIPE.with_(learning_rate=1e30)
    with pytest.raises(RunError, match=r"became (NaN|infinite)"):
        train(two, ROWS, recipe, out=tmp_path / "arm", rng_seed=3)


def test_held_out_items_in_between_are_refused_at_once(students, tmp_path):
    _, two = students
    hooks = RunHooks(heldout=lambda student: 0.5)
    with pytest.raises(StudyError, match="eval_steps"):
        train(
            two,
            ROWS,
            RECIPE.with_(eval_steps=2),
            out=tmp_path / "arm",
            rng_seed=3,
            hooks=hooks,
        )
