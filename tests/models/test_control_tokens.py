"""Control tokens as text, read off a tokenizer's own files."""

from __future__ import annotations

import json

import pytest

from phi_kit.inference import completion
from phi_kit.models.control_tokens import FAMILIES, control_tokens


@pytest.fixture
def folder(tmp_path):
    """A model's folder as far as a tokenizer needs it."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    return tmp_path


def test_marks_of_a_folder(folder):
    added = [
        {"id": 0, "content": "<|x|>", "special": True},
        {"id": 1, "content": "<think>", "special": False},
    ]
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    decoder = {"2": {"content": "<|y|>", "special": True}}
    config = {
        "added_tokens_decoder": decoder,
        "eos_token": {"content": "</x>"},
        "pad_token": None,
        "additional_special_tokens": ["<z>"],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "special_tokens_map.json").write_text('{"bos_token": "<b>"}')
    assert control_tokens(folder) == ("</x>", "<b>", "<z>", "<|x|>", "<|y|>")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"added_tokens": 3}', "[" * 10**5])
def test_a_broken_tokenizer_is_none(folder, text):
    (folder / "tokenizer.json").write_text(text)
    assert control_tokens(folder) == FAMILIES


@pytest.mark.parametrize(
    "name", ["http://127.0.0.1:1/v1#some", "nobody/nowhere", "./none", "smolm"]
)
def test_without_a_tokenizer_the_families_are_taken(name):
    assert control_tokens(completion.folder_at_hand(name)) == FAMILIES
    assert {"<|im_end|>", "</s>", "<|endoftext|>", "[INST]", "<|eot_id|>"} <= set(
        FAMILIES
    )
