"""A model folder as one GGUF file, for llama.cpp and what is built on it.

Llama architectures with a byte-level BPE tokenizer whose way of splitting text has
a name in GGUF. Anything else is refused with the reason; llama.cpp's own
`convert_hf_to_gguf.py` knows more. Names of tensors and keys are the `gguf`
package's; the order of the rows of Q and K is llama.cpp's, not Hugging Face's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phi_kit.core.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFWriter

# How a tokenizer splits text before BPE, by GGUF's name for it. Loaders that do
# not know the name split otherwise, and the model reads other tokens.
_DIGITS = {"type": "Digits", "individual_digits": True}
_PRE = {json.dumps([_DIGITS, {"type": "ByteLevel", "use_regex": True}]): "smollm"}


def check(folder: Path) -> None:
    """Whether a model can be written as GGUF.

    Raises:
        ModelError: it cannot; the message says why.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    rope = config.get("rope_parameters") or {}
    scaling = rope.get("rope_type", "default")
    if config.get("model_type") != "llama":
        raise _refused(folder, f"its architecture is {config.get('model_type')}")
    if scaling != "default" or config.get("rope_scaling"):
        raise _refused(folder, f"its positions are scaled ({scaling})")
    if config.get("attention_bias") or config.get("mlp_bias"):
        raise _refused(folder, "its layers have biases")
    _pre(folder)


def write(folder: Path, file: Path, *, name: str) -> None:
    """Write the model of `folder` as `file`, then read it back and compare.

    Args:
        folder: config.json, safetensors and tokenizer.json in 16 or 32 bit.
        file: the GGUF file to write. Matrices keep their type, vectors are float32.
        name: what the model is called in it.

    Raises:
        ModelError: the model is none that can be written, or came out different.
    """
    from gguf import GGUFWriter

    check(folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    writer = GGUFWriter(file, "llama")
    _settings(writer, config, name)
    _vocabulary(writer, folder, config)
    for place, values in _tensors(folder, config):
        stored, kind = _stored(values)
        writer.add_tensor(place, stored, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    _same(folder, file, config)


def _refused(folder: Path, why: str) -> ModelError:
    return ModelError(
        f"no GGUF file can be written of this model: {why}",
        where=str(folder),
        todo="export without --gguf and use llama.cpp's convert_hf_to_gguf.py",
    )


def _pre(folder: Path) -> str:
    text = (folder / "tokenizer.json").read_text("utf-8")
    tokenizer = json.loads(text)
    split = tokenizer.get("pre_tokenizer") or {}
    kept = ("type", "individual_digits", "use_regex")
    parts = [
        {key: part[key] for key in kept if key in part}
        for part in split.get("pretokenizers", [split])
    ]
    pre = _PRE.get(json.dumps(parts))
    if tokenizer["model"]["type"] != "BPE" or pre is None:
        raise _refused(folder, "the way its tokenizer splits text has no known name")
    return pre


def _settings(writer: GGUFWriter, config: dict[str, Any], name: str) -> None:
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    rope = config.get("rope_parameters") or config
    writer.add_name(name)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(rope.get("rope_theta", 10000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])


def _vocabulary(writer: GGUFWriter, folder: Path, config: dict[str, Any]) -> None:
    from gguf import TokenType
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]
    size = config["vocab_size"]
    # Rows of the embeddings without a token still need a name of their own.
    tokens = [f"[PAD{number}]" for number in range(size)]
    kinds = [TokenType.UNUSED] * size
    for token, number in tokenizer.get_vocab().items():
        tokens[number], kinds[number] = token, TokenType.NORMAL
    for number, token in tokenizer.added_tokens_decoder.items():
        kinds[number] = TokenType.CONTROL if token.special else TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_pre(folder))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    merges = model["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    for add, number in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
        (writer.add_unk_token_id, tokenizer.unk_token_id),
    ):
        if number is not None:
            add(number)
    # The chat template writes what there is; a server must not add to it.
    writer.add_add_bos_token(False)
    writer.add_chat_template(tokenizer.get_chat_template())


def _tensors(folder: Path, config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """GGUF's name and rows of every tensor, in float32 or the 16-bit type."""
    from gguf import MODEL_ARCH, get_tensor_name_map
    from safetensors import safe_open

    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    heads, key_heads = config["num_attention_heads"], config["num_key_value_heads"]
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118, it is no dict
                values = file.get_tensor(name)
                if name.endswith("q_proj.weight"):
                    values = _permuted(values, heads)
                elif name.endswith("k_proj.weight"):
                    values = _permuted(values, key_heads)
                new = names.get_name(name, try_suffixes=(".weight",))
                if new is None:
                    raise _refused(folder, f"a tensor is called {name}")
                yield new, values


def _permuted(values: Any, heads: int) -> Any:
    """Rows from halves side by side to pairs, as llama.cpp turns positions."""
    rows = values.shape[0] // heads // 2
    split = values.reshape(heads, 2, rows, *values.shape[1:])
    return split.swapaxes(1, 2).reshape(values.shape)


def _stored(values: Any) -> tuple[np.ndarray, Any]:
    """Values as numpy has them, and GGUF's type; numpy knows no bfloat16."""
    import torch
    from gguf import GGMLQuantizationType as Kind

    if values.dim() < 2:
        return values.float().numpy(), Kind.F32
    if values.dtype == torch.bfloat16:
        return values.contiguous().view(torch.uint8).numpy(), Kind.BF16
    kind = Kind.F16 if values.dtype == torch.float16 else Kind.F32
    return values.contiguous().numpy(), kind


def _same(folder: Path, file: Path, config: dict[str, Any]) -> None:
    import numpy as np
    from gguf import GGUFReader

    read = {tensor.name: tensor for tensor in GGUFReader(file).tensors}
    for name, values in _tensors(folder, config):
        meant, kind = _stored(values)
        there = read.pop(name, None)
        if there is None or there.tensor_type != kind:
            raise ModelError(f"{name} is missing in the GGUF file", where=str(file))
        if not np.array_equal(there.data.reshape(-1), meant.reshape(-1)):
            raise ModelError(f"{name} came out different", where=str(file))
    if read:
        raise ModelError(f"tensors too many: {sorted(read)}", where=str(file))
