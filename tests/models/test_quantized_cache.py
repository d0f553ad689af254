"""NF4 weights that were kept load to the same bits, and never stand in the way."""

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit
from tiny import sizes
from transformers import LlamaConfig, LlamaForCausalLM

from phi_kit.models import loading, quantized_cache
from phi_kit.models.model_dir import SOURCE


@pytest.fixture
def folder(tmp_path, real_tokenizer, monkeypatch):
    """A model's folder, and an empty cache in which the smallest model is kept."""
    monkeypatch.setenv("PHI_KIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(quantized_cache, "SMALLEST_BYTES", 0)
    torch.manual_seed(0)
    # A row is at least a block of NF4: bitsandbytes' CPU kernel refuses less.
    wide = {"hidden_size": 64, "intermediate_size": 128}
    model = LlamaForCausalLM(LlamaConfig(**{**sizes(real_tokenizer), **wide}))
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def load(folder):
    return loading.load_model("toy", folder, four_bit=True)


def kept(folder):
    return sorted((folder.parent / "cache/quantized").glob("[!.]*"))


def bits(model):
    """All tensors by name, those in NF4 as codes and as the values they stand for."""
    found = dict(model.named_buffers())
    for name, weight in model.named_parameters():
        found[name] = weight.detach()
        if getattr(weight, "quant_state", None):
            found[f"{name} as floats"] = dequantize_4bit(
                weight.data, weight.quant_state
            )
    return found


def assert_same(one, other):
    one, other = bits(one), bits(other)
    assert one.keys() == other.keys()
    assert sum("as floats" in name for name in one) == 14  # 7 matrices of 2 layers
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype, name
        assert torch.equal(tensor, other[name]), name


def test_what_is_kept_is_what_was_quantised(folder, monkeypatch):
    monkeypatch.setattr(quantized_cache, "SMALLEST_BYTES", 1e9)
    quantised = load(folder)
    assert kept(folder) == []
    monkeypatch.setattr(quantized_cache, "SMALLEST_BYTES", 0)
    first = load(folder)
    assert len(kept(folder)) == 1
    monkeypatch.setattr(quantized_cache, "nf4_config", None)  # needs none from here
    monkeypatch.setattr(quantized_cache, "_place", lambda *_: kept(folder)[0])
    second = load(folder)
    assert_same(quantised, first)
    assert_same(quantised, second)
    assert second.name_or_path == second.config._name_or_path == str(folder)
    assert second.config.to_dict() == quantised.config.to_dict()
    assert second.generation_config == quantised.generation_config
    tokens = torch.arange(9)[None]
    assert torch.equal(first(tokens).logits, second(tokens).logits)


def test_a_training_step_is_the_same(folder):
    from peft import LoraConfig, get_peft_model

    def gradients():
        torch.manual_seed(0)
        lora = LoraConfig(r=4, target_modules=["q_proj", "down_proj"])
        model = get_peft_model(load(folder), lora)
        tokens = torch.arange(9)[None]
        model(tokens, labels=tokens).loss.backward()
        return {n: p.grad for n, p in model.named_parameters() if p.requires_grad}

    fresh, read = gradients(), gradients()
    assert len(kept(folder)) == 1
    assert len(fresh) == 8
    assert all(torch.equal(fresh[name], read[name]) for name in fresh)


@pytest.mark.slow
@pytest.mark.parametrize("change", ["weights", "settings", "libraries", "dtype"])
def test_whatever_decides_about_the_bits_is_in_the_name(folder, monkeypatch, change):
    load(folder)
    if change == "weights":
        model = loading.load_model("toy", folder, four_bit=False)
        model.model.norm.weight.data += 1
        model.save_pretrained(folder)
    if change == "settings":
        config = quantized_cache.nf4_config(torch.float32)
        config.bnb_4bit_use_double_quant = False
        monkeypatch.setattr(quantized_cache, "nf4_config", lambda _: config)
    if change == "libraries":
        monkeypatch.setattr(quantized_cache, "version", lambda name: "99.0")
    if change == "dtype":
        monkeypatch.setattr(loading, "compute_dtype", lambda _: torch.bfloat16)
    loaded = load(folder)
    assert len(kept(folder)) == 2
    if change == "weights":
        assert loaded.model.norm.weight.max() > 1.5
    if change == "dtype":
        assert loaded.model.norm.weight.dtype == torch.bfloat16
        assert_same(loaded, load(folder))


def test_what_is_damaged_is_quantised_again(folder):
    first = load(folder)
    (place,) = kept(folder)
    weights = place / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:100])  # copied in part: its size betrays it
    assert_same(first, load(folder))
    assert (kept(folder)[0] / "model.safetensors").read_bytes() == whole
    weights.write_bytes(b"\0" * len(whole))
    assert_same(first, load(folder))
    assert (kept(folder)[0] / "model.safetensors").read_bytes() == whole


def test_a_cache_that_cannot_be_written_stops_nothing(folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PHI_KIT_CACHE", str(tmp_path / "file"))
    assert load(folder).get_memory_footprint()
    assert kept(folder) == []


def test_those_used_last_are_kept(folder, monkeypatch):
    monkeypatch.setattr(quantized_cache, "MOST_KEPT", 2)
    places = []
    for release in ("1", "2", "1", "3"):
        monkeypatch.setattr(quantized_cache, "version", lambda _, is_=release: is_)
        load(folder)
        places.append({path.name for path in kept(folder)})
    assert [len(names) for names in places] == [1, 2, 2, 2]
    assert places[0] < places[3]
    assert places[1] != places[3]


def test_a_model_keeps_no_file_open(folder):
    models = [load(folder), load(folder)]
    maps = open("/proc/self/maps").read()  # noqa: PTH123, SIM115
    assert str(folder.parent) not in maps
    assert SOURCE in {path.name for path in kept(folder)[0].iterdir()}
    assert len(models) == 2
