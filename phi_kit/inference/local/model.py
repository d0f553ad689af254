"""Loading the student: NF4 weights, the right dtype for the machine, adapters."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phi_kit.core import dependency_warnings
from phi_kit.core.endpoint_url import is_endpoint
from phi_kit.core.errors import ModelError
from phi_kit.core.params import StepParams
from phi_kit.core.paths import ledger_address, runs_root
from phi_kit.core.replay_mode import replayed_ledger
from phi_kit.core.weight_records import weight_record
from phi_kit.inference.endpoint.client import Endpoint, complete
from phi_kit.inference.types import Completion, SampleRequest, SamplingParams
from phi_kit.models import catalog
from phi_kit.models.chat_template import render
from phi_kit.models.model_dir import identity

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class LocalModel:
    """A model ready to sample or train, with its tokenizer."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    identity: str = ""  # of the weights: files, precision, adapter

    def render(self, instruction: str, prompt: str) -> str:
        """The text this model completes."""
        return render(self.tokenizer, instruction, prompt)

    def stream(
        self, asked: Sequence[SampleRequest], sampling: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Decode what is asked; see `sampling.Sampler`."""
        from .decoding import stream

        yield from stream(self, asked, sampling)

    @property
    def about(self) -> str:
        """What it takes, for a reader."""
        return f"{self.model.get_memory_footprint() / 1e6:.0f} MB on this machine"

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a turn: EOS, and what the model itself names."""
        named = self.model.generation_config.eos_token_id
        named = named if isinstance(named, list) else [named]
        ids = {self.tokenizer.eos_token_id, *named} - {None}
        return frozenset(ids)

    @contextmanager
    def adapter(self, folder: Path | None) -> Iterator[LocalModel]:
        """The student with a LoRA adapter on, unmerged; taken off afterwards.

        Merging into 4-bit weights changes the model (peft #2321), so adapters
        are always evaluated as they were trained: beside the weights.
        """
        if folder is None:
            yield self
            return
        if weight_record(folder) is not None:
            raise ModelError(
                "this adapter is from a replay and has no weights",
                where=str(folder),
                todo="run the step that trains it with the model: --redo",
            )
        from peft import PeftModel

        tuned = PeftModel.from_pretrained(self.model, folder)
        tuned.eval()
        try:
            yield LocalModel(
                f"{self.name}+{folder.name}",
                tuned,
                self.tokenizer,
                f"{self.identity}+{identity(folder)}",
            )
        finally:
            tuned.unload()
            # peft leaves its config on the base model and warns at the next one.
            vars(self.model).pop("peft_config", None)


def _share_cores() -> None:
    """Let waiting threads sleep; effective if torch is not imported yet.

    By default OpenMP threads spin while they wait. With any other program on
    the machine that makes sampling several times slower; asleep they lose a
    part of the speed of an idle machine. An explicit setting is left alone.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def device() -> str:
    """`cuda` where there is one, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def compute_dtype() -> torch.dtype:
    """bf16 on a GPU that has it; float32 elsewhere.

    On CPUs without bf16 units a bf16 product is about 100 times slower than
    a float32 one.
    """
    import torch

    if device() == "cuda" and torch.cuda.is_bf16_supported():
        return torch.bfloat16
    return torch.float32


def _own(model: PreTrainedModel) -> None:
    """Copy what was not quantised out of the weights' file.

    A single tensor that still lies in the mapped file keeps all of it mapped: for
    the embedded model 538 MB, of which 113 MB are read.
    """
    import torch

    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.device.type == "cpu" and tensor.is_floating_point():
            with torch.no_grad():
                tensor.data = tensor.data.clone()


def nf4(dtype: torch.dtype) -> Any:
    """4-bit NormalFloat with double quantisation (QLoRA, arXiv 2305.14314)."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def sampler(params: StepParams, name: str = "") -> LocalModel | Endpoint:
    """The model a step asks, or another one; an endpoint within the study's limits.

    Raises:
        ModelError: as `load` does.
    """
    name = name or params.model
    if is_endpoint(name):
        return Endpoint(name, params.endpoint, runs_root() / params.study)
    return load(name)


def judge(name: str, params: StepParams) -> Callable[[str], str]:
    """A function from a prompt to a judge's reply; the step's study pays for it."""
    folder = runs_root() / params.study
    return complete(name, settings=params.endpoint, folder=folder)


@lru_cache(maxsize=1)
def load(name: str, *, four_bit: bool = True) -> LocalModel | Endpoint:
    """Load a model and its tokenizer; asked again, the same one comes back.

    One model is kept: a notebook's example and its step share it, and another
    name lets the first one go. In a replay it is a `replay.Replayed`.

    Args:
        name: a catalogue name, a Hugging Face id, a local folder or an
            endpoint, which only samples and of which nothing is loaded.
        four_bit: NF4 weights; else the compute dtype's.

    Raises:
        ModelError: it cannot be found, or is no causal language model with a
            chat template.
        RunError: a replay does not know it, or the ledger fails.
    """
    if is_endpoint(name):
        return Endpoint(name)
    dependency_warnings.silence_dependencies()
    folder = catalog.resolve(name)
    model, tokenizer = _read(name, folder, four_bit=four_bit)
    if model is None:
        from phi_kit.cache.replay import replayed

        return replayed(name, folder, tokenizer, four_bit=four_bit)
    model.eval()
    dtype = compute_dtype()
    precision = f"{'nf4-' * four_bit}{str(dtype).removeprefix('torch.')}"
    student = LocalModel(name, model, tokenizer, f"{identity(folder)}/{precision}")
    if ledger_address():
        from phi_kit.cache.recordings import record_model

        record_model(student, folder)
    return student


def _read(
    name: str, folder: Path, *, four_bit: bool
) -> tuple[PreTrainedModel | None, PreTrainedTokenizerBase]:
    """The weights and the tokenizer of a folder; a replay reads no weights."""
    _share_cores()
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # on stderr it leaves a red strip in a notebook
    dtype = compute_dtype()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = None
        if not replayed_ledger():
            model = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype,
                device_map=device(),
                quantization_config=nf4(dtype) if four_bit else None,
            )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{name} cannot be loaded: {error}",
            where=str(folder),
            todo="give a folder or id of a causal language model in "
            "Hugging Face format",
        ) from error
    if tokenizer.chat_template is None:
        raise ModelError(
            f"{name} has no chat template",
            where=str(folder),
            todo="use an instruct model: the kit trains and asks in chat turns",
        )
    if tokenizer.pad_token_id is None:
        # Any will do: the kit masks by position, never by what the PAD token is.
        tokenizer.pad_token = tokenizer.eos_token
    if four_bit and model is not None:
        _own(model)
    return model, tokenizer
