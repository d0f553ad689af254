"""Which engine samples: the one that is named, else the fastest that was measured."""

import json
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

from phi_kit.core.errors import ModelError, RunError
from phi_kit.inference.local import engine_choice
from phi_kit.inference.local.engine_choice import FILTER_TOKENS, EngineRate
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.local.sampling_engine import OwnEngine
from phi_kit.inference.types import SamplingParams

CONFIG = SimpleNamespace(max_position_embeddings=4096)
MODEL = SimpleNamespace(config=SimpleNamespace(get_text_config=lambda: CONFIG))
LOADED = LocalModel("phi", MODEL, None, "0123456789abcdef/nf4-bfloat16")


@pytest.fixture
def card(monkeypatch, tmp_path):
    """A machine with a GPU and vLLM, as far as the choice can see; counts measuring."""
    monkeypatch.setenv("PHI_KIT_CACHE", str(tmp_path))
    program = tmp_path / "vllm"
    program.touch()
    monkeypatch.setattr(engine_choice, "device", lambda: "cuda")
    monkeypatch.setattr(engine_choice, "vllm_program", lambda: str(program))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a card")
    rates, asked = {}, []

    def measured(local, engine):
        asked.append(engine.name)
        rate = rates[engine.name]
        if isinstance(rate, Exception):
            raise rate
        return rate

    monkeypatch.setattr(engine_choice, "measure_engine", measured)
    return SimpleNamespace(rates=rates, asked=asked, folder=tmp_path)


def chosen(card, wanted="auto"):
    return engine_choice.with_engine(LOADED, wanted, card.folder, four_bit=True)


def test_on_a_cpu_it_is_the_kits_own_and_nothing_is_measured(monkeypatch, tmp_path):
    def never(*_):
        raise AssertionError("measured")

    monkeypatch.setattr(engine_choice, "device", lambda: "cpu")
    monkeypatch.setattr(engine_choice, "measure_engine", never)
    for wanted in ("auto", "own"):
        found = engine_choice.with_engine(LOADED, wanted, tmp_path, four_bit=True)
        assert found == replace(LOADED, engine=OwnEngine())


def test_other_samples_have_another_identity(card):
    for wanted, ends in (("transformers", "@transformers"), ("vllm", "@vllm")):
        found = chosen(card, wanted)
        assert found.engine.name == wanted
        assert found.identity == f"{LOADED.identity}{ends}"
        assert found.precision == LOADED.precision == "nf4-bfloat16"
        assert found.sampled_by == wanted
        tuned = replace(LOADED, identity=f"{found.identity}+fedcba9876543210@3")
        assert (tuned.precision, tuned.sampled_by) == ("nf4-bfloat16", wanted)
    # What the ledger has of the kit's own engine keeps its name.
    assert chosen(card, "own").identity == LOADED.identity
    assert replace(LOADED, identity=f"{LOADED.identity}+a@3").sampled_by == "own"
    assert card.asked == []  # what is named is not measured


def test_the_fastest_is_taken_its_start_included(card, capsys):
    whole = FILTER_TOKENS / 1000  # seconds, at a thousand tokens a second
    card.rates |= {
        "own": EngineRate(1, 1000),
        "transformers": EngineRate(whole / 2, 1900),  # its start eats what it gains
        "vllm": EngineRate(60, 9000),
    }
    found = chosen(card)
    assert found.engine.name == "vllm"
    assert (found.engine.served.folder, found.engine.served.longest) == (
        card.folder,
        4096,
    )
    said = capsys.readouterr().err
    assert "engine vllm (tokens/s: own 1000, transformers 1900, vllm 9000)" in said


def test_the_answer_is_remembered_until_something_changes(card):
    card.rates |= {"own": EngineRate(1, 1000), "transformers": EngineRate(1, 500)}
    card.rates["vllm"] = EngineRate(1, 500)
    assert chosen(card).engine.name == "own"
    card.rates["vllm"] = EngineRate(1, 9000)
    assert chosen(card).engine.name == "own"  # another answer were other samples
    assert card.asked == ["own", "transformers", "vllm"]
    (file,) = card.folder.glob("engine_rates_*.json")
    assert json.loads(file.read_text())["card"] == "a card"
    (card.folder / "vllm").write_text("a newer one")
    (card.folder / "vllm").chmod(0o755)
    os.utime(card.folder / "vllm", (1, 1))
    assert chosen(card).engine.name == "vllm"


def test_an_engine_that_fails_is_left_out(card, capsys):
    card.rates |= {"own": EngineRate(1, 100), "transformers": RuntimeError("no kernel")}
    card.rates["vllm"] = RunError("vLLM ended before it could answer")
    assert chosen(card).engine.name == "own"
    assert "engine transformers cannot: no kernel" in capsys.readouterr().err


def test_if_the_kits_own_fails_there_is_nothing_to_choose(card):
    card.rates["own"] = RunError("does not fit into memory")
    with pytest.raises(RunError, match="does not fit"):
        chosen(card)


def test_vllm_needs_a_card(monkeypatch):
    monkeypatch.setattr(engine_choice, "device", lambda: "cpu")
    monkeypatch.setattr(engine_choice, "require_vllm", lambda: "vllm")
    with pytest.raises(ModelError, match="needs a CUDA device"):
        engine_choice.require_engine("vllm")


def test_the_rate_is_of_the_tokens_that_were_drawn(tiny, monkeypatch):
    monkeypatch.setattr(engine_choice, "_QUESTIONS", 2)
    monkeypatch.setattr(engine_choice, "_SAMPLING", SamplingParams(4, 0.8))
    rate = engine_choice.measure_engine(tiny, OwnEngine())
    assert rate.start > 0
    assert rate.tokens > 0
