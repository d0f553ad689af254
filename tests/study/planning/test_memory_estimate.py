"""The memory formula against published GPU peaks and the kernel's own count."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from peak_run import RUNS
from transformers import AutoConfig

from phi_kit.core.errors import ModelError
from phi_kit.models import catalog
from phi_kit.models.architecture import ModelSizes, model_sizes
from phi_kit.study.planning.memory_estimate import (
    CONTEXT,
    NF4,
    NF4_ONCE,
    MicroBatch,
    estimate,
    total,
)
from phi_kit.training import memory, row_attention
from phi_kit.training.lora_fused import fused_lora
from phi_kit.training.packing import per_row_attention
from phi_kit.training.training_run import fresh_adapter

HERE = Path(__file__).resolve()
PATHS = os.pathsep.join([str(HERE.parents[3]), str(HERE.parents[2])])
GB, MIB = 1e9, 2**20


def shape(kind, hidden, inner, layers, heads, vocabulary, **more):
    return ModelSizes.of(
        AutoConfig.for_model(
            kind,
            hidden_size=hidden,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            vocab_size=vocabulary,
            **{"tie_word_embeddings": False, **more},
        )
    )


LLAMA_7B = shape("llama", 4096, 11008, 32, 32, 32000)
LLAMA_13B = shape("llama", 5120, 13824, 40, 40, 32000)
QWEN_7B = shape("qwen2", 3584, 18944, 28, 28, 152064, num_key_value_heads=4)
QWEN_14B = shape("qwen2", 5120, 13696, 40, 40, 152064)
MISTRAL_7B = shape("mistral", 4096, 14336, 32, 32, 32768, num_key_value_heads=8)

# LitGPT's tutorials/resource-tables.md, of 10/20/2023: NF4 with double quantisation on
# an A100, one row of 1,304 tokens, adapters on queries and values, no checkpointing;
# torch's peak of allocated memory.
LITGPT = {"logits": 1304, "moments": 8}
# fitcheck-llm 0.3.1 (PyPI), data/measurements/final-t4-20260921.json: a Tesla T4, NF4,
# embeddings and head in float32, 1,024 tokens, checkpointing, adapters of rank 16 on
# the four attention layers, AdamW; torch's peak of allocated memory.
T4 = {"logits": 1024, "moments": 8, "nf4": NF4_ONCE, "other": 4}
MEASURED = {
    "Llama-2 7B, LitGPT": (
        LLAMA_7B,
        MicroBatch(1304, 8, adapted=4_194_304, **LITGPT),
        13.84 * GB,
    ),
    "Llama-2 13B, LitGPT": (
        LLAMA_13B,
        MicroBatch(1304, 8, adapted=6_553_600, **LITGPT),
        22.55 * GB,
    ),
    "Qwen2.5-7B on a T4": (
        QWEN_7B,
        MicroBatch(1024, 16, True, adapted=10_092_544, **T4),
        10_585.8 * MIB,
    ),
    "Mistral-7B on a T4": (
        MISTRAL_7B,
        MicroBatch(1024, 16, True, adapted=13_631_488, **T4),
        6_056 * MIB,
    ),
}


@pytest.mark.parametrize("name", MEASURED)
def test_the_formula_against_measured_peaks(name):
    sizes, micro, measured = MEASURED[name]
    assert estimate(sizes, micro).tensors == pytest.approx(measured, rel=0.15)


def test_a_14b_model_on_a_card():
    """ms-swift's script for Qwen-14B-Chat says 16GB (NF4, 2,048 tokens, rank 8, all
    linear layers, checkpointing): what the card shows, its context included. The plan
    asks for more, for its margin covers the most that was ever held.
    """
    micro = MicroBatch(2048, 8, True, logits=2048, moments=8)
    terms = estimate(QWEN_14B, micro)
    assert terms.tensors + CONTEXT == pytest.approx(16 * 2**30, rel=0.15)
    assert 16 * 2**30 < total(terms, micro) < 20 * 2**30


# NVIDIA H100 80GB, torch 2.11, 2026: what torch's allocator held (gpu_* rows of
# benchmarks.json), rank 32, micro-batches of 8,192 tokens in one row, checkpointing.
HELD = {"phi-4-mini": 7.753170944 * GB, "phi-4": 19.310575616 * GB}


@pytest.mark.parametrize("name", HELD)
def test_the_plan_covers_what_was_held_on_a_card(name):
    micro = MicroBatch(8192, 32, checkpointing=True)
    needed = total(estimate(model_sizes(name), micro), micro)
    assert HELD[name] + CONTEXT < needed < 1.2 * HELD[name]


def test_padded_attention_takes_more():
    """By queries, keys, values and output of half as many positions again."""
    sizes = model_sizes("phi-4-mini")
    tight, padded = (
        estimate(sizes, MicroBatch(8192, 32, padding=padding)).activations
        for padding in (1.0, 1.5)
    )
    more = 2 * 8192 * sizes.layers * (sizes.hidden + sizes.kv_width)
    assert padded - tight == pytest.approx(more)


def test_weights_alone():
    """A 7B base takes 3.60 GiB in NF4 with double quantisation (H100, bf16)."""
    found = estimate(LLAMA_7B, MicroBatch(1)).weights
    assert found == pytest.approx(3.60 * 2**30, rel=0.01)
    assert pytest.approx(4.127, abs=0.001) == 8 * NF4


@pytest.mark.parametrize(
    ("sizes", "billions"),
    [
        (LLAMA_7B, 6.74),
        (LLAMA_13B, 13.02),
        (QWEN_7B, 7.616),
        (model_sizes("phi-4"), 14.66),
        (model_sizes("phi-4-mini"), 3.836),
    ],
)
def test_shapes_have_the_published_number_of_weights(sizes, billions):
    assert sizes.weights == pytest.approx(billions * 1e9, rel=0.002)


def test_a_folders_config_is_read(tiny_sizes, tmp_path):
    from transformers import LlamaConfig, LlamaForCausalLM

    model = LlamaForCausalLM(LlamaConfig(**tiny_sizes))
    model.save_pretrained(tmp_path / "tiny")
    found = model_sizes(str(tmp_path / "tiny"))
    assert found.weights == sum(weight.numel() for weight in model.parameters())
    folder = str(catalog.resolve("smollm2-135m"))
    assert model_sizes("smollm2-135m") == model_sizes(folder)
    assert model_sizes(folder).weights == 134_515_008


def test_a_folder_without_a_config_is_a_message(tmp_path):
    with pytest.raises(ModelError, match="not to be had"):
        model_sizes(str(tmp_path))


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_tokens_activations_are_what_autograd_keeps(checkpointing, tiny):
    sizes = ModelSizes.of(tiny.model.config)
    micro = MicroBatch(1, 16, checkpointing).on_cpu(dequantized=False)
    with fresh_adapter(tiny, 16) as model, fused_lora(model, keep_floats=False):
        model.train()
        kept = memory.activation_bytes(model)
        if checkpointing:
            kept = memory.checkpointed_bytes(model, kept)
    assert estimate(sizes, micro).activations == pytest.approx(kept, rel=0.05)


def test_padded_attention_keeps_what_the_formula_says(tiny, monkeypatch):
    monkeypatch.setattr(row_attention, "PADDED_DEVICES", {"cpu"})
    sizes = ModelSizes.of(tiny.model.config)
    micro = MicroBatch(1, 16, padding=row_attention.MAX_PADDING)
    with fresh_adapter(tiny, 16) as model, fused_lora(model, keep_floats=False):
        model.train()
        with per_row_attention(tiny.model):
            kept = memory.activation_bytes(model)
    expected = estimate(sizes, micro.on_cpu(dequantized=False)).activations
    assert kept == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's count")
@pytest.mark.parametrize("name", RUNS)
def test_predicted_peak_memory(name):
    """Short rows, checkpointing over long ones, a high rank with packed weights."""
    done = subprocess.run(
        [sys.executable, str(HERE.with_name("peak_run.py")), name],
        env={**os.environ, "PYTHONPATH": PATHS, "PHI_KIT_LEDGER": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["predicted"] == pytest.approx(found["measured"], rel=0.15), found
