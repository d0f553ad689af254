"""A run that several processes share is that of one, also when one is killed."""

import os
import signal
import threading

import psutil
import pytest
import torch
from fake_ray import FakeRay
from gloo_ranks import GlooTrainer
from runs_of_five import RECIPE, ROWS, run
from safetensors.torch import load_file
from tiny import tiny_student

from phi_kit.core.errors import RunError, StudyError
from phi_kit.inference import completion, engine_pool
from phi_kit.training import worker_training
from phi_kit.training.qlora import train
from phi_kit.training.trainer import RunHooks


def students(name):
    """The same model in this process and at two workers."""
    load = completion.load.__wrapped__
    one, two = (load(name, compute="float32", workers=n) for n in (1, 2))
    # What the first worker would say once it had loaded the model.
    vars(two).update(identity=one.identity, stop_ids=one.stop_ids)
    return one, two


@pytest.fixture
def tiny_pair(tmp_path, real_tokenizer, monkeypatch):
    """A tiny model on disk, here and at two workers."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = tmp_path / "model"
    student = tiny_student(real_tokenizer)
    student.model.save_pretrained(folder)
    student.tokenizer.save_pretrained(folder)
    yield students(str(folder))
    engine_pool.close_pool()


@pytest.fixture
def processes(tmp_path, monkeypatch):
    """Workers are two processes without Ray; `dies_at` of the next run, if any."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(worker_training, "session", FakeRay({"CPU": 2.0}).session)
    started, deaths = [], []

    def trainer(how, workers, share):
        assert share.threads == 1
        dies_at = deaths.pop() if deaths else None
        folder = tmp_path / f"ranks-{len(started)}"
        started.append(GlooTrainer(how, workers, folder, dies_at=dies_at))
        return started[-1]

    monkeypatch.setattr(worker_training, "ray_trainer", trainer)
    return deaths


def weights(folder):
    return load_file(folder / "adapter_model.safetensors")


def require_alike(alone, shared, *, atol=1e-4):
    torch.testing.assert_close(
        torch.tensor(shared.losses), torch.tensor(alone.losses), atol=atol, rtol=0
    )
    assert (shared.tokens, shared.trained_tokens) == (
        alone.tokens,
        alone.trained_tokens,
    )
    for name in ("step", "tokens", "trained_tokens", "learning_rate"):
        here, there = ([row[name] for row in r.history] for r in (alone, shared))
        assert here == there


@pytest.mark.slow
def test_two_processes_have_the_losses_of_one_with_the_embedded_model(
    processes, tmp_path
):
    one, two = students("smollm2-135m")
    seen = []
    alone = run(one, tmp_path / "w1", tmp_path / "a" / "arm")
    shared = run(two, tmp_path / "w2", tmp_path / "b" / "arm", watch=seen.append)
    assert len(alone.losses) == 5
    assert alone.losses[-1] < alone.losses[0]
    require_alike(alone, shared)
    assert [row["step"] for row in seen] == [1, 2, 3, 4, 5]
    here, there = weights(tmp_path / "a" / "arm"), weights(tmp_path / "b" / "arm")
    assert here.keys() == there.keys()
    for name, weight in here.items():
        torch.testing.assert_close(there[name], weight, atol=1e-3, rtol=0)
    again = run(two, tmp_path / "w2", tmp_path / "c" / "arm")
    assert again.losses == shared.losses  # trained before, not again


@pytest.mark.slow
def test_where_one_is_killed_the_next_run_carries_on(tiny_pair, processes, tmp_path):
    one, two = tiny_pair
    recipe = RECIPE.with_(epochs=10, save_steps=2)
    alone = run(one, tmp_path / "w1", tmp_path / "a" / "arm", recipe=recipe)
    processes.append(6)
    with pytest.raises(RunError, match="gave up training") as caught:
        run(two, tmp_path / "w2", tmp_path / "b" / "arm", recipe=recipe)
    assert "carries on" in caught.value.todo
    shared = run(two, tmp_path / "w2", tmp_path / "b" / "arm", recipe=recipe)
    assert 4 <= shared.resumed < 50
    require_alike(alone, shared, atol=1e-3)
    left = {path.name for path in (tmp_path / "w2").glob("arm/*/*")}
    assert "adapter" in left
    assert "shards" not in left


def test_held_out_items_in_between_are_refused_at_once(tiny_pair, processes, tmp_path):
    hooks = RunHooks(heldout=lambda student: 0.5)
    with pytest.raises(StudyError, match="eval_steps"):
        train(
            tiny_pair[1],
            ROWS,
            RECIPE.with_(eval_steps=2),
            out=tmp_path / "arm",
            rng_seed=3,
            hooks=hooks,
        )


# --- on Ray ---


def kill_a_rank(work, ended):
    """Kill the second worker once some steps are behind it."""
    while not any(int(f.read_text()) > 12 for f in work.rglob("steps.count")):
        if ended.wait(0.01):
            return
    ranks = [
        process
        for process in psutil.Process().children(recursive=True)
        if "RayTrainWorker" in " ".join(process.cmdline())
    ]
    os.kill(ranks[-1].pid, signal.SIGKILL)


@pytest.mark.sweep
def test_a_killed_worker_of_ray_costs_the_steps_since_the_checkpoint(
    tiny_pair, tmp_path
):
    one, two = tiny_pair
    recipe = RECIPE.with_(epochs=30, save_steps=5)
    alone = run(one, tmp_path / "w1", tmp_path / "a" / "arm", recipe=recipe)
    ended = threading.Event()
    killer = threading.Thread(target=kill_a_rank, args=[tmp_path / "w2", ended])
    killer.start()
    try:
        shared = run(two, tmp_path / "w2", tmp_path / "b" / "arm", recipe=recipe)
    finally:
        ended.set()
        killer.join()
    assert shared.resumed >= 10
    assert len(shared.losses) == 150
    require_alike(alone, shared, atol=1e-3)


@pytest.mark.sweep
def test_an_error_of_a_worker_of_ray_is_the_kits_own(tiny_pair, tmp_path):
    recipe = RECIPE.with_(learning_rate=1e30)
    with pytest.raises(RunError, match=r"became (NaN|infinite)"):
        train(tiny_pair[1], ROWS, recipe, out=tmp_path / "arm", rng_seed=3)
