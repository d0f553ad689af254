"""A recorded ledger stands in for a model that is no longer there."""

import hashlib
import json
import shutil
import sqlite3

import pytest
from tiny import tiny_student

from phi_kit.core.errors import ModelError, RunError
from phi_kit.core.weight_records import RECORD
from phi_kit.inference import completion
from phi_kit.inference.draw import draw
from phi_kit.inference.replay import ReplayedModel
from phi_kit.inference.types import SamplingParams
from phi_kit.models import catalog
from phi_kit.models.chat_template import Asked
from phi_kit.training.encoding import TrainingRow, encode
from phi_kit.training.preflight import gate
from phi_kit.training.qlora import train
from phi_kit.training.training_config import TrainingConfig

HOW = SamplingParams(max_tokens=6, temperature=1.0)
ASKED = Asked("Answer with a number.", "What is 3 + 4?")
RECIPE = TrainingConfig(rank=2, epochs=1, batch=3)


def rows(student, n=6):
    return [
        TrainingRow(student.render("Add.", f"What is {a} + 1?"), f"{a + 1}")
        for a in range(n)
    ]


class Recorded:
    """What a run with the model came to; the model is gone afterwards."""

    def __init__(self, folder, tokenizer):
        self.ledger, self.name = folder / "ledger.sqlite", str(folder / "model")
        made = tiny_student(tokenizer)
        made.model.save_pretrained(self.name)
        tokenizer.save_pretrained(self.name)
        student = completion.load(self.name)
        self.identity, self.stops = student.identity, student.stop_ids
        self.weights = catalog.identity(catalog.resolve(self.name))
        self.prompt = ASKED.rendered(student.render)
        self.ids = encode(student, rows(student)[0]).ids
        self.base = draw(student, [self.prompt], HOW, k=4)
        self.adapter = folder / "arm"
        self.trained = train(
            student, rows(student), RECIPE, out=self.adapter, rng_seed=3
        )
        with student.adapter(self.adapter) as tuned:
            self.tuned_identity = tuned.identity
            self.tuned = draw(tuned, [self.prompt], HOW, k=4)
        completion.load.cache_clear()
        shutil.rmtree(self.name)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, real_tokenizer):
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHI_KIT_LEDGER", str(folder / "ledger.sqlite"))
        yield Recorded(folder, real_tokenizer)


@pytest.fixture
def replay(recorded, tmp_path, monkeypatch):
    """Replaying; there is neither the model nor a cache."""
    monkeypatch.setenv("PHI_KIT_REPLAY", str(recorded.ledger))
    monkeypatch.setenv("PHI_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield recorded
    completion.load.cache_clear()


@pytest.mark.slow
def test_the_student_is_the_recorded_one(replay):
    student = completion.load(replay.name)
    assert isinstance(student, ReplayedModel)
    assert student.identity == replay.identity
    assert student.stop_ids == replay.stops
    assert ASKED.rendered(student.render) == replay.prompt
    assert encode(student, rows(student)[0]).ids == replay.ids
    assert completion.model_fingerprint(replay.name) == replay.weights
    assert gate(student, rows(student), max_tokens=99).report.kept == 6


def test_it_says_what_the_model_said(replay):
    student = completion.load(replay.name)
    assert draw(student, [replay.prompt], HOW, k=4) == replay.base
    assert draw(student, [replay.prompt], HOW, k=2) == [replay.base[0][:2]]


def test_training_comes_out_as_it_did(replay, tmp_path):
    student, out = completion.load(replay.name), tmp_path / "arm"
    out.mkdir()
    assert train(student, rows(student), RECIPE, out=out, rng_seed=3) == replay.trained
    with student.adapter(out) as tuned:
        assert tuned.identity == replay.tuned_identity
        assert draw(tuned, [replay.prompt], HOW, k=4) == replay.tuned
    config = "adapter_config.json"
    assert (out / config).read_bytes() == (replay.adapter / config).read_bytes()
    assert not list(out.glob("*.safetensors"))
    says = json.loads((out / RECORD).read_text())
    assert says["replayed"] is True
    assert says["identity"] in replay.tuned_identity


def test_a_real_adapter_can_be_asked_for_as_well(replay):
    with completion.load(replay.name).adapter(replay.adapter) as tuned:
        assert draw(tuned, [replay.prompt], HOW, k=4) == replay.tuned


def test_what_was_not_recorded_is_named(replay):
    student = completion.load(replay.name)
    with pytest.raises(RunError, match=r"no sample 4 of .*model") as caught:
        draw(student, [replay.prompt], HOW, k=5)
    assert "What is 3 + 4?" in caught.value.where
    with pytest.raises(RunError, match="no sample 0 of"):
        draw(student, ["another prompt"], HOW)
    with pytest.raises(RunError, match="no sample 0 of"):
        next(student.stream([_asked("x")], HOW))


def _asked(prompt):
    from phi_kit.inference.types import SampleRequest

    return SampleRequest(prompt, 0, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"rows": slice(1, None)},
        {"rows": slice(None, None, -1)},
        {"recipe": TrainingConfig(rank=2, epochs=2, batch=3)},
        {"rng_seed": 4},
        {"name": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_training_run_that_was_not_recorded_is_named(replay, tmp_path, change):
    out = tmp_path / change.get("name", "arm")
    student = completion.load(replay.name)
    with pytest.raises(RunError, match=f"no training run '{out.name}'"):
        train(
            student,
            rows(student)[change.get("rows", slice(None))],
            change.get("recipe", RECIPE),
            out=out,
            rng_seed=change.get("rng_seed", 3),
        )
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_model_that_was_not_recorded_is_named(replay):
    with pytest.raises(RunError, match="has not recorded a model 'smollm2-135m'"):
        completion.load("smollm2-135m")
    with pytest.raises(RunError, match="has not recorded a model"):
        completion.load(replay.name, four_bit=False)


def test_a_ledger_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("PHI_KIT_REPLAY", str(tmp_path / "none.sqlite"))
    with pytest.raises(RunError, match="there is no such ledger"):
        completion.load("smollm2-135m")
    assert not list(tmp_path.iterdir())


def test_a_replay_writes_nothing_into_the_ledger(replay, tmp_path):
    before = hashlib.sha256(replay.ledger.read_bytes()).hexdigest()
    student = completion.load(replay.name)
    draw(student, [replay.prompt], HOW, k=4)
    train(student, rows(student), RECIPE, out=tmp_path / "arm", rng_seed=3)
    with pytest.raises(RunError):
        draw(student, ["new"], HOW)
    assert hashlib.sha256(replay.ledger.read_bytes()).hexdigest() == before


@pytest.mark.slow
def test_a_deleted_sample_is_missed(replay, tmp_path, monkeypatch):
    copy = tmp_path / "copy.sqlite"
    with sqlite3.connect(replay.ledger) as plain, sqlite3.connect(copy) as other:
        plain.backup(other)
        other.execute("DELETE FROM samples WHERE sample = 2 AND model LIKE '%+%'")
    monkeypatch.setenv("PHI_KIT_REPLAY", str(copy))
    student = completion.load(replay.name)
    assert draw(student, [replay.prompt], HOW, k=4) == replay.base
    with (
        student.adapter(replay.adapter) as tuned,
        pytest.raises(RunError, match=r"no sample 2 of .*\+arm"),
    ):
        draw(tuned, [replay.prompt], HOW, k=4)


def test_a_replayed_adapter_has_nothing_to_load(replay, tiny, tmp_path, monkeypatch):
    student, out = completion.load(replay.name), tmp_path / "arm"
    train(student, rows(student), RECIPE, out=out, rng_seed=3)
    monkeypatch.delenv("PHI_KIT_REPLAY")
    with pytest.raises(ModelError, match="from a replay"), tiny.adapter(out):
        pass


def test_an_adapters_identity_is_its_content(recorded, tmp_path):
    """peft lists modules in another order in every process."""
    copy = shutil.copytree(recorded.adapter, tmp_path / "copy")
    path = copy / "adapter_config.json"
    config = json.loads(path.read_text())
    assert config["target_modules"] == sorted(config["target_modules"])
    config["target_modules"].reverse()
    config["base_model_name_or_path"] = "/elsewhere"
    path.write_text(json.dumps(config))
    assert catalog.identity(copy) == catalog.identity(recorded.adapter)
    path.write_text(json.dumps(config | {"r": 3}))
    assert catalog.identity(copy) != catalog.identity(recorded.adapter)
