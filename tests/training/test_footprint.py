"""The memory formula against what others published and measured on their GPUs."""

from pathlib import Path

import pytest
from transformers import AutoConfig

from phi_kit import domains
from phi_kit.core.errors import ModelError
from phi_kit.models import catalog
from phi_kit.models.architecture import ModelSizes, model_sizes
from phi_kit.study import config
from phi_kit.study.planning import fit, lines
from phi_kit.training import ladder
from phi_kit.training.footprint import NF4, NF4_ONCE, Micro, footprint
from phi_kit.training.ladder import Rung

PARAMS = Path(__file__).resolve().parents[2] / "params"
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
        Micro(1304, 8, adapted=4_194_304, **LITGPT),
        13.84 * GB,
    ),
    "Llama-2 13B, LitGPT": (
        LLAMA_13B,
        Micro(1304, 8, adapted=6_553_600, **LITGPT),
        22.55 * GB,
    ),
    "Qwen2.5-7B on a T4": (
        QWEN_7B,
        Micro(1024, 16, True, adapted=10_092_544, **T4),
        10_585.8 * MIB,
    ),
    "Mistral-7B on a T4": (
        MISTRAL_7B,
        Micro(1024, 16, True, adapted=13_631_488, **T4),
        6_056 * MIB,
    ),
}


@pytest.mark.parametrize("name", MEASURED)
def test_the_formula_against_measured_peaks(name):
    sizes, micro, measured = MEASURED[name]
    assert footprint(sizes, micro).tensors == pytest.approx(measured, rel=0.15)


def test_a_14b_model_on_a_card():
    """ms-swift's script for Qwen-14B-Chat says 16GB (NF4, 2,048 tokens, rank 8, all
    linear layers, checkpointing): what the card shows, the margin included.
    """
    micro = Micro(2048, 8, True, logits=2048, moments=8)
    assert footprint(QWEN_14B, micro).total == pytest.approx(16 * 2**30, rel=0.15)


def test_weights_alone():
    """A 7B base takes 3.60 GiB in NF4 with double quantisation (H100, bf16)."""
    found = footprint(LLAMA_7B, Micro(1)).weights
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


def test_every_rung_takes_less_than_the_one_above():
    wish = Rung("phi-4", 8192, False, 2048, 32)
    rungs = list(ladder.rungs(wish, ["phi-4-mini"]))
    said = [
        (r.micro_tokens, r.checkpointing, r.row_tokens, r.rank)
        for r in rungs
        if r.model == "phi-4"
    ]
    assert said == [
        (8192, False, 2048, 32),
        (4096, False, 2048, 32),
        (2048, False, 2048, 32),
        (2048, True, 2048, 32),
        (1024, True, 1024, 32),
        (512, True, 512, 32),
        (256, True, 256, 32),
        (256, True, 256, 16),
        (256, True, 256, 8),
    ]
    assert rungs[len(said)] == Rung("phi-4-mini", 8192, False, 2048, 32)
    for model in ("phi-4", "phi-4-mini"):
        taken = [
            footprint(
                model_sizes(model), Micro(r.micro_tokens, r.rank, r.checkpointing)
            ).total
            for r in rungs
            if r.model == model
        ]
        assert taken == sorted(taken, reverse=True)


def test_what_is_given_up_is_said():
    wish = Rung("phi-4", 8192, False, 2048, 32)
    rung = Rung("phi-4", 512, True, 512, 16)
    said = " ".join(rung.given_up(wish))
    for word in ("512 tokens, not 8192", "computed twice", "limit was 2048", "rank 32"):
        assert word in said
    assert wish.given_up(wish) == []
    less = Rung("phi-4-mini", 512, False, 512, 32)
    assert len(less.given_up(wish)) == 3


@pytest.mark.parametrize(("name", "gb"), [("phi4-mini-12gb", 12), ("phi4-24gb", 24)])
def test_the_files_for_cards_fit_them_as_their_comments_say(name, gb):
    found = fit.by_formula(config.load(name).units(), gb * GB)
    assert found.fits
    assert found.rung == found.wish
    for unit in config.load(name).units():
        if unit.step == "pick_domain":
            assert domains.of(unit.params).chosen(unit.params.families)
    comment = (PARAMS / f"{name}.yaml").read_text().partition("\nstudy:")[0]
    for line in lines.fitting(found):
        if line.endswith(" GB"):
            figure = line.split()[-2]
            assert f" {figure}" in comment, line


@pytest.mark.parametrize(
    ("name", "gb", "says"),
    [
        ("phi4-24gb", 14, "given up for it: speed: micro-batches of"),
        ("phi4-24gb", 9, "model phi-4: phi-4-mini instead"),
        ("phi4-24gb", 0.5, "does NOT fit"),
    ],
)
def test_a_smaller_card_costs_something(name, gb, says):
    found = fit.by_formula(config.load(name).units(), gb * GB)
    assert says in "\n".join(lines.fitting(found))
    assert found.fits == (found.needed <= gb * GB)
