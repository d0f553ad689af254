"""A random two-layer Llama that speaks the embedded model's tokens."""

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from phi_kit.inference.local.model import LocalModel
from phi_kit.models import catalog


def tokenizer():
    return AutoTokenizer.from_pretrained(catalog.resolve("smollm2-135m"))


def sizes(tokenizer):
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "initializer_range": 0.3,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def tiny_student(tokenizer, *, identity=""):
    torch.manual_seed(0)
    config = LlamaConfig(**sizes(tokenizer))
    return LocalModel("tiny", LlamaForCausalLM(config).eval(), tokenizer, identity)
