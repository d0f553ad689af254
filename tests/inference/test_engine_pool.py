"""Several workers draw what one draws, also when some of them are lost."""

import os
import signal
import threading
import time
from dataclasses import dataclass

import pytest
from fake_ray import FakeRay
from tiny import tiny_student

from phi_kit.cache.store import open_ledger
from phi_kit.core.errors import ModelError, RunError
from phi_kit.core.sample_counts import count_samples
from phi_kit.inference import completion, engine_pool, work_units
from phi_kit.inference.draw import draw
from phi_kit.inference.engine_pool import DrawTask, EnginePool
from phi_kit.inference.pooled_model import PooledModel
from phi_kit.inference.scoring import mean_logprobs
from phi_kit.inference.types import SampleRequest, SamplingParams
from phi_kit.training import training_run

SAMPLING = SamplingParams(max_tokens=12, temperature=1.0)
PROMPTS = [f"{'word ' * (i % 5)}What is {i}?" for i in range(12)]
REQUESTS = [SampleRequest(prompt, 0, 7 * i) for i, prompt in enumerate(PROMPTS)]


@dataclass(frozen=True)
class Loaded:
    """An origin whose model is there already."""

    student: object = None
    name: str = "tiny"

    @property
    def everywhere(self):
        return self

    def load(self):
        if self.student is None:
            raise ModelError("there is no such model")
        return self.student


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    monkeypatch.setattr(work_units, "UNIT_SAMPLES", {"cpu": 4, "cuda": 4})
    monkeypatch.setattr(engine_pool, "_open", None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def pool(monkeypatch, student, *, workers=2, deaths=(), **resources):
    ray = FakeRay({"CPU": 8.0, **resources}, deaths)
    monkeypatch.setattr(engine_pool, "session", ray.session)
    return EnginePool(Loaded(student), workers), ray


def itself(model):
    return model


def drawn(pool):
    return sorted(pool.stream(REQUESTS, DrawTask(SAMPLING, itself, {})))


@pytest.mark.slow
def test_workers_draw_what_one_process_draws_to_the_bit(tiny, monkeypatch):
    many, _ = pool(monkeypatch, tiny)
    assert drawn(many) == sorted(tiny.stream(REQUESTS, SAMPLING))


@pytest.mark.slow
def test_the_units_of_lost_workers_are_drawn_by_others(tiny, monkeypatch):
    many, ray = pool(monkeypatch, tiny, deaths=(1, 3))
    assert drawn(many) == sorted(tiny.stream(REQUESTS, SAMPLING))
    assert ray.draws == 3 + 2
    assert len(ray.started) == 2 + 2


def test_it_ends_where_every_worker_is_lost(tiny, monkeypatch):
    many, _ = pool(monkeypatch, tiny, deaths=range(1, 99))
    with pytest.raises(RunError, match="were lost"):
        drawn(many)


def test_a_model_that_cannot_be_loaded_is_that_error(monkeypatch):
    with pytest.raises(ModelError, match="no such model"):
        pool(monkeypatch, None)


def test_every_worker_wants_a_card_where_there_are_any(tiny, monkeypatch):
    with pytest.raises(RunError, match="set workers: 2"):
        pool(monkeypatch, tiny, workers=4, GPU=2.0)
    _, ray = pool(monkeypatch, tiny, workers=2, GPU=2.0)
    assert {options["num_gpus"] for options in ray.started} == {1}


def test_processors_are_shared_out_among_the_workers(tiny, monkeypatch):
    _, ray = pool(monkeypatch, tiny, workers=4)
    assert [options["num_cpus"] for options in ray.started] == [2] * 4
    monkeypatch.setenv("OMP_NUM_THREADS", "8")  # more in all than there are
    _, ray = pool(monkeypatch, tiny, workers=4)
    assert [options["num_cpus"] for options in ray.started] == [0] * 4


def test_workers_with_another_model_are_refused(tiny, real_tokenizer, monkeypatch):
    many, _ = pool(monkeypatch, tiny)
    other = many.facts._replace(identity="another/float32", node="elsewhere")
    with pytest.raises(RunError, match="another/float32 on elsewhere"):
        many._require_alike(other)


# --- a model on disk -------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, real_tokenizer, runs):
    """A model on disk, and a ledger that has nothing."""
    student = tiny_student(real_tokenizer)
    student.model.save_pretrained(tmp_path / "model")
    student.tokenizer.save_pretrained(tmp_path / "model")
    yield str(tmp_path / "model")
    engine_pool.close_pool()
    completion.load.cache_clear()


def load(folder, workers=1):
    return completion.load.__wrapped__(folder, workers=workers)


def fresh_ledger(monkeypatch, tmp_path, name):
    monkeypatch.setenv("PHI_KIT_LEDGER", str(tmp_path / f"{name}.sqlite"))


@pytest.mark.sweep
def test_two_ray_workers_one_killed_draw_the_same(folder, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    prompts = [f"{'word ' * (i % 5)}What is {i}?" for i in range(60)]
    fresh_ledger(monkeypatch, tmp_path, "one")
    alone = draw(load(folder), prompts, SAMPLING, k=3)
    fresh_ledger(monkeypatch, tmp_path, "two")
    student = load(folder, workers=2)
    pool = student.pool
    while not all(member.facts for member in pool.members):
        list(pool._returned())

    def kill():
        while not any(member.unit for member in pool.members):
            time.sleep(0.001)
        busy = next(member for member in pool.members if member.unit)
        os.kill(busy.facts.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with count_samples() as counts:
        assert draw(student, prompts, SAMPLING, k=3) == alone
    killer.join()
    assert "a worker was lost" in capfd.readouterr().err
    assert (counts.asked, counts.paid) == (180, 180)
    with open_ledger().database.connection() as connection:
        rows = connection.exec_driver_sql("select count(*) from samples").scalar()
        leases = connection.exec_driver_sql("select count(*) from claims").scalar()
    assert (rows, leases) == (180, 0)
    with count_samples() as again:  # and nothing is paid for twice
        assert draw(student, prompts, SAMPLING, k=3) == alone
    assert again.paid == 0


@pytest.fixture(
    params=["in this process", pytest.param("Ray", marks=pytest.mark.sweep)]
)
def cluster(request, monkeypatch):
    """Where workers run."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    if request.param != "Ray":
        monkeypatch.setattr(engine_pool, "session", FakeRay({"CPU": 8.0}).session)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_adapters_and_scores_are_the_same_at_workers(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PHI_KIT_LEDGER", "off")
    one, two = load(folder), load(folder, workers=2)
    adapter = tmp_path / "tuned"
    with training_run.fresh_adapter(one, 4) as model:
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.data.normal_()
        model.save_pretrained(adapter)
    texts = [(prompt, f" {len(prompt)}") for prompt in PROMPTS]
    assert isinstance(two, PooledModel)
    assert (one.identity, one.stop_ids) == (two.identity, two.stop_ids)
    assert mean_logprobs(one, texts) == mean_logprobs(two, texts)
    base = draw(one, PROMPTS, SAMPLING)
    with one.adapter(adapter) as here, two.adapter(adapter) as there:
        assert (here.name, here.identity) == (there.name, there.identity)
        tuned = draw(here, PROMPTS, SAMPLING)
        assert draw(there, PROMPTS, SAMPLING) == tuned != base
    assert draw(two, PROMPTS, SAMPLING) == base
    assert "model" not in vars(two)  # no weights were loaded here
