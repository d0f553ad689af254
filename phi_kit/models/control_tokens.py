"""The control tokens that a model's chat template is made of, as text.

A question that holds one is no longer a question: the tokenizer reads `<|im_end|>`
as the end of the turn wherever it stands. The tokens are read from the tokenizer's
own files; neither weights nor transformers are loaded, and nothing is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Those of the most common families, for a model whose tokenizer is not at hand.
FAMILIES = (
    *("<|im_start|>", "<|im_sep|>", "<|im_end|>", "<|endoftext|>", "<|endofprompt|>"),
    *("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|tool|>"),
    *("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|python_tag|>"),
    *("<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>", "<pad>"),
    *("<s>", "</s>", "<unk>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"),
    *("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CALLS]"),
    *("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    *("<｜User｜>", "<｜Assistant｜>"),
    *("<|start|>", "<|message|>", "<|channel|>", "<|return|>", "<|call|>"),
    *("<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|CHATBOT_TOKEN|>"),
)
_TOKEN_FIELDS = (
    "bos_token",
    "eos_token",
    "unk_token",
    "pad_token",
    "sep_token",
    "cls_token",
)


def control_tokens(folder: Path | None) -> tuple[str, ...]:
    """The texts of a model's control tokens, in alphabetical order.

    Args:
        folder: of the model; those of `FAMILIES` come where it is `None` or names
            no control tokens.
    """
    return (
        tuple(sorted(set(_control_tokens_in(folder)))) if folder else ()
    ) or FAMILIES


def _control_tokens_in(folder: Path) -> Iterator[str]:
    tokenizer = _json(folder / "tokenizer.json").get("added_tokens")
    config = _json(folder / "tokenizer_config.json")
    added = config.get("added_tokens_decoder")
    tokens = [
        *(tokenizer if isinstance(tokenizer, list) else ()),
        *(added.values() if isinstance(added, dict) else ()),
    ]
    for token in tokens:
        if isinstance(token, dict) and token.get("special"):
            yield from _content(token)
    for named in (config, _json(folder / "special_tokens_map.json")):
        more = named.get("additional_special_tokens")
        more = more if isinstance(more, list) else []
        for token in (*more, *map(named.get, _TOKEN_FIELDS)):
            yield from _content(token)


def _content(token: Any) -> Iterator[str]:
    text = token.get("content") if isinstance(token, dict) else token
    if isinstance(text, str) and text.strip():
        yield text


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
