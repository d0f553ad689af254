"""Models of published sizes with random weights, made on the card; rows for them."""

from __future__ import annotations

import random
from typing import Any

import bitsandbytes as bnb
import torch
from tiny import tokenizer
from transformers import AutoConfig, AutoModelForCausalLM

from phi_kit.inference.local.model import LocalModel
from phi_kit.models.architecture import _PUBLISHED_CONFIGS
from phi_kit.models.loading import compute_dtype
from phi_kit.training.encoding import TrainingRow, encode

from .device import DEVICE, REHEARSAL, free_memory

# Instead of the published sizes, in a rehearsal: just the tokenizer's vocabulary.
_TINY = {
    "vocab_size": 49152,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def student(name: str) -> LocalModel:
    """A model as `completion.load` gives it, but for what it has learnt."""
    fields = _PUBLISHED_CONFIGS[name] | (_TINY if REHEARSAL else {})
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        fields.pop("model_type"),
        **fields,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        max_position_embeddings=16384,
    )
    with torch.device(DEVICE):
        model = AutoModelForCausalLM.from_config(config, dtype=compute_dtype())
    head = model.get_output_embeddings()
    layers = [
        (parent, place, layer)
        for parent in model.modules()
        for place, layer in parent.named_children()
        if isinstance(layer, torch.nn.Linear) and layer is not head
    ]
    while layers:  # one after the other: the packed one replaces its floats
        parent, place, layer = layers.pop()
        setattr(parent, place, packed(layer))
        del layer
    model.is_loaded_in_4bit = True  # peft asks
    model.requires_grad_(False)
    free_memory()
    return LocalModel(name, model.eval(), tokenizer())


def packed(layer: torch.nn.Linear) -> Any:
    """The same layer in NF4 with double quantisation."""
    found = bnb.nn.Linear4bit(
        layer.in_features,
        layer.out_features,
        bias=False,
        compute_dtype=layer.weight.dtype,
        quant_type="nf4",
        compress_statistics=True,
        device="meta",
    )
    found.weight = bnb.nn.Params4bit(
        layer.weight.data,
        requires_grad=False,
        quant_type="nf4",
        compress_statistics=True,
    ).to(DEVICE)
    return found


def rows(
    student: LocalModel, n: int, *, tokens: int, seed: int = 0
) -> list[TrainingRow]:
    """Rows of just so many tokens, nearly all of them trained, in plain words."""
    draw = random.Random(seed)
    words = [
        token[1:]
        for token in student.tokenizer.get_vocab()
        if token[:1] == "Ġ" and token[1:].isascii() and token[1:].islower()
    ]
    words = sorted(word for word in words if word.isalpha() and len(word) > 3)
    prompt = student.render("", "Write about anything.")
    found = []
    for _ in range(n):
        said = draw.choices(words, k=tokens)
        while (over := len(encode(student, row(prompt, said)).ids) - tokens) != 0:
            said = said[:-over] if over > 0 else said + draw.choices(words, k=-over)
        found.append(row(prompt, said))
    return found


def row(prompt: str, words: list[str]) -> TrainingRow:
    return TrainingRow(prompt, " ".join(words))
